"""How a connection was over time."""

from django.db.models import QuerySet

from apps.access.kernel import visible_to
from apps.access.principal import Principal

from ..models import Connection, PulseSample


def samples_of(connection: Connection, *, seen_by: Principal) -> QuerySet[PulseSample]:
    """The five-minute samples of a connection, oldest first."""
    return visible_to(PulseSample.objects.filter(connection=connection), seen_by).order_by("at")
