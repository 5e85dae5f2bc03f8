"""The reference connector: a whole ticket system in memory, for tests of the engine and as the plainest example."""

from .connector import MemoryConnector, make_notice
from .faults import Fault
from .system import MemorySystem, Ticket, steady_clock

__all__ = ["Fault", "MemoryConnector", "MemorySystem", "Ticket", "make_notice", "steady_clock"]
