"""Tickets that are stored and at rest, in any number: copies of one that crossed, made by the database itself."""

from collections.abc import Mapping
from typing import Any

from django.db import connection as database
from django.db import models, transaction
from django.utils import timezone

from apps.sync.models import TicketLink
from apps.tickets.models import Ticket, TicketEvent, TicketParty

from .crossing import Crossing

_KEY = {
    "sqlite": "printf('%%032x', n.i)",
    "postgresql": "lpad(to_hex(n.i), 32, '0')::uuid",
}


def store(crossing: Crossing, name: str, example: Ticket, number: int) -> None:
    """So many copies of ``example``, with its parties, its journal and its link to the system ``name``."""
    key = _KEY[database.vendor]
    link = TicketLink.objects.get(connection=crossing.connections[name], ticket=example)
    TicketLink.objects.filter(pk=link.pk).update(swept_at=timezone.now())
    with transaction.atomic():
        _copy(Ticket, {"id": example.pk}, {"id": key, "reference": "'S-' || n.i"}, number)
        _copy(TicketParty, {"ticket": example}, {"ticket_id": key}, number)
        _copy(TicketEvent, {"ticket": example}, {"ticket_id": key, "mark": "'s' || n.i || '-' || t.seq"}, number)
        _copy(TicketLink, {"pk": link.pk}, {"id": key, "ticket_id": key, "external_id": "'s' || n.i"}, number)
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")


def _copy(model: type[models.Model], which: Mapping[str, Any], changed: Mapping[str, str], number: int) -> None:
    """Copy the rows ``which`` so many times; ``changed`` says by column what is different, of the copy's number."""
    columns = [
        field.column
        for field in model._meta.concrete_fields
        if not field.generated and (not isinstance(field, models.AutoField) or field.column in changed)
    ]
    values = [changed.get(column, f't."{column}"') for column in columns]
    table = model._meta.db_table
    quoted = ", ".join(f'"{column}"' for column in columns)
    keys = list(model._default_manager.filter(**which).values_list("pk", flat=True))
    own = [model._meta.pk.get_db_prep_value(key, database) for key in keys]
    marks = ", ".join(["%s"] * len(own))
    with database.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) "
            f'INSERT INTO "{table}" ({quoted}) SELECT {", ".join(values)} '
            f'FROM "{table}" t, n WHERE t."{model._meta.pk.column}" IN ({marks})',
            [number, *own],
        )
