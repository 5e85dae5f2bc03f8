"""What the routes of the sync engine share: the connection they are below, who acts, and failures of a system."""

from functools import cached_property

from pydantic import ValidationError
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.kernel import find_visible
from apps.access.levels import Level
from apps.access.principal import Principal
from apps.ecosystem.api.principal import PrincipalView
from apps.foundation.api import Refused
from apps.tickets.actor import Actor
from apps.tickets.api.acting import actor_for

from .. import services
from ..connectors import base as connectors
from ..connectors.catalog import CONNECTORS
from ..engine.holding import OUR_PARTY
from ..models import Connection
from ..permissions import CONNECTION, WATCH
from ..selectors import connections
from ..services.carrying import read_failure

REFUSALS = (
    services.ConnectionRefused,
    services.RulesRefused,
    services.RulesNotReady,
    services.NothingWaits,
)


class SystemFailed(APIException):
    """The connected system did not do what was asked; names connection, cause, the party who must act and remedy."""

    status_code = status.HTTP_502_BAD_GATEWAY
    default_code = "system_failed"

    def __init__(self, connection: Connection, problem: connectors.ConnectorError) -> None:
        super().__init__(problem.detail or "The system gave no usable answer.")
        party, remedy = _who_must_act(connection, problem)
        self.members = {
            "connection": {"id": str(connection.pk), "name": connection.name},
            "cause": str(read_failure(problem).kind),
            "party": party,
            "remedy": remedy,
        }
        if isinstance(problem, connectors.RateLimited):
            self.wait = problem.retry_after


def _who_must_act(connection: Connection, problem: connectors.ConnectorError) -> tuple[str, str]:
    owner, title = connection.organization.name, CONNECTORS[connection.connector].title
    remedies: tuple[tuple[type[connectors.ConnectorError], str], ...] = (
        (connectors.RateLimited, f"{title} asks us to wait; try again after that"),
        (connectors.SignInFailed, "renew the credentials of the connection, then check it again"),
        (
            connectors.AccessRefused,
            f"give the connection's account in {title} the right that it lacks, then check again",
        ),
        (connectors.Unreachable, f"see that the address is right and {title} answers there, then check again"),
        (connectors.VendorFault, f"ask the administrator of {title}, then check again"),
        (connectors.TicketGone, "see that the settings name what exists there, then check again"),
        (connectors.Rejected, "correct the settings of the connection, then check again"),
    )
    if "SIAM_OUTBOUND_ALLOW" in problem.detail:
        return OUR_PARTY, "allow the address in SIAM_OUTBOUND_ALLOW if it is meant, or correct it"
    for kind, remedy in remedies:
        if isinstance(problem, kind):
            return owner, remedy
    return owner, "look at the answer of the system, correct the settings, then check again"


class SyncRoute(PrincipalView):
    """Turns failures of a connection's system into problems. ``connection`` must be known by the time one can fail."""

    refusals = REFUSALS
    failing: Connection | None = None

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, connectors.ConnectorError) and self.failing is not None:
            exc = SystemFailed(self.failing, exc)
        elif isinstance(exc, ValidationError):
            problems = {".".join(map(str, error["loc"])) or "settings": error["msg"] for error in exc.errors()}
            exc = Refused("the settings and secrets of this connection do not fit each other", problems)
        return super().handle_exception(exc)


class OnConnection(SyncRoute):
    """Below one connection, which must be visible itself."""

    @cached_property
    def connection(self) -> Connection:
        found = find_visible(connections(seen_by=self.principal), self.principal, pk=self.kwargs["connection_id"])
        self.failing = found
        return found


def owns(principal: Principal, connection: Connection, level: Level) -> bool:
    """Whether the connection is one's own organization's, at ``level``; watching it is less."""
    return connection.organization_id in principal.where(CONNECTION, level)


def actor_on(request: Request, principal: Principal, connection: Connection, level: Level) -> Actor:
    """Who acts on a connection: for its owner where one can, else for the organization that watches it."""
    able = principal.where(CONNECTION, level) & {connection.organization_id}
    if not able and level < Level.FULL:
        able = principal.where(WATCH, level)
    asked = connection.organization_id if able == {connection.organization_id} else None
    return actor_for(request.user, principal, able, asked=asked, act="change this connection so")
