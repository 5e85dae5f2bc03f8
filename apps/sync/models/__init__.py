from .connection import Connection, ConnectionPulse
from .link import Conflict, Exchange, Intent, Notice, Pairing, TicketLink
from .rules import RulesVersion

__all__ = [
    "Conflict",
    "Connection",
    "ConnectionPulse",
    "Exchange",
    "Intent",
    "Notice",
    "Pairing",
    "RulesVersion",
    "TicketLink",
]
