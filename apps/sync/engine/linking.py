"""Which systems get a ticket: those of its parties whose owner's rules accept it."""

from datetime import datetime
from typing import Any

from .ports import ConnectionRow, LinkRow, Store
from .rules import ExpressionFailed, SyncRules


def offer_ticket(
    store: Store, connection: ConnectionRow, ticket: Any, rules: SyncRules | None, *, now: datetime
) -> LinkRow | None:
    """Make the link by which a ticket gets into a system, if the ``rules`` in force there accept it."""
    if rules is None or not rules.creates_inbound:
        return None
    try:
        if not rules.accepts(store.view(ticket)):
            return None
    except ExpressionFailed:
        return None
    return store.add_link(connection, ticket, now=now)
