from .alerting import Alert, AlertKind, AlertRule
from .braking import Brake, BrakeAnswer, GraveAct, GraveCount
from .connection import Connection, ConnectionPulse
from .health import PulseSample
from .link import Conflict, Exchange, Intent, Notice, Pairing, TicketLink
from .operating import LaneAct, LaneCharge
from .restoring import Divergence, Restoration
from .rules import RulesVersion

__all__ = [
    "Alert",
    "AlertKind",
    "AlertRule",
    "Brake",
    "BrakeAnswer",
    "Conflict",
    "Connection",
    "ConnectionPulse",
    "Divergence",
    "Exchange",
    "GraveAct",
    "GraveCount",
    "Intent",
    "LaneAct",
    "LaneCharge",
    "Notice",
    "Pairing",
    "PulseSample",
    "Restoration",
    "RulesVersion",
    "TicketLink",
]
