"""What the engine needs of a store. Two keep this contract: the database's and the simulation's (design 3.2, INV-44).

The engine decides on rows and says what to write; a store only reads and writes. Nothing in here knows how rows are
kept, what time it is, or what chance brings: ``now`` and dice are handed in.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from .deliver import HubEvent
from .grave import GraveAct, Standing, Tally
from .merge import MergeBase
from .plan import Conflict
from .rules import SyncRules, View
from .snapshot import Attachment, ExternalRef, Fields, NoticeHint, Upload, Value


class LinkState(StrEnum):
    """How far the pairing of one ticket with one system's ticket is."""

    SIGHTED = "sighted"
    CREATING = "creating"
    LINKED = "linked"
    OUT_OF_SCOPE = "out_of_scope"
    DETACHED = "detached"
    FORMER = "former"
    """Left behind for a follow-up: known, so that it is never taken for a new ticket."""


DELIVERS = (LinkState.CREATING, LinkState.LINKED)


class Finding(StrEnum):
    """What a system knew better than a database that was put back, and what was done about it (INV-40)."""

    TAKEN_BACK = "taken_back"
    TIED = "tied"
    FOUND = "found"
    CONFLICT = "conflict"
    PERSON = "person"


class IntentState(StrEnum):
    """What became of a committed "I am about to do this"."""

    OPEN = "open"
    APPLIED = "applied"
    ABSENT = "absent"
    REFUSED = "refused"
    WITHHELD = "withheld"


class HubRefused(Exception):
    """The hub does not take a value, comment or file as it is; the text names field, value and remedy."""


class StoreFailed(Exception):
    """The store cannot be read or written at present (full, locked, gone): no fault of what was asked of it (F53)."""


class FileMissing(Exception):
    """An attachment's bytes are not where the portal keeps them; the text is its file name."""


@dataclass(frozen=True, slots=True)
class Manners:
    """What the engine must know of a system beyond its answers (see ``Capabilities`` of its connector)."""

    index_lag_seconds: float
    has_atomic_precondition: bool


@dataclass(frozen=True, slots=True)
class Parties:
    """Names for the words in which a lane says who must act."""

    owner: str
    integrator: str
    """The owner where the ecosystem has no integrator."""
    system: str
    """The kind of system: Jira, Zendesk."""


class ConnectionRow(Protocol):
    """One configured system of one organization."""

    @property
    def pk(self) -> Any: ...

    @property
    def name(self) -> str: ...


class LinkRow(Protocol):
    """One ticket's pairing with one ticket of one system; what it owes is the journal beyond ``applied_seq``."""

    @property
    def pk(self) -> Any: ...

    @property
    def connection(self) -> Any: ...

    @property
    def ticket_id(self) -> Any: ...

    @property
    def ticket(self) -> Any:
        """The hub's ticket, as the store holds it; None as long as there is none."""

    state: Any
    external_id: str
    key: str
    url: str
    former: Any
    version: str
    is_closed: bool
    start_seq: int
    applied_seq: int
    base: Any
    """A MergeBase."""
    look_wanted: int
    look_done: int
    hint_count: int
    """The count of hints at which the last of them named ``hint_version``."""
    hint_version: str
    change_cursor: str
    created_at: datetime
    looked_at: datetime | None
    compare_wanted: bool
    repair: Any
    """Keys of rules whose field the system must get again."""
    delivery_hold: Any
    intake_hold: Any
    attempts: int
    due_at: datetime
    last_failure: str
    claimed_by: str
    is_behind: bool
    """The system's ticket was not read since the database was put back to an earlier moment (INV-40)."""
    looked_for: str
    """The correlation of the last write that was looked for and is not there."""


class IntentRow(Protocol):
    """A committed "I am about to do this" (INV-12)."""

    @property
    def pk(self) -> Any: ...

    seq: int
    slot: str
    correlation: str
    fields: Any
    agreed: Any
    """The MergeBase that holds once it is done."""
    state: Any
    is_unknown: bool
    doubted_at: datetime | None
    """When it was known that its call is over and its outcome is not known."""
    is_seen: bool
    change_ids: Any
    note: str
    created_at: datetime
    settled_at: datetime | None


class Claims(Protocol):
    """Who acts on which lane: at most one worker, and one that died is replaced soon (INV-7)."""

    def claim(
        self, connection: ConnectionRow, *, now: datetime, most: int, without: Collection[str] = ()
    ) -> list[LinkRow]:
        """Claim links that are due, in the order in which they became so; none of ``without``, which the caller's own
        process is still at, though it was too slow to keep its claims."""

    def claim_probe(self, connection: ConnectionRow, *, now: datetime, without: Collection[str] = ()) -> list[LinkRow]:
        """Claim one link that is due, unless some are claimed already: of two workers one tries whether a system that
        rested answers again (INV-34)."""

    def renew(self, token: str) -> bool:
        """Keep the claims made with ``token`` for another ``CLAIM_SECONDS``; False when the store cannot say so now."""

    def release(self, *links: LinkRow) -> None:
        """Give claims back that were made together, where they are still ours."""

    def save_and_release(self, link: LinkRow) -> None:
        """Keep all columns of a link that is held, and give its claim back; nothing if it was deleted meanwhile."""

    def still_held(self, link: LinkRow) -> LinkRow | None:
        """The link as it is now, locked; None when its claim was taken over meanwhile."""


