"""Grave acts as rows: counted one at a time for each connection, listed behind a brake, answered by its parties."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Func, JSONField, Max, Q, QuerySet, TextField, Value

from ..bases import as_value
from ..engine import grave
from ..engine.grave import WINDOW_SECONDS, Side, Standing, Tally
from ..models import Brake, Connection, ConnectionPulse, GraveAct, GraveCount, TicketLink

WINDOW = timedelta(seconds=WINDOW_SECONDS)
REMEMBERED = timedelta(days=14)
ANSWER_HOLDS = timedelta(days=1)
"""For how long an answer about one act holds: whoever agreed to a list did not agree to what comes next month."""


class WithParty(Func):
    """A hold that names another party, worked out by the database: a mass of lanes may wait behind one answer."""

    output_field = JSONField()

    def __init__(self, name: str, party: str) -> None:
        super().__init__(F(name), Value(party, TextField()))

    def as_postgresql(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        template = "jsonb_set(%(expressions)s::text))"
        return self.as_sql(compiler, connection, template=template, arg_joiner=", '{party}', to_jsonb(")

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        return self.as_sql(compiler, connection, template="json_set(%(expressions)s)", arg_joiner=", '$.party', ")


class BrakeRows:
    """What the engine counts of grave acts, and the parties' answers about them."""

    def tally(self, link: TicketLink, act: grave.GraveAct, *, now: datetime) -> Tally:
        connection = link.connection
        keep_count(connection)
        answer = _answer(link, act, now)
        if answer is not None:
            return Tally(answer=answer)
        if _in_force(connection, act).exists():
            return Tally(is_braked=True)
        handful = connection.brake_handful
        lately = _like(connection, act).filter(_recent(now)).exclude(link=link)
        recent = lately.order_by().values("link").distinct().count()
        return Tally(recent, _busiest(connection, act, now) if recent >= handful else 0, handful)

    def note_grave(self, link: TicketLink, act: grave.GraveAct, standing: Standing, *, now: datetime) -> None:
        mine = _like(link.connection, act).filter(link=link)
        if standing is Standing.PUT_BACK:
            mine.filter(key=act.key, standing=Standing.REFUSED).update(standing=standing, settled_at=now)
            return
        if mine.filter(key=act.key, standing=Standing.ALLOWED).update(standing=standing, settled_at=now):
            return
        is_counted = mine.filter(_recent(now)).exists()
        GraveAct.objects.create(**_columns(link, act, now), standing=standing, settled_at=now)
        if not is_counted:
            _count(link.connection, act, now)

    def trip(self, link: TicketLink, act: grave.GraveAct, reason: str, *, now: datetime) -> None:
        connection = link.connection
        made = Brake.objects.create(connection=connection, kind=act.kind, into=act.into, reason=reason, tripped_at=now)
        # What went before it is on its list, and is no measure of what is usual.
        _like(connection, act).filter(_recent(now)).update(brake=made)
        windows = (_window(now) - 1, _window(now))
        _counts(connection, act).filter(window__in=windows).delete()

    def stop(self, link: TicketLink, act: grave.GraveAct, *, now: datetime) -> str:
        brake = _in_force(link.connection, act).select_related("connection__organization").get()
        columns = _columns(link, act, now)
        named = {name: columns.pop(name) for name in ("connection", "link", "kind", "into", "key")}
        listed, is_new = GraveAct.objects.get_or_create(
            **named, brake=brake, standing=Standing.STOPPED, defaults=columns
        )
        if not is_new:
            GraveAct.objects.filter(pk=listed.pk).update(**columns)
        return who_must_answer(brake)


def keep_count(connection: Connection) -> None:
    """Let nobody else count, stop or decide about grave acts of the connection until the transaction ends: two who
    counted at once would both be the last that passes. Take it after links and tickets, never before."""
    ConnectionPulse.objects.select_for_update().filter(connection=connection).values_list("pk").first()


def who_must_answer(brake: Brake) -> str:
    """The name of the first party that has not answered; the owner's once all have."""
    answered = set(brake.answers.values_list("organization", flat=True))
    asked = brake.asked
    return next((party.name for party in asked if party.pk not in answered), asked[0].name)


def _like(connection: Connection, act: grave.GraveAct) -> QuerySet[GraveAct]:
    return GraveAct.objects.filter(connection=connection, kind=act.kind, into=act.into)


def _counts(connection: Connection, act: grave.GraveAct) -> QuerySet[GraveCount]:
    return GraveCount.objects.filter(connection=connection, kind=act.kind, into=act.into)


def _in_force(connection: Connection, act: grave.GraveAct) -> QuerySet[Brake]:
    return Brake.objects.filter(connection=connection, kind=act.kind, into=act.into, state__in=Brake.IN_FORCE)


def _recent(now: datetime) -> Q:
    """Carried out within the window and on no brake's list: with each brake the count starts anew."""
    return Q(brake=None, standing=Standing.CARRIED_OUT, at__gt=now - WINDOW)


def _answer(link: TicketLink, act: grave.GraveAct, now: datetime) -> Standing | None:
    """What the parties said about this act. They agreed to one change of one value and to no other; a write that was
    let through may have to be made again because its answer was lost."""
    said = _like(link.connection, act).filter(link=link, key=act.key, settled_at__gt=now - ANSWER_HOLDS)
    again = Q(standing=Standing.CARRIED_OUT, into=Side.SYSTEM, brake__state=Brake.State.RELEASED)
    for one in said.filter(Q(standing__in=[Standing.ALLOWED, Standing.REFUSED]) | again).order_by("-pk"):
        if one.standing == Standing.REFUSED:
            return Standing.REFUSED
        if (as_value(one.before), as_value(one.after)) == (act.before, act.after):
            return Standing.ALLOWED
    return None


def _window(now: datetime) -> int:
    return int(now.timestamp()) // WINDOW_SECONDS


def _busiest(connection: Connection, act: grave.GraveAct, now: datetime) -> int:
    """The most tickets within one window of the last two weeks, without the present one."""
    before = _counts(connection, act).filter(window__lt=_window(now) - 1, window__gte=_window(now - REMEMBERED))
    return before.aggregate(most=Max("number"))["most"] or 0


def _count(connection: Connection, act: grave.GraveAct, now: datetime) -> None:
    # The caller holds the connection's pulse: nobody else counts at this moment.
    row, _ = GraveCount.objects.get_or_create(connection=connection, kind=act.kind, into=act.into, window=_window(now))
    row.number += 1
    row.save(update_fields=["number"])


def _columns(link: TicketLink, act: grave.GraveAct, now: datetime) -> dict[str, object]:
    return {
        "connection": link.connection,
        "link": link,
        "kind": act.kind,
        "into": act.into,
        "key": act.key[:200],
        "field": act.field[:100],
        "before": act.before,
        "after": act.after,
        "hub_before": act.hub_before,
        "at": now,
    }
