"""The rules in force of a connection, compiled once."""

from functools import lru_cache
from uuid import UUID

from ..engine.rules import SyncRules
from ..models import Connection, RulesVersion
from ..rules import compile_rules, read_document


def published_rules(connection: Connection) -> SyncRules | None:
    """The rules in force, compiled; None while nothing is published."""
    row = (
        RulesVersion.objects.filter(connection=connection, state=RulesVersion.State.PUBLISHED)
        .values_list("pk", "number")
        .first()
    )
    return None if row is None else _compiled(*row)


@lru_cache(maxsize=256)
def _compiled(pk: UUID, number: int) -> SyncRules:
    # A published document never changes, so its id is all that a cache needs to know.
    row = RulesVersion.objects.get(pk=pk)
    return compile_rules(read_document(row.document), version=number, limits=row.limits)
