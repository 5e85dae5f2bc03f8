"""Replaying a real ServiceNow event log: tickets are created in the ServiceNow sandbox and taken through their logged
updates in time order, while the other three systems follow. At the end all states must agree."""

import csv
import gzip
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any, TextIO

from django.db.models import Count, F, Q
from django.utils import timezone

from apps.sync.engine.rules import FieldRule, SyncRules, into_system
from apps.sync.models import Connection, ConnectionPulse, Intent, TicketLink
from apps.sync.services import published_rules
from apps.tickets.models import Ticket, TicketEvent
from apps.tickets.selectors import read_fields
from apps.tickets.services import share

from ..cast import Cast
from .people import ServiceNowPerson
from .setup import HANDFUL_OF_A_REPLAY, actor_for, connect
from .stage import Stage
from .wire import CallFailed

STATES = {
    "New": "1",
    "Active": "2",
    "Awaiting User Info": "3",
    "Awaiting Problem": "3",
    "Awaiting Vendor": "3",
    "Awaiting Evidence": "3",
    "Resolved": "6",
    "Closed": "7",
}
FOLLOWERS = ("infinity-architecture", "global", "mercuri")
QUIET_SECONDS = 3600.0
COMPARED = ("title", "status", "priority", "impact", "urgency")


@dataclass(frozen=True, slots=True)
class Logged:
    """One row of the log: what a ticket looked like after an update."""

    number: str
    at: datetime
    state: str
    impact: str
    urgency: str

    def as_fields(self) -> dict[str, str]:
        fields = {"impact": self.impact, "urgency": self.urgency, "state": self.state}
        if self.state == "3":
            fields["hold_reason"] = "4"
        if self.state == "6":
            fields |= {"close_code": "Solution provided", "close_notes": "As logged."}
        return {name: value for name, value in fields.items() if value}


@dataclass
class Outcome:
    """Counts of a replay. ``refused``: updates that the ServiceNow sandbox does not accept, nor would the real one."""

    created: int = 0
    applied: int = 0
    changes: int = 0
    refused: int = 0
    links: int = 0
    writes: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.disordered or self.different or self.waiting)

    def as_text(self) -> str:
        lines = [
            f"created {self.created} tickets in ServiceNow, {self.links} links to the other systems",
            f"updates applied {self.applied}, refused by ServiceNow itself {self.refused}; "
            f"changes logged there {self.changes}, writes to the others {self.writes}",
            f"lost {len(self.lost)}, doubled {len(self.doubled)}, out of order {len(self.disordered)}, "
            f"end states that differ {len(self.different)}, lanes still waiting {len(self.waiting)}",
            f"{self.seconds:.0f} s",
        ]
        for name in ("lost", "doubled", "disordered", "different", "waiting"):
            lines += [f"  {name}: {text}" for text in getattr(self, name)[:5]]
        return "\n".join(lines)


def read_log(place: str, limit: int) -> list[list[Logged]]:
    """The first ``limit`` tickets of the log, each with its updates in time order. Unknown states stay as they were."""
    rows: dict[str, list[Logged]] = {}
    with _open(Path(place)) as text:
        for row in csv.DictReader(text):
            if row["number"] not in rows and len(rows) == limit:
                break
            rows.setdefault(row["number"], []).append(_read_row(row))
    return [sorted(logged, key=lambda one: one.at) for logged in rows.values()]


def _open(place: Path) -> TextIO:
    return gzip.open(place, "rt", newline="") if place.suffix == ".gz" else place.open(newline="")  # type: ignore[return-value]


def _read_row(row: dict[str, str]) -> Logged:
    return Logged(
        number=row["number"],
        at=datetime.strptime(row["sys_updated_at"], "%d/%m/%Y %H:%M"),
        state=STATES.get(row["incident_state"], ""),
        impact=row["impact"][:1].strip("?"),
        urgency=row["urgency"][:1].strip("?"),
    )


def replay(stage: Stage, cast: Cast, place: str, limit: int, *, say: Callable[[str], None]) -> Outcome:
    """Play the log into the ServiceNow sandbox, wait until everything is quiet, compare."""
    started, outcome = time.monotonic(), Outcome()
    connections = connect(stage, cast, poll_seconds=5, handful=HANDFUL_OF_A_REPLAY)
    loosen_limits(stage)
    tickets = read_log(place, limit)
    john = ServiceNowPerson(stage.doors["servicenow"], "john")
    ids = {logged[0].number: _create(john, logged[0]) for logged in tickets}
    outcome.created = len(ids)
    say(f"created {outcome.created} tickets ({time.monotonic() - started:.0f} s)")
    _share_all(cast, connections["servicenow"], outcome.created, stage)
    say(f"all of them are shared with the other three ({time.monotonic() - started:.0f} s)")
    for update in _in_time_order(tickets):
        try:
            john.edit(ids[update.number], **update.as_fields())
            outcome.applied += 1
        except CallFailed:
            outcome.refused += 1
    say(f"sent {outcome.applied} updates ({time.monotonic() - started:.0f} s); waiting until all systems are quiet")
    _wait_until_quiet(stage, connections, say)
    _compare(stage, connections, outcome)
    outcome.seconds = time.monotonic() - started
    return outcome


