from .alerting import Alert, AlertKind, AlertRule
from .connection import Connection, ConnectionPulse
from .health import PulseSample
from .link import Conflict, Exchange, Intent, Notice, Pairing, TicketLink
from .operating import LaneAct, LaneCharge
from .rules import RulesVersion

__all__ = [
    "Alert",
    "AlertKind",
    "AlertRule",
    "Conflict",
    "Connection",
    "ConnectionPulse",
    "Exchange",
    "Intent",
    "LaneAct",
    "LaneCharge",
    "Notice",
    "Pairing",
    "PulseSample",
    "RulesVersion",
    "TicketLink",
]
