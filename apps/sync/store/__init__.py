"""The engine's store on the database: one instance, no state of its own."""

from typing import cast

from ..engine.ports import Store
from .braking import BrakeRows
from .claims import ClaimRows
from .hub import HubRows
from .lanes import LaneRows
from .pulses import PulseRows


class DatabaseStore(ClaimRows, LaneRows, HubRows, PulseRows, BrakeRows):
    """Rows of PostgreSQL or SQLite. Writes inside ``atomic`` are one transaction."""


# Its rows are the models, where the contract speaks of whatever has their attributes.
store = cast(Store, DatabaseStore())

__all__ = ["DatabaseStore", "store"]
