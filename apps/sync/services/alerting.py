"""What people are told of by themselves: rules of their own, one alert a thing, told once and again when it is over.

An alert is judged by the kernel like any page: a rule finds what its owner may see at that moment, and nothing else.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils.http import urlencode

from apps.access.kernel import visible_to
from apps.access.principal import Principal
from apps.accounts.models import User
from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import principal_of
from apps.foundation.outbound import AddressRefused, OutboundGuard
from apps.tickets.vocabulary import Priority

from ..models import Alert, AlertKind, AlertRule, Connection
from ..selectors import HELD, Group, Waiting, asked_of, brakes_in_force, connections, groups_of, tell, waiting_lanes

MOST_RULES = 20
MOST_GROUPS = 50
KEPT = timedelta(days=90)


class AlertRuleRefused(Exception):
    """The rule cannot be used so. ``problems``: field → what is wrong and what would be right."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {text}" for field, text in problems.items()))
        self.problems = problems


# --- Rules ------------------------------------------------------------------------------------------------------------


@transaction.atomic
def save_alert_rule(
    *,
    user: User,
    principal: Principal,
    values: Mapping[str, Any],
    chosen: Collection[UUID] | None,
    at: datetime,
    rule: AlertRule | None = None,
) -> AlertRule:
    """Make or change a rule of one's own; ``chosen`` None leaves the connections as they are.

    Raises AlertRuleRefused naming each field that is wrong.
    """
    saved = rule or AlertRule(user=user, created_at=at)
    for name, value in values.items():
        setattr(saved, name, value)
    problems = _problems_of(saved)
    if rule is None and AlertRule.objects.filter(user=user).count() >= MOST_RULES:
        problems["name"] = f"there are {MOST_RULES} rules already; change one of them"
    if AlertRule.objects.filter(user=user, name=saved.name).exclude(pk=saved.pk).exists():
        problems["name"] = f"you have a rule {saved.name!r} already"
    known = connections(seen_by=principal).filter(pk__in=chosen or ())
    if chosen and known.count() < len(set(chosen)):
        problems["connections"] = "choose connections that you may see"
    if problems:
        raise AlertRuleRefused(problems)
    if saved.channel == AlertRule.Channel.WEBHOOK and not saved.secrets.get("signing"):
        saved.secrets = {"signing": secrets.token_urlsafe(32)}
    try:
        with transaction.atomic():
            saved.save()
    except IntegrityError as problem:
        raise AlertRuleRefused({"name": f"you have a rule {saved.name!r} already"}) from problem
    if chosen is not None:
        saved.connections.set(known)
    return saved


def _problems_of(rule: AlertRule) -> dict[str, str]:
    problems: dict[str, str] = {}
    unknown = [kind for kind in rule.kinds if kind not in AlertKind.values]
    if not rule.kinds or unknown:
        problems["kinds"] = f"choose at least one of {', '.join(AlertKind.values)}"
    if rule.channel == AlertRule.Channel.WEBHOOK:
        try:
            OutboundGuard(settings.SIAM_OUTBOUND_ALLOW).check_url(rule.address)
        except AddressRefused as problem:
            problems["address"] = str(problem)
    if (rule.quiet_from is None) != (rule.quiet_until is None):
        problems["quiet_until"] = "give both ends of the quiet hours, or neither"
    if rule.quiet_from is not None and rule.quiet_from == rule.quiet_until:
        problems["quiet_until"] = "quiet hours end at another time than they begin"
    if rule.digest == AlertRule.Digest.DAILY and rule.daily_at is None:
        problems["daily_at"] = "say at what time of the day"
    return problems


def delete_alert_rule(*, rule: AlertRule) -> None:
    """Take a rule away, and the alerts that it raised."""
    rule.delete()


def alert_rules_of(principal: Principal) -> Any:
    """One's own rules, by name."""
    return visible_to(AlertRule.objects.all(), principal).prefetch_related("connections").order_by("name")


def alerts_of(principal: Principal) -> Any:
    """What one's rules raised, what lasts first, then the newest."""
    rows = visible_to(Alert.objects.all(), principal).select_related("rule", "connection__organization")
    return rows.order_by(F("over_at").desc(nulls_first=True), "-raised_at", "id")


# --- Looking ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that a rule tells of. ``key`` stays the same while it lasts."""

    kind: AlertKind
    key: str
    connection: Connection
    subject: str
    text: str
    party: str
    remedy: str
    path: str


