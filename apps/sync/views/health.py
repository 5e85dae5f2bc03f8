"""How a connection or a link is, in a word, a color and a shape that the templates show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.access.principal import Principal

from ..connectors.catalog import CONNECTORS
from ..models import Connection, ConnectionPulse, TicketLink
from ..permissions import CONNECTION
from ..selectors import calls_in_last_hour, cause_of, held_by_connection, oldest_waiting

BEHIND_AFTER = timedelta(minutes=2)
STEPS = 12


@dataclass(frozen=True, slots=True)
class Word:
    """``tone``: good, calm, warn, bad or nothing; ``icon``: the shape that says the same without color."""

    text: str
    tone: str
    icon: str


@dataclass(frozen=True, slots=True)
class Health:
    """One connection at a glance."""

    connection: Connection
    title: str
    word: Word
    held: int
    oldest: datetime | None
    calls: Sequence[int] | None
    """Calls per five minutes of the last hour; None for whoever may not see the owner's exchanges."""

    @property
    def pulse(self) -> ConnectionPulse | None:
        return pulse_of(self.connection)


def pulse_of(connection: Connection) -> ConnectionPulse | None:
    return getattr(connection, "pulse", None)


def title_of(connector: str) -> str:
    kind = CONNECTORS.get(connector)
    return kind.title if kind is not None else connector


def healths(connections: Iterable[Connection], *, seen_by: Principal, now: datetime) -> list[Health]:
    """The health of many connections with a fixed number of queries."""
    held, oldest = held_by_connection(seen_by=seen_by), oldest_waiting(seen_by=seen_by)
    calls, own = calls_in_last_hour(seen_by=seen_by, now=now), seen_by.where(CONNECTION)
    return [
        Health(
            connection=connection,
            title=title_of(connection.connector),
            word=word_for(connection, held.get(connection.pk, 0), now, oldest.get(connection.pk)),
            held=held.get(connection.pk, 0),
            oldest=oldest.get(connection.pk),
            calls=calls.get(connection.pk, [0] * STEPS) if connection.organization_id in own else None,
        )
        for connection in connections
    ]


def word_for(connection: Connection, held: int, now: datetime, oldest: datetime | None = None) -> Word:
    """The one word for a connection, the gravest first."""
    pulse = pulse_of(connection)
    if connection.state == Connection.State.ON_HOLD:
        return Word("on hold", "bad", "octagon-alert")
    if connection.state == Connection.State.PAUSED:
        return Word("paused", "warn", "circle-pause")
    if connection.state == Connection.State.DRAFT:
        return Word("not yet in use", "", "circle-dashed")
    if pulse is not None and pulse.resting_until is not None and pulse.resting_until > now:
        return Word("not reachable", "bad", "unplug")
    if pulse is not None and pulse.limited_until is not None and pulse.limited_until > now:
        return Word("asked to wait", "warn", "hourglass")
    if pulse is not None and pulse.spent_until is not None and pulse.spent_until > now:
        return Word("calls used up", "calm", "gauge")
    if held:
        return Word("waits for a person", "warn", "hand")
    if oldest is not None and now - oldest > BEHIND_AFTER:
        return Word("catching up", "calm", "loader")
    return Word("healthy", "good", "circle-check")


def word_for_link(link: TicketLink, now: datetime) -> Word:
    """The one word for a ticket's place in one system."""
    if link.state == TicketLink.State.DETACHED:
        return Word("detached", "bad", "unlink")
    if link.state == TicketLink.State.OUT_OF_SCOPE:
        return Word("not sent by its rules", "", "circle-slash")
    if link.delivery_hold is not None or link.intake_hold is not None:
        return Word("waits for a person", "warn", "hand")
    of_connection = word_for(link.connection, 0, now)
    if of_connection.tone != "good":
        return Word(f"connection {of_connection.text}", of_connection.tone, of_connection.icon)
    if link.state in (TicketLink.State.CREATING, TicketLink.State.SIGHTED):
        return Word("on its way", "calm", "loader")
    if owed_by(link):
        return Word("catching up", "calm", "loader")
    if link.is_closed:
        return Word("closed there for good", "", "archive")
    return Word("in step", "good", "circle-check")


def owed_by(link: TicketLink) -> int:
    """How many journal entries have not reached the system yet."""
    if link.ticket is None or link.state not in (TicketLink.State.CREATING, TicketLink.State.LINKED):
        return 0
    return max(0, link.ticket.last_seq - max(link.applied_seq, link.start_seq if link.external_id else 0))


@dataclass(frozen=True, slots=True)
class Hold:
    """Why one direction of a lane waits, for people."""

    direction: str
    cause: str
    text: str
    party: str
    remedy: str
    since: datetime | None
    can_skip: bool


def holds_of(link: TicketLink) -> list[Hold]:
    found = []
    for direction, raw in (("to the system", link.delivery_hold), ("from the system", link.intake_hold)):
        if raw is None:
            continue
        found.append(
            Hold(
                direction=direction,
                cause=cause_of(raw.get("cause", "")).title,
                text=raw.get("text", ""),
                party=raw.get("party", ""),
                remedy=raw.get("remedy", ""),
                since=_moment(raw.get("since")),
                can_skip=direction == "to the system"
                and raw.get("cause") != "conflict"
                and link.state != TicketLink.State.CREATING,
            )
        )
    return found


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def safe_address(link: TicketLink) -> str:
    """The system's own address of the ticket, if it is one that a browser may be sent to."""
    return link.url if link.url.lower().startswith(("https://", "http://")) else ""


def status_there(link: TicketLink) -> str:
    """The ticket's status in the system's own word, as last agreed."""
    for key, agreed in link.merge_base.items():
        if key.startswith("status=") and isinstance(agreed, list) and len(agreed) > 1:
            return str(agreed[1])
    return ""
