"""What came of a database that was put back: how much is read again, and what the systems knew better."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from apps.access.kernel import visible_to
from apps.access.principal import Principal

from ..models import Divergence, Restoration, TicketLink

IN_WORDS = {
    Divergence.Kind.TAKEN_BACK: "taken over again from its copy in a system",
    Divergence.Kind.TIED: "tied to its copy in a system again",
    Divergence.Kind.FOUND: "found there already, and not written again",
    Divergence.Kind.CONFLICT: "changed on both sides; the later value holds",
    Divergence.Kind.PERSON: "needs a person",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the links were read again, and how often which kind of divergence was found."""

    restoration: Restoration
    unread: int
    waiting: int
    """Of those unread: links that wait for a person."""
    counts: dict[str, int]
    """Kind of divergence → how many."""

    @property
    def found(self) -> tuple[tuple[str, int], ...]:
        """The same in words."""
        return tuple((IN_WORDS[kind], self.counts[kind]) for kind in Divergence.Kind)


def progress_of(restoration: Restoration | None = None, *, seen_by: Principal | None = None) -> Progress | None:
    """Of the last one, unless said; None where there was none. Without ``seen_by`` everything, for the command."""
    restoration = restoration or Restoration.objects.order_by("-at").first()
    if restoration is None:
        return None
    links, found = TicketLink.objects.all(), Divergence.objects.filter(restoration=restoration)
    if seen_by is not None:
        links, found = visible_to(links, seen_by), visible_to(found, seen_by)
    behind = links.filter(is_behind=True).exclude(state__in=(TicketLink.State.DETACHED, TicketLink.State.OUT_OF_SCOPE))
    held = Q(intake_hold__isnull=False) | Q(delivery_hold__isnull=False)
    counts = dict(found.values_list("kind").annotate(number=Count("pk")).values_list("kind", "number"))
    return Progress(
        restoration,
        behind.count(),
        behind.filter(held).count(),
        {kind.value: counts.get(kind, 0) for kind in Divergence.Kind},
    )


def restorations(*, seen_by: Principal) -> QuerySet[Restoration]:
    """All of them, the last one first."""
    return visible_to(Restoration.objects.order_by("-at"), seen_by)


def divergences(*, seen_by: Principal) -> QuerySet[Divergence]:
    """What was found, oldest first."""
    rows = Divergence.objects.select_related("connection__organization", "ticket")
    return visible_to(rows, seen_by).order_by("at", "pk")