def look_for_alerts(*, now: datetime) -> int:
    """Raise an alert for each new thing of each rule, and end those whose thing is over; how many were raised."""
    raised = 0
    Alert.objects.filter(rule__is_active=False, over_at=None).update(over_at=now, due_at=None)
    for rule in AlertRule.objects.filter(is_active=True).select_related("user").order_by("pk"):
        principal = principal_of(rule.user)
        found = {thing.key: thing for thing in things_of(rule, principal, now=now)}
        lasting = {alert.key: alert for alert in rule.alerts.filter(over_at=None)}
        for key in found.keys() - lasting.keys():
            raised += _raise(rule, found[key], now)
        seen = set(connections(seen_by=principal).values_list("pk", flat=True))
        for key in lasting.keys() - found.keys():
            _end(lasting[key], rule, now, may_tell=lasting[key].connection_id in seen)
    return raised


def things_of(rule: AlertRule, principal: Principal, *, now: datetime) -> Iterator[Thing]:
    """Everything that the rule would tell of at this moment."""
    if not principal.is_known:
        return
    known = connections(seen_by=principal)
    chosen = list(rule.connections.values_list("pk", flat=True))
    if chosen:
        known = known.filter(pk__in=chosen)
    watched = list(known.exclude(state=Connection.State.DRAFT))
    long_ago = now - timedelta(minutes=rule.after_minutes)
    if AlertKind.BRAKE in rule.kinds:
        yield from _of_brakes(watched, principal)
    yield from _of_lanes(rule, principal, watched, long_ago, now)
    for connection in watched:
        yield from _of_connection(rule, connection, long_ago, now)


def _of_lanes(
    rule: AlertRule, principal: Principal, watched: list[Connection], long_ago: datetime, now: datetime
) -> Iterator[Thing]:
    rows = waiting_lanes(seen_by=principal, now=now).filter(connection__in=watched)
    if rule.priority:
        rows = rows.filter(Q(rank__lte=Priority.values.index(rule.priority)))
    if AlertKind.MINE in rule.kinds:
        names = list(Organization.objects.filter(pk__in=principal.organizations).values_list("name", flat=True))
        mine = rows.filter(HELD).filter(asked_of(names) | Q(charge__person=rule.user))
        yield from _of_groups(AlertKind.MINE, mine, principal, now)
    if AlertKind.LONG_WAIT in rule.kinds:
        yield from _of_groups(AlertKind.LONG_WAIT, rows.filter(Q(since__lt=long_ago)), principal, now)


def _of_groups(kind: AlertKind, rows: Any, principal: Principal, now: datetime) -> Iterator[Thing]:
    """One thing a cause: a hundred lanes that wait for one missing word are one message and not a hundred."""
    for group in groups_of(rows, most=MOST_GROUPS):
        named = {"cause": group.code, "cause_field": group.field, "cause_value": group.value}
        first = rows.filter(connection=group.connection, direction=group.direction, **named).order_by("since", "pk")
        stories = tell(first.select_related("connection__pulse", "ticket")[:1], seen_by=principal, now=now)
        if not stories:
            continue
        told = stories[0]
        lanes = "1 lane waits" if group.number == 1 else f"{group.number} lanes wait"
        value = f" ({group.field}{f': {group.value}' if group.value else ''})" if group.field else ""
        yield Thing(
            kind=kind,
            key=_key(kind, *group.key),
            connection=group.connection,
            subject=f"{group.connection.name}: {lanes}. {group.cause.title}{value}"[:300],
            text=_say(group, told),
            party=told.why.party or "",
            remedy=told.why.remedy or "",
            path=_path_of(group),
        )


def _say(group: Group, told: Waiting) -> str:
    priority = f" Highest priority: {group.priority}." if group.priority else ""
    return f"{told.why.text.rstrip('.')[:1000]}. Longest wait since {group.oldest:%Y-%m-%d %H:%M} UTC.{priority}"


def _path_of(group: Group) -> str:
    connection, cause, field, value, direction = group.key
    named = {"connection": connection, "cause": cause, "field": field, "value": value, "direction": direction}
    return f"{reverse('lane-list')}?{urlencode({**named, 'by': 'lane'})}"[:1000]


def _of_brakes(watched: list[Connection], principal: Principal) -> Iterator[Thing]:
    """One thing a brake, until its parties have decided and nothing waits behind it."""
    found: Any = brakes_in_force(seen_by=principal).filter(connection__in=watched)
    for brake in found:
        yield Thing(
            kind=AlertKind.BRAKE,
            key=_key(AlertKind.BRAKE, brake.pk),
            connection=brake.connection,
            subject=f"{brake.connection.name}: stopped, because it {brake.get_kind_display()} by the dozen"[:300],
            text=f"{brake.reason}. {brake.stopped} tickets wait behind the brake.",
            party=" and ".join(party.name for party in brake.asked),
            remedy="look at the list and answer: let them through, or keep them stopped and put back what went through",
            path=reverse("brake", args=[brake.pk]),
        )