class Lanes(Protocol):
    """Links, their intents and pairings."""

    def atomic(self) -> AbstractContextManager[Any]:
        """All or nothing: what is written inside is kept when the block ends, and not before."""

    def save(self, link: LinkRow, *names: str) -> None:
        """Keep the named columns of a link, or all of them."""

    def delete(self, link: LinkRow) -> None: ...

    def of_external(self, connection: ConnectionRow, ids: Collection[str]) -> Mapping[str, LinkRow]:
        """External id → link, for those that are known."""

    def add_link(self, connection: ConnectionRow, ticket: Any, *, now: datetime) -> LinkRow | None:
        """Make the link by which a ticket of the hub gets into the system; None if it has one already. Its lane starts
        at the journal's present end."""

    def is_creating(self, connection: ConnectionRow, since: datetime) -> bool:
        """Whether the outcome of a creation in the system that was begun by then is not settled."""

    def sight(self, connection: ConnectionRow, refs: Sequence[ExternalRef], now: datetime, *, due_at: datetime) -> None:
        """Make links for tickets of the system that are not known yet. Two who sight one at once make one (F61)."""

    def want_looks(self, wanted: Sequence[tuple[LinkRow, str]]) -> None:
        """Count one more hint of each that the system's ticket changed, and keep the version that it names, or ""."""

    def open_intent(self, link: LinkRow) -> IntentRow | None: ...

    def intent(self, link: LinkRow, pk: Any) -> IntentRow:
        """One of the link's intents."""

    def add_intent(
        self,
        link: LinkRow,
        *,
        seq: int,
        slot: str,
        correlation: str,
        now: datetime,
        fields: Fields | None = None,
        agreed: MergeBase | None = None,
        rules_number: int = 0,
        state: IntentState = IntentState.OPEN,
        note: str = "",
    ) -> IntentRow: ...

    def save_intent(self, intent: IntentRow) -> None: ...

    def applied_marks(self, link: LinkRow, seq: int) -> Collection[str]:
        """Correlations of the steps of one journal entry that are done."""

    def unseen_writes(self, link: LinkRow, marks: Collection[str]) -> Sequence[IntentRow]:
        """Writes that may still come back in the system's log, oldest first: applied and not seen, begun and then given
        up with ``change_ids`` not seen, or named in ``marks``."""

    def marks_among(self, link: LinkRow, marks: Collection[str]) -> Collection[str]:
        """Those of ``marks`` that a write of ours to this link carries."""

    def mark_seen(self, link: LinkRow, marks: Collection[str], before: datetime) -> None:
        """Note that these writes have come back, and give up waiting for those settled before ``before``."""

    def link_beside(self, link: LinkRow, ticket: Any) -> LinkRow | None:
        """Another link of this connection to a ticket of the hub."""

    def add_finding(self, link: LinkRow, kind: Finding, text: str, *, now: datetime) -> None:
        """Put something on the list of what the restored database did not know."""

    def paired_comments(self, link: LinkRow) -> Collection[str]:
        """Ids, in the system, of comments that the hub has."""

    def paired_files(self, link: LinkRow) -> Collection[str]:
        """The same of files."""

    def pair_comment(self, link: LinkRow, comment_id: Any, external_id: str) -> None: ...

    def pair_file(self, link: LinkRow, attachment_id: Any, external_id: str) -> None: ...

    def add_conflict(self, link: LinkRow, found: Conflict, *, now: datetime, is_open: bool) -> None: ...

    def close_questions(self, link: LinkRow, keys: Collection[str], now: datetime) -> bool:
        """Close open conflicts about these rules; whether some were, and none is left."""

    def manners(self, link: LinkRow) -> Manners: ...

    def parties(self, link: LinkRow) -> Parties: ...


