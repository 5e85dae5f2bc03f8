"""Calls to systems are kept for a while only: they show what happened, and nothing is decided from them."""

from datetime import datetime, timedelta

from django.conf import settings

from ..models import Exchange

AT_ONCE = 2000


def prune_exchanges(*, now: datetime, most: int = 200_000) -> int:
    """Remove calls older than SIAM_KEEP_EXCHANGES days, a part at a time so that no table stays locked; how many."""
    limit = now - timedelta(days=settings.SIAM_KEEP_EXCHANGES)
    pruned = 0
    while pruned < most:
        old = list(Exchange.objects.filter(at__lt=limit).order_by("at").values_list("pk", flat=True)[:AT_ONCE])
        if not old:
            break
        pruned += Exchange.objects.filter(pk__in=old).delete()[0]
    return pruned