def loosen_limits(stage: Stage) -> None:
    """A year of tickets in minutes: the vendors' budgets per minute are switched up, not off."""
    most = 1_000_000
    stage.doors["zendesk"].set(
        requests_per_minute=most,
        incremental_per_minute=most,
        ticket_updates_per_ten_minutes=most,
        account_updates_per_minute=most,
        audits_per_minute=most,
    )


def _create(john: ServiceNowPerson, first: Logged) -> str:
    return john.create(
        short_description=f"{first.number} as logged", impact=first.impact or "3", urgency=first.urgency or "3"
    )


def _in_time_order(tickets: Iterable[list[Logged]]) -> Iterator[Logged]:
    return iter(sorted((update for logged in tickets for update in logged), key=lambda one: one.at))


def _share_all(cast: Cast, servicenow: Connection, expected: int, stage: Stage) -> None:
    end = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < end:
        stage.check()
        _share_new(cast, servicenow)
        if TicketLink.objects.filter(connection=servicenow, ticket__isnull=False).count() >= expected:
            _share_new(cast, servicenow)
            return
        time.sleep(0.5)


def _share_new(cast: Cast, servicenow: Connection) -> None:
    """The integrator lets the others take part in whatever came in."""
    integrator = actor_for(cast, "Integrator Lead", "infinity-integration")
    mine = Ticket.objects.filter(links__connection=servicenow).exclude(parties__organization__slug=FOLLOWERS[-1])
    for ticket in mine:
        for slug in FOLLOWERS:
            share(ticket=ticket, organization=cast.organizations[slug], actor=integrator, at=timezone.now())


def _wait_until_quiet(stage: Stage, connections: dict[str, Connection], say: Callable[[str], None]) -> None:
    """Until every system was asked for changes since now, no lane owes anything and nothing is left to be read; lanes
    that wait for a person do not count."""
    begun, told = timezone.now(), time.monotonic()
    end = told + QUIET_SECONDS
    writes = Q(ticket__last_seq__gt=F("applied_seq"), delivery_hold__isnull=True)
    looks = Q(look_wanted__gt=F("look_done"), intake_hold__isnull=True)
    busy = TicketLink.objects.filter(writes | looks, connection__in=connections.values())
    asked = ConnectionPulse.objects.filter(connection__in=connections.values(), polled_at__gt=begun)
    while time.monotonic() < end:
        stage.check()
        left = busy.count()
        if not left and asked.count() == len(connections):
            return
        if time.monotonic() - told > 15:
            told = time.monotonic()
            say(f"{left} lanes still at work")
        time.sleep(0.5)


def _compare(stage: Stage, connections: dict[str, Connection], outcome: Outcome) -> None:
    states = {name: {one["id"]: one for one in stage.doors[name].tickets()} for name in connections}
    links = TicketLink.objects.filter(connection__in=connections.values()).select_related("connection", "ticket")
    for name in connections:
        _find_doubles(name, states[name], outcome)
    doubles = Ticket.objects.annotate(times=Count("links", filter=Q(links__connection=connections["servicenow"])))
    outcome.doubled += [f"{ticket} is linked {ticket.times} times" for ticket in doubles.filter(times__gt=1)]  # type: ignore[attr-defined]
    linked = {(link.connection.connector, link.external_id): link for link in links if link.ticket is not None}
    rules = {name: _rules(connection) for name, connection in connections.items()}
    for sys_id, there in states["servicenow"].items():
        link = linked.get(("servicenow", sys_id))
        if link is None:
            outcome.lost.append(f"{there['key']} did not reach the portal")
            continue
        _compare_source(there, link, rules["servicenow"], outcome)
        followed = {name for (name, _id), one in linked.items() if one.ticket_id == link.ticket_id}
        outcome.lost += [f"{there['key']} did not reach {name}" for name in connections if name not in followed]
    for (name, external_id), link in linked.items():
        if name != "servicenow":
            outcome.links += 1
            _compare_follower(states[name].get(external_id), link, rules[name], outcome)
    outcome.writes = Intent.objects.filter(state=Intent.State.APPLIED).count()


def _find_doubles(name: str, tickets: dict[str, dict[str, Any]], outcome: Outcome) -> None:
    titles = [ticket["fields"].get(_TITLE[name]) for ticket in tickets.values()]
    outcome.doubled += [
        f"{name}: {title!r} stands {titles.count(title)} times" for title in set(titles) if titles.count(title) > 1
    ]


