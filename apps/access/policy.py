"""What each app declares about its own resources. A tenant model without a policy is visible to nobody."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet

from .levels import Level
from .principal import Principal

Rows = Callable[[QuerySet[Any], Principal, Level], QuerySet[Any]]


@dataclass(frozen=True, slots=True)
class Policy:
    """``rows`` narrows a queryset to what a principal may reach at a level, set-based (never a query per row)."""

    resource: str
    title: str
    rows: Rows


POLICIES: dict[str, Policy] = {}
"""Model label → policy, filled by each app's ``permissions.py`` when the app is ready."""


def declare(model: type[Model], *, resource: str, title: str, rows: Rows) -> None:
    """Declare the policy of ``model``. Declaring twice is a mistake in the code."""
    label = model._meta.label
    if label in POLICIES:
        raise RuntimeError(f"{label} already has a policy")
    POLICIES[label] = Policy(resource, title, rows)


def policy_of(model: type[Model]) -> Policy:
    try:
        return POLICIES[model._meta.label]
    except KeyError:
        raise LookupError(f"{model._meta.label} has no policy; declare one in its app's permissions.py") from None
