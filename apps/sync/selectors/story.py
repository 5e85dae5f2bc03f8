"""What happened in one lane: intents, calls, and what people did about it."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from apps.access.kernel import visible_to
from apps.access.principal import Principal
from apps.accounts.models import User

from ..models import Exchange, Intent, LaneAct, TicketLink


def intents_of(link: TicketLink, *, seen_by: Principal) -> QuerySet[Intent]:
    """What was about to be written for a link, newest first; for whoever may see the link."""
    links = visible_to(TicketLink.objects.filter(pk=link.pk), seen_by)
    return Intent.objects.filter(link__in=links).select_related("link__connection").order_by("-pk")


def calls_of(link: TicketLink, *, seen_by: Principal) -> QuerySet[Exchange]:
    """The calls made for a link, newest first; its connection's owner's alone, redacted (T12)."""
    return visible_to(Exchange.objects.filter(link=link), seen_by).order_by("-at", "-pk")


def acts_of(link: TicketLink, *, seen_by: Principal) -> QuerySet[LaneAct]:
    """What people did about a lane, newest first."""
    return visible_to(LaneAct.objects.filter(link=link), seen_by).select_related("organization").order_by("-at", "-pk")


def people_for(organizations: Iterable[UUID]) -> QuerySet[User]:
    """The people with an account who are members of one of ``organizations`` today, by name."""
    members = {"person__memberships__organization__in": list(organizations), "person__memberships__to_date": None}
    return User.objects.filter(kind=User.Kind.PERSON, is_active=True, **members).distinct().order_by("name", "email")
