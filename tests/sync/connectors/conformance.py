"""The suite that every connector passes: subclass, say which system, and the contract of design 3.5 is tested."""

from .conformance_changes import ChangeConformance
from .conformance_doubt import DoubtConformance, LongWayConformance
from .conformance_failures import FailureConformance
from .conformance_notices import NoticeConformance
from .conformance_tickets import TicketConformance
from .conformance_writes import WriteConformance
from .system_under_test import Call, SandboxUnderTest, SystemUnderTest, Vocabulary

__all__ = [
    "Call",
    "ConnectorConformance",
    "LongWayConformance",
    "SandboxUnderTest",
    "SystemUnderTest",
    "Vocabulary",
]


class ConnectorConformance(
    TicketConformance, WriteConformance, ChangeConformance, FailureConformance, DoubtConformance, NoticeConformance
):
    """All tests. ``make_system`` is the only thing to define."""
