"""For which of the own organizations somebody acts on a ticket, and how far that goes."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest

from apps.access.kernel import Forbidden, find_visible
from apps.access.levels import Level
from apps.access.principal import Principal
from apps.accounts.models import User
from apps.ecosystem.models import Organization

from ..actor import Actor
from ..models import Ticket, TicketParty
from ..permissions import TICKET
from ..selectors import parties_of, tickets


@dataclass(frozen=True, slots=True)
class Standing:
    """What the reader may do with one ticket. ``organization`` is the one that the reader would act for."""

    parties: Sequence[TicketParty]
    organization: Organization | None
    may_write: bool
    may_direct: bool
    """Sharing and handing over run through whoever holds full access: the integrator (T99)."""

    @property
    def organizations(self) -> list[Organization]:
        return [party.organization for party in self.parties]

    @property
    def others(self) -> list[Organization]:
        """The parties that a comment for chosen parties can name besides the own one."""
        return [one for one in self.organizations if self.organization is None or one.pk != self.organization.pk]


def principal_of(request: HttpRequest) -> Principal:
    principal: Principal = request.principal  # type: ignore[attr-defined]
    return principal


def find_ticket(request: HttpRequest, reference: str) -> Ticket:
    """The ticket by its reference; raises NotVisible when the reader must not know of it."""
    principal = principal_of(request)
    return find_visible(tickets(seen_by=principal), principal, reference=reference)


def standing_in(ticket: Ticket, principal: Principal) -> Standing:
    """Read the parties once and judge from them: the holder acts first, then any party one may write for."""
    parties = list(parties_of(ticket))
    writable, full = principal.where(TICKET, Level.WRITE), principal.where(TICKET, Level.FULL)
    mine = [party.organization for party in parties if party.organization_id in writable]
    mine.sort(key=lambda organization: (organization.pk not in full, organization.pk != ticket.held_by_id))
    may_direct = any(party.organization_id in full for party in parties)
    return Standing(parties, mine[0] if mine else None, bool(mine), may_direct)


def actor_for(request: HttpRequest, organization: Organization | None) -> Actor:
    """The reader as an actor. Raises Forbidden when there is no organization to act for."""
    if organization is None or not isinstance(request.user, User):
        raise Forbidden("this needs write access to the ticket")
    return Actor(principal_of(request), organization, request.user, request.user.name)


def actor_on(request: HttpRequest, ticket: Ticket) -> Actor:
    return actor_for(request, standing_in(ticket, principal_of(request)).organization)