def _of_connection(rule: AlertRule, connection: Connection, long_ago: datetime, now: datetime) -> Iterator[Thing]:
    pulse, owner = getattr(connection, "pulse", None), connection.organization.name
    is_held = connection.state == Connection.State.ON_HOLD
    is_resting = pulse is not None and pulse.resting_until is not None and pulse.resting_until > now
    if is_held and AlertKind.ON_HOLD in rule.kinds:
        remedy = "correct the cause, check the connection, then resume it"
        yield _thing(AlertKind.ON_HOLD, connection, "is on hold", connection.state_reason, owner, remedy)
    if pulse is None or connection.state != Connection.State.ACTIVE:
        return
    if is_resting and AlertKind.UNREACHABLE in rule.kinds:
        remedy = (
            "nothing, while the system is down: the portal tries again by itself; else see that the address is right"
        )
        text = f"{pulse.failures} failures in a row. {pulse.last_failure}"
        yield _thing(AlertKind.UNREACHABLE, connection, "does not answer", text, owner, remedy)
    heard_at = pulse.last_success_at or connection.state_since
    if heard_at < long_ago and AlertKind.SILENCE in rule.kinds:
        remedy = "check the connection; see that workers and scheduler of the portal are running"
        text = f"The last call that succeeded was at {heard_at:%Y-%m-%d %H:%M} UTC."
        yield _thing(AlertKind.SILENCE, connection, "has not been heard of", text, owner, remedy)


def _thing(kind: AlertKind, connection: Connection, what: str, text: str, party: str, remedy: str) -> Thing:
    path = reverse("connection", args=[connection.pk])
    subject = f"{connection.name} {what}"
    return Thing(kind, _key(kind, connection.pk), connection, subject, text[:2000], party, remedy, path)


def _key(*parts: Any) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def _raise(rule: AlertRule, thing: Thing, now: datetime) -> bool:
    try:
        with transaction.atomic():
            Alert.objects.create(
                rule=rule,
                kind=thing.kind,
                key=thing.key,
                connection=thing.connection,
                subject=thing.subject,
                text=thing.text,
                party=thing.party,
                remedy=thing.remedy,
                path=thing.path,
                raised_at=now,
                due_at=due_for(rule, now),
            )
    except IntegrityError:
        # Another worker looked at the same moment; one alert is what was wanted.
        return False
    return True


def _end(alert: Alert, rule: AlertRule, now: datetime, *, may_tell: bool) -> None:
    """What was told is told to be over; what was never told, or may no longer be known, ends without a word."""
    alert.over_at = now
    alert.due_at = due_for(rule, now) if alert.told_at is not None and may_tell else None
    alert.attempts = 0
    alert.save(update_fields=["over_at", "due_at", "attempts"])


def prune_alerts(*, now: datetime) -> int:
    """Remove alerts that have been over for ninety days; how many."""
    return Alert.objects.filter(over_at__lt=now - KEPT).delete()[0]


# --- When -------------------------------------------------------------------------------------------------------------


def due_for(rule: AlertRule, now: datetime) -> datetime:
    """When a message raised now may leave: at the end of its digest's span, and after the quiet hours of its person."""
    zone = zone_of(rule.user)
    due = now
    if rule.digest == AlertRule.Digest.HOURLY:
        due = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    elif rule.digest == AlertRule.Digest.DAILY and rule.daily_at is not None:
        due = _next(rule.daily_at, now, zone)
    return _after_quiet(rule, due, zone)


def zone_of(user: User) -> ZoneInfo:
    """The time zone of a person's account; UTC where none is set."""
    try:
        return ZoneInfo(user.time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _next(at: time, now: datetime, zone: ZoneInfo) -> datetime:
    """The next time that a clock on the wall shows ``at``."""
    local = now.astimezone(zone)
    today = local.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0, fold=0)
    wanted = today if today > local else today + timedelta(days=1)
    return wanted.astimezone(UTC)


def _after_quiet(rule: AlertRule, due: datetime, zone: ZoneInfo) -> datetime:
    begins, ends = rule.quiet_from, rule.quiet_until
    if begins is None or ends is None:
        return due
    clock = due.astimezone(zone).time()
    is_quiet = begins <= clock < ends if begins < ends else clock >= begins or clock < ends
    return _next(ends, due, zone) if is_quiet else due
