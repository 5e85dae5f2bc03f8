"""Who sees connections and lanes: their owner, and who watches the links of the whole ecosystem (integrator, customer).

Rules and webhooks are the owner's alone (T13): watching shows health, never another party's rules.
"""

from typing import Any

from django.db.models import Q, QuerySet

from apps.access.levels import Level
from apps.access.policy import declare
from apps.access.principal import Principal

from .models import Conflict, Connection, Exchange, Notice, RulesVersion, TicketLink

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


def _conflicts(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    return rows.filter(_reach(principal, level, "link__connection__"))


def _owners_only(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    return rows.filter(connection__organization__in=principal.where(CONNECTION, level))


def _rules(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    return rows.filter(connection__organization__in=principal.where(RULES, level))


declare(Connection, resource=CONNECTION, title="connections", rows=_connections)
declare(TicketLink, resource=CONNECTION, title="links", rows=_of_connection)
declare(Conflict, resource=CONNECTION, title="conflicts", rows=_conflicts)
declare(Notice, resource=CONNECTION, title="notices", rows=_of_connection)
declare(Exchange, resource=CONNECTION, title="exchanges", rows=_owners_only)
declare(RulesVersion, resource=RULES, title="rules", rows=_rules)
