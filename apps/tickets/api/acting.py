"""For which of its organizations an account acts: the body says so, or there is only one that can."""

from collections.abc import Set as AbstractSet
from typing import Any
from uuid import UUID

from apps.access.kernel import Forbidden
from apps.access.principal import Principal
from apps.accounts.models import User
from apps.ecosystem.models import Organization
from apps.foundation.api import Refused

from ..actor import Actor


def actor_for(user: Any, principal: Principal, able: AbstractSet[UUID], *, asked: UUID | None, act: str) -> Actor:
    """The actor for one of the organizations ``able``. Raises Forbidden if there is none, Refused if it is unclear."""
    if not able:
        raise Forbidden(f"your rights do not let you {act}")
    organizations = {row.pk: row for row in Organization.objects.filter(pk__in=able).order_by("name")}
    names = ", ".join(f"{row.name} ({row.pk})" for row in organizations.values())
    if asked is not None and asked not in organizations:
        raise Refused("organization: you cannot do this for it", {"organization": f"choose one of {names}"})
    if asked is None and len(organizations) > 1:
        raise Refused("organization: say for which of yours", {"organization": f"choose one of {names}"})
    chosen = organizations[asked] if asked is not None else next(iter(organizations.values()))
    assert isinstance(user, User)
    return Actor(principal, chosen, user, principal.name or user.email)
