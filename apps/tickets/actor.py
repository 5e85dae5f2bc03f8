"""Who does something to a ticket, and by which way it came."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from apps.access.principal import Principal
from apps.ecosystem.models import Organization

if TYPE_CHECKING:
    from apps.accounts.models import User

PORTAL = "portal"


@dataclass(frozen=True, slots=True)
class Actor:
    """An account acting for one of its organizations. ``name`` is what the journal shows."""

    principal: Principal
    organization: Organization
    user: "User | None"
    name: str


@dataclass(frozen=True, slots=True)
class Source:
    """By which way a change came in: the portal, or a connection (its id) with that system's own id of the change.

    ``mark`` is given only for an entry that this portal once wrote, forgot, and learns of from a system again.
    """

    origin: str = PORTAL
    ref: str = ""
    author: str = ""
    mark: str = ""


HERE = Source()
