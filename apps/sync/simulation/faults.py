"""The catalog of faults: number and name, what each does, and which requests of which systems it can hit."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .profiles import PROFILES

SYSTEMS = tuple(PROFILES)
READS = ("fetch", "changes", "find", "changed_since")
WRITES = ("create", "update", "comment", "attachment")
OF_A_TICKET = ("fetch", "changes", "update", "comment", "attachment")
CALLS = (*READS, "download", *WRITES)
STAGES = ("decide", "call", "settle", "hear", "poll")
WORLD = ("portal",)


@dataclass(frozen=True, slots=True)
class Fault:
    """``operations`` it can hit, each in every one of ``systems``: a cell that stays empty was never tried."""

    number: int
    name: str
    text: str
    operations: tuple[str, ...]
    systems: tuple[str, ...] = SYSTEMS


THAT_LIMIT_TEXTS = ("jira", "zendesk", "azure_devops")

ON_THE_WIRE = (
    Fault(1, "create unanswered", "a ticket is created and the answer is lost", ("create",)),
    Fault(3, "addition unanswered", "a comment or file is added and the answer is lost", ("comment", "attachment")),
    Fault(4, "update unanswered", "fields are written and the answer is lost", ("update",)),
    Fault(5, "request lost", "the request never arrives, and it looks as if its answer were lost", WRITES),
    Fault(6, "answer garbled", "the answer is cut or a proxy's page; a write took effect", CALLS),
    Fault(7, "foreign answer", "the answer shows another ticket than the one asked for", ("fetch",)),
    Fault(8, "rate limited", "429 for the whole connection, with a time to wait", CALLS),
    Fault(9, "ticket limited", "429 for one ticket", ("update", "comment", "attachment")),
    Fault(10, "quota used up", "429 until the next hour begins", CALLS),
    Fault(11, "burst of 503", "the system fails for a while, then is fine", CALLS),
    Fault(
        34, "cursor repeats", "a page comes with the cursor it was asked with, and is not the last", ("changed_since",)
    ),
    Fault(36, "empty list", "the list of changes is empty though there are some", ("changed_since",)),
    Fault(46, "file cut", "fewer bytes come than the file has", ("download",)),
    Fault(47, "file address expired", "the file's address is not good any more", ("download",)),
    Fault(48, "not reached", "no connection is made: name, certificate or network", CALLS),
    Fault(49, "slow answer", "the answer takes up to two minutes, or longer than anybody waits", CALLS),
)

IN_SYSTEMS = (
    Fault(12, "permanent 500", "the system fails for one ticket whatever is asked", OF_A_TICKET),
    Fault(13, "token expired", "the token runs out in the middle of the work", (*READS, *WRITES)),
    Fault(14, "token revoked", "the token cannot be renewed any more", ("sign_in",)),
    Fault(15, "right lost", "403 for one ticket", OF_A_TICKET),
    Fault(16, "ticket gone", "deleted or hidden, and perhaps there again later", OF_A_TICKET),
    Fault(17, "ticket moved", "its key changes, its id does not", ("fetch",), ("jira", "azure_devops")),
    Fault(18, "ticket merged", "it lives on in another one", ("fetch",), ("zendesk",)),
    Fault(19, "closed for good", "it takes nothing new", ("update", "comment"), ("zendesk", "servicenow")),
    Fault(20, "transition missing", "the workflow does not lead to the wanted status", ("update",)),
    Fault(21, "status renamed", "a status has a name that the rules do not know", ("fetch",)),
    Fault(22, "write put back", "a rule of the system puts the old value back", ("update",)),
    Fault(23, "automation as our account", "a rule of the system edits with our account", ("fetch",)),
    Fault(24, "person as our account", "somebody works with our account", ("fetch",)),
    Fault(33, "clocks differ", "the system's clock is minutes off", ("changed_since",)),
    Fault(38, "text too long", "a text is longer than the system takes", ("update",), THAT_LIMIT_TEXTS),
    Fault(
        62,
        "bulk import",
        "many tickets at once, of one moment or some seconds, without a webhook, some shown late",
        ("changed_since",),
    ),
    Fault(41, "comment edited", "a comment is rewritten or taken away after it was copied", ("fetch",)),
)

IN_NOTICES = (
    Fault(25, "notice doubled", "a webhook comes again", ("notice",)),
    Fault(26, "notice overtaken", "webhooks come in another order", ("notice",)),
    Fault(27, "notice lost", "a webhook never comes", ("notice",)),
    Fault(28, "notice of an unknown ticket", "a webhook names a ticket that does not exist", ("notice",)),
    Fault(31, "notice replayed", "an old webhook comes again much later", ("notice",)),
)

IN_THE_PORTAL = (
    Fault(50, "process killed", "a worker is killed, between any two statements", STAGES, WORLD),
    Fault(51, "worker frozen", "a worker stops for longer than its claim and goes on", ("call",), WORLD),
    Fault(52, "two polls at once", "a system is asked twice at the same time", ("poll",), WORLD),
    Fault(53, "database error", "a statement fails and takes its transaction with it", STAGES, WORLD),
    Fault(
        54, "commit in doubt", "a transaction is kept and its worker never learns of it", ("decide", "settle"), WORLD
    ),
    Fault(55, "read-only database", "nothing can be written for a while", ("portal",), WORLD),
    Fault(56, "clock jumps", "the portal's clock jumps back or forth", ("portal",), WORLD),
    Fault(58, "rules tightened", "rules change while lanes are full, or the connection pauses", ("portal",), WORLD),
    Fault(
        60,
        "versions side by side",
        "processes of the version before work beside those of this one",
        ("decide", "hear"),
        WORLD,
    ),
    Fault(59, "rules changed", "other rules come into force while entries wait", ("portal",), WORLD),
)

CATALOG = (*ON_THE_WIRE, *IN_SYSTEMS, *IN_NOTICES, *IN_THE_PORTAL)


UNANSWERED = (1, 3, 4)
MORE_OFTEN = 5


def wire_faults() -> Mapping[str, tuple[Fault, ...]]:
    """Operation → what can go wrong with a request of it. That a write took effect and nobody knows is what most of the
    engine is about: it goes wrong so more often than in any other way."""
    often = [one for one in ON_THE_WIRE for _ in range(MORE_OFTEN if one.number in UNANSWERED else 1)]
    return {name: tuple(one for one in often if name in one.operations) for name in CALLS}


class Coverage:
    """How often each fault hit each operation of each system."""

    def __init__(self) -> None:
        self.hits: Counter[tuple[int, str, str]] = Counter()

    def hit(self, number: int, operation: str, system: str = "portal") -> None:
        self.hits[number, operation, system] += 1

    def empty(self, off: Iterable[int] = ()) -> list[tuple[int, str, str]]:
        """Cells that can occur and did not."""
        cells = [
            (one.number, operation, system)
            for one in CATALOG
            if one.number not in off
            for operation in one.operations
            for system in one.systems
        ]
        return [cell for cell in cells if not self.hits[cell]]