_TITLE = {"jira": "summary", "azure_devops": "System.Title", "zendesk": "subject", "servicenow": "short_description"}


def _compare_source(there: dict[str, Any], link: TicketLink, rules: SyncRules, outcome: Outcome) -> None:
    """The journal took over exactly the changes that ServiceNow logged, field by field, in their order."""
    assert link.ticket is not None
    events = TicketEvent.objects.filter(ticket=link.ticket, origin=str(link.connection_id), kind="changed").order_by(
        "seq"
    )
    for hub, system in (("status", "state"), ("impact", "impact"), ("urgency", "urgency")):
        rule = next(one for one in rules.of_hub(hub) if one.system == system)
        happened = [str(one["to"]) for one in there["log"] if one["field"] == system and one["from"] not in (None, "")]
        taken = [str(into_system(rule, one.changes[hub][1]).value) for one in events if hub in one.changes]
        outcome.changes += len(happened)
        _compare_runs(f"{there['key']} {system}, in the journal", happened, taken, outcome)
        value = into_system(rule, read_fields(link.ticket)[hub]).value
        if str(value) != str(there["fields"][system]):
            outcome.different.append(f"{there['key']}: {system} is {there['fields'][system]} there, {value} here")


def _compare_follower(there: dict[str, Any] | None, link: TicketLink, rules: SyncRules, outcome: Outcome) -> None:
    ticket = link.ticket
    assert ticket is not None
    name = link.connection.connector
    if link.delivery_hold or link.intake_hold or link.applied_seq < ticket.last_seq:
        hold = link.delivery_hold or link.intake_hold or {"text": link.last_failure}
        outcome.waiting.append(f"{name} {link}: {hold['text'][:200]}")
        return
    if there is None:
        outcome.lost.append(f"{name}: no ticket for {ticket}")
        return
    hub = read_fields(ticket)
    changed = list(TicketEvent.objects.filter(ticket=ticket, kind="changed", seq__gt=link.start_seq).order_by("seq"))
    for rule in rules.fields:
        if rule.hub not in COMPARED or not rule.goes_in:
            continue
        wanted, seen = into_system(rule, hub[rule.hub]).value, there["fields"].get(rule.system)
        if str(seen) not in (str(wanted), str(rule.otherwise.get(hub[rule.hub], wanted))):
            outcome.different.append(f"{name} {link}: {rule.system} is {seen}, should be {wanted}")
        took = _values_taken(there["log"], rule.system, str(seen))
        due = _values_due(rule, [one.changes[rule.hub] for one in changed if rule.hub in one.changes], took)
        if rule.hub == "status" and due:
            # A ticket is made in the system's first status; a workflow may then go over others in between.
            took = took[took.index(due[0]) :] if due[0] in took else took
            took = due if _is_subsequence(due, took) else took
        if due:
            _compare_runs(f"{name} {link} {rule.system}", due, took, outcome)


def _values_due(rule: FieldRule, changes: Iterable[tuple[Any, Any]], took: list[str]) -> list[str]:
    """What the system should have held one after the other, from the ticket's arrival there on. Where the rules name
    a second best for a value, either will do."""
    held = [
        value for place, (before, after) in enumerate(changes) for value in ((before, after) if not place else (after,))
    ]
    first = [str(into_system(rule, value).value) for value in held]
    second = [str(rule.otherwise.get(value, word)) for value, word in zip(held, first, strict=True)]
    ways = [
        _without_repeats(list(words))
        for words in product(*({one, two} for one, two in zip(first, second, strict=True)))
    ]
    return next((way for way in ways if _is_subsequence(way, took)), _without_repeats(first))


def _values_taken(log: Iterable[dict[str, Any]], system: str, now: str) -> list[str]:
    steps = [(str(one["from"]), str(one["to"])) for one in log if one["field"] == system and one["from"] is not None]
    return _without_repeats([steps[0][0], *(to for _from, to in steps)]) if steps else [now]


def _compare_runs(label: str, wanted: list[str], seen: list[str], outcome: Outcome) -> None:
    """``seen`` must be ``wanted``, value by value."""
    if seen == wanted:
        return
    text = f"{label}: took {seen}, wanted {wanted}"
    if _is_subsequence(wanted, seen):
        outcome.doubled.append(text)
    elif _is_subsequence(seen, wanted):
        outcome.lost.append(text)
    else:
        outcome.disordered.append(text)


def _rules(connection: Connection) -> SyncRules:
    rules = published_rules(connection)
    assert rules is not None
    return rules


def _without_repeats(values: list[str]) -> list[str]:
    return [value for place, value in enumerate(values) if place == 0 or values[place - 1] != value]


def _is_subsequence(part: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return all(value in rest for value in part)
