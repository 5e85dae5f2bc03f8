"""The one authorization kernel: lists, counts, search, history, exports, mail and API ask here and nowhere else.

guardian holds the rights as rows (role → permissions on coarse objects); this module is its only reader and writer.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404
from guardian.models import UserObjectPermission
from guardian.shortcuts import assign_perm, remove_perm

from .levels import Level
from .models import MatrixCell
from .policy import policy_of
from .principal import Grants, Principal

M = TypeVar("M", bound=Model)


class NotVisible(Http404):
    """The object does not exist for this principal; absent and foreign look the same."""


class Forbidden(PermissionDenied):
    """The object is visible, but not at the level that the act needs. The text names role-independent facts only."""


def visible_to(rows: QuerySet[M], principal: Principal, level: Level = Level.READ) -> QuerySet[M]:
    """The part of ``rows`` that ``principal`` may reach at ``level``."""
    if not principal.is_known:
        return rows.none()
    return policy_of(rows.model).rows(rows, principal, level)


def may(principal: Principal, level: Level, thing: Model) -> bool:
    """Whether ``principal`` reaches this one object at ``level``."""
    return visible_to(type(thing)._default_manager.filter(pk=thing.pk), principal, level).exists()


def require(principal: Principal, level: Level, thing: Model) -> None:
    """Raise NotVisible when the object must not be known, Forbidden when it is known but not at ``level``."""
    if may(principal, level, thing):
        return
    if level <= Level.READ or not may(principal, Level.READ, thing):
        raise NotVisible(f"no {thing._meta.verbose_name} {thing.pk}")
    raise Forbidden(f"this needs {level.name.lower()} access to the {thing._meta.verbose_name}")


def find_visible(rows: QuerySet[M], principal: Principal, level: Level = Level.READ, **lookup: Any) -> M:
    """The one object of ``rows`` with ``lookup``; raises like :func:`require`."""
    found = visible_to(rows, principal).filter(**lookup).first()
    if found is None:
        raise NotVisible(f"no {rows.model._meta.verbose_name} {', '.join(map(str, lookup.values()))}")
    if level > Level.READ:
        require(principal, level, found)
    return found


def _codename(resource: str, level: Level) -> str:
    return f"{level.name.lower()}_{resource}"


def _permission(scope: Model, codename: str) -> Permission:
    kind = ContentType.objects.get_for_model(type(scope))
    permission, _ = Permission.objects.get_or_create(content_type=kind, codename=codename, defaults={"name": codename})
    return permission


@transaction.atomic
def set_roles(user: Any, scope: Model, roles: Iterable[str]) -> None:
    """Make guardian's rows for ``user`` on ``scope`` exactly what ``roles`` hold in the Identity Access Matrix."""
    wanted = {
        _codename(cell.resource, Level(cell.level))
        for cell in MatrixCell.objects.filter(role__in=list(roles), level__gt=Level.NONE)
    }
    kind = ContentType.objects.get_for_model(type(scope))
    held = set(
        UserObjectPermission.objects.filter(user=user, content_type=kind, object_pk=str(scope.pk)).values_list(
            "permission__codename", flat=True
        )
    )
    for codename in sorted(wanted - held):
        assign_perm(_permission(scope, codename), user, scope)
    for codename in sorted(held - wanted):
        remove_perm(_permission(scope, codename), user, scope)


def read_grants(user: Any, scope_model: type[Model]) -> Grants:
    """All rights of ``user`` on objects of ``scope_model``, in one query; none for a deactivated account."""
    if not user.is_active:
        return {}
    rows = UserObjectPermission.objects.filter(
        user=user, content_type=ContentType.objects.get_for_model(scope_model)
    ).values_list("permission__codename", "object_pk")
    grants: dict[str, dict[UUID, Level]] = defaultdict(dict)
    for codename, scope in rows:
        word, _, resource = codename.partition("_")
        level, key = Level[word.upper()], UUID(scope)
        grants[resource][key] = max(level, grants[resource].get(key, Level.NONE))
    return dict(grants)
