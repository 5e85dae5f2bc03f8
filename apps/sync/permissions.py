"""Who sees connections and lanes: their owner, and who watches the links of the whole ecosystem (integrator, customer).

Rules and webhooks are the owner's alone (T13): watching shows health, never another party's rules.
"""

from typing import Any

from django.db.models import Q, QuerySet

from apps.access.levels import Level
from apps.access.policy import declare
from apps.access.principal import Principal

from .models import (
    Alert,
    AlertRule,
    Brake,
    BrakeAnswer,
    Conflict,
    Connection,
    Divergence,
    Exchange,
    GraveAct,
    LaneAct,
    LaneCharge,
    Notice,
    PulseSample,
    Restoration,
    RulesVersion,
    TicketLink,
)

CONNECTION = "connection"
RULES = "rules"
WATCH = "watch"


def _reach(principal: Principal, level: Level, prefix: str) -> Q:
    """Connections of one's own organizations; those of the whole circle for a watcher (who never has full access)."""
    own = Q(**{prefix + "organization__in": principal.where(CONNECTION, level)})
    if level < Level.FULL and principal.holds(WATCH, level):
        return own | Q(**{prefix + "organization__in": principal.circle})
    return own


def _connections(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    return rows.filter(_reach(principal, level, ""))


def _of_connection(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    return rows.filter(_reach(principal, level, "connection__"))


def _of_link(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    return rows.filter(_reach(principal, level, "link__connection__"))


def _of_brake(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    return rows.filter(_reach(principal, level, "brake__connection__"))


def _owners_only(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    return rows.filter(connection__organization__in=principal.where(CONNECTION, level))


def _alert_rules(rows: QuerySet[Any], principal: Principal, _level: Level) -> QuerySet[Any]:
    return rows.filter(user=principal.user_id)


def _alerts(rows: QuerySet[Any], principal: Principal, _level: Level) -> QuerySet[Any]:
    """One's own, and never of a connection that one may no longer see."""
    return rows.filter(_reach(principal, Level.READ, "connection__"), rule__user=principal.user_id)


def _rules(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    return rows.filter(connection__organization__in=principal.where(RULES, level))


def _restorations(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    """Whoever sees any connection: that it happened concerns them all, and each sees what it did to one's own."""
    is_concerned = principal.where(CONNECTION, level) or (level < Level.FULL and principal.holds(WATCH, level))
    return rows if is_concerned else rows.none()


declare(Connection, resource=CONNECTION, title="connections", rows=_connections)
declare(TicketLink, resource=CONNECTION, title="links", rows=_of_connection)
declare(Conflict, resource=CONNECTION, title="conflicts", rows=_of_link)
declare(LaneAct, resource=CONNECTION, title="acts on lanes", rows=_of_link)
declare(LaneCharge, resource=CONNECTION, title="charges of lanes", rows=_of_link)
declare(Brake, resource=CONNECTION, title="brakes", rows=_of_connection)
declare(BrakeAnswer, resource=CONNECTION, title="answers about brakes", rows=_of_brake)
declare(GraveAct, resource=CONNECTION, title="grave acts", rows=_of_connection)
declare(PulseSample, resource=CONNECTION, title="samples", rows=_of_connection)
declare(Restoration, resource=CONNECTION, title="restorations", rows=_restorations)
declare(Divergence, resource=CONNECTION, title="divergences", rows=_of_connection)
declare(Notice, resource=CONNECTION, title="notices", rows=_of_connection)
declare(Exchange, resource=CONNECTION, title="exchanges", rows=_owners_only)
declare(AlertRule, resource=CONNECTION, title="alert rules", rows=_alert_rules)
declare(Alert, resource=CONNECTION, title="alerts", rows=_alerts)
declare(RulesVersion, resource=RULES, title="rules", rows=_rules)