class Hub(Protocol):
    """The hub's ticket behind a link, and its journal. Writes stand in it as the connection's owner's."""

    def lock_ticket(self, link: LinkRow) -> None:
        """Keep the journal's end where it is until the transaction ends, and read the ticket anew."""

    def last_seq(self, link: LinkRow) -> int: ...

    def hub_fields(self, link: LinkRow) -> Fields:
        """The ticket's fields as they are now."""

    def view(self, ticket: Any) -> View:
        """What an expression of the rules may look at."""

    def events_after(self, link: LinkRow, seq: int, most: int | None = None) -> list[HubEvent]:
        """Journal entries after ``seq``, oldest first, as the link's owner may see them."""

    @property
    def portal_part(self) -> str:
        """What every mark of this portal begins with."""

    def mark_for(self, link: LinkRow, ref: str) -> str:
        """The mark of the entry that ``ref`` of the link's system makes in the journal, whenever it is taken in."""

    def entries_marked(self, link: LinkRow, marks: Collection[str]) -> Mapping[str, HubEvent]:
        """Those entries of the ticket's journal that carry one of ``marks``, by it."""

    def ticket_marked(self, link: LinkRow, marks: Collection[str]) -> Any | None:
        """The ticket in whose journal an entry carries one of ``marks``."""

    def tie(self, link: LinkRow, ticket: Any, *, now: datetime) -> None:
        """Make the hub's ticket the link's, locked, and its owner a party again. Raises HubRefused."""

    def is_restored(self, link: LinkRow) -> bool:
        """Whether systems may know more of the link's ticket: it was here when the database was put back, or was read
        again since."""

    def as_kept(self, field: str, value: Value) -> Any:
        """A value as the hub would keep it. Raises HubRefused."""

    def open_ticket(self, link: LinkRow, values: Mapping[str, Any], *, at: datetime, ref: str, mark: str = "") -> None:
        """Open a ticket for something first seen in the system, and tie the link to it. Raises HubRefused.

        ``mark`` here and below: of an entry that the portal made, lost, and learns of from its copy in a system.
        """

    def receive(
        self, link: LinkRow, values: Mapping[str, Any], *, at: datetime, ref: str, author: str, mark: str = ""
    ) -> None:
        """Take field changes into the journal, unless ``ref`` stands there already (INV-4). Raises HubRefused."""

    def comment(
        self, link: LinkRow, body: str, *, audience: str, at: datetime, ref: str, author: str, mark: str = ""
    ) -> Any | None:
        """Take a comment in; its id, or None when it stands there already. Raises HubRefused."""

    def attach(
        self,
        link: LinkRow,
        file: Attachment,
        place: Path,
        *,
        audience: str,
        at: datetime,
        ref: str,
        author: str,
        mark: str = "",
    ) -> Any | None:
        """Take a file in; its id, or None when it stands there already. Raises HubRefused."""

    def note(self, link: LinkRow, text: str, *, now: datetime) -> None:
        """Say something about the link in the ticket's journal, for all its parties."""

    def upload(self, attachment_id: str) -> Upload:
        """An attachment to be sent. Raises FileMissing."""

    @property
    def largest_attachment(self) -> int:
        """Bytes that the hub takes of one file."""


class Pulses(Protocol):
    """How connections are: breaker, limits, holds, and how far they were asked for changes."""

    def note_success(self, connection: ConnectionRow, *, now: datetime) -> None:
        """A call went through: the breaker closes."""

    def note_failure(
        self, connection: ConnectionRow, detail: str, *, now: datetime, jitter: float, again: bool = False
    ) -> None:
        """A failure of the system as a whole. After several in a row the breaker opens, longer each time (INV-34).

        While it is open nothing counts: all calls that were under way fail together, and that is one outage.
        ``again``: it met a lane that had failed before, which says nothing of a system that answers the others since.
        """

    def wait_until(self, connection: ConnectionRow, until: datetime, detail: str, *, now: datetime) -> None:
        """The system asked us to wait: no worker calls it before then (INV-33)."""

    def put_on_hold(self, connection: ConnectionRow, detail: str, *, now: datetime) -> None:
        """Credentials do not work: stop before the account is locked, keep everything, tell the owner (INV-35)."""

    def cursor(self, connection: ConnectionRow) -> str | None:
        """Up to where the system was asked for changes."""

    def keep_cursor(self, connection: ConnectionRow, cursor: str, *, now: datetime) -> None:
        """In the transaction in which the changes before it are marked, never sooner (INV-3)."""

    def is_catching_up(self, connection: ConnectionRow) -> bool:
        """Whether tickets of the system may still be unread that are older than the restored database knows."""

    def end_catching_up(self, connection: ConnectionRow, *, now: datetime) -> None:
        """The system was asked for all that changed: what is first seen from now on is new, if ``now`` is late enough
        for the last changes before the database was put back to be told."""

    def keep_notices(self, connection: ConnectionRow, hints: Sequence[NoticeHint], *, now: datetime) -> list[bool]:
        """Store verified webhooks; of each whether it is new (INV-4)."""

    def ring(self, connection: ConnectionRow) -> None:
        """Wake whoever works this connection; a wake-up that is lost costs a sweep."""


class Brakes(Protocol):
    """What is counted of grave acts, and what the parties answered (INV-26)."""

    def tally(self, link: LinkRow, act: GraveAct, *, now: datetime) -> Tally | None:
        """How many tickets met the like of ``act`` lately, kept as it is until the transaction ends. None where a
        connection has no brake."""

    def note_grave(self, link: LinkRow, act: GraveAct, standing: Standing, *, now: datetime) -> None:
        """Count an act that is carried out, or write down that a refused one was put back."""

    def trip(self, link: LinkRow, act: GraveAct, reason: str, *, now: datetime) -> None:
        """Put the brake on for all acts of this kind, into this side, of the link's connection."""

    def stop(self, link: LinkRow, act: GraveAct, *, now: datetime) -> str:
        """Put a stopped act on the brake's list; the party that must answer."""


class Store(Claims, Lanes, Hub, Pulses, Brakes, Protocol):
    """All that the engine reads and writes."""

    def rules(self, connection: ConnectionRow) -> SyncRules | None:
        """The rules in force."""
