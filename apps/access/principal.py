"""Who asks. A frozen value that the app ``ecosystem`` builds once a request; the kernel judges it and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID

from .levels import Level

Grants = Mapping[str, Mapping[UUID, Level]]


@dataclass(frozen=True, slots=True)
class Principal:
    """One signed-in account with all its rights.

    ``organizations``: where it is a member. ``grants``: resource → scope (an organization's id) → level.
    ``circles``: resource → ids of all organizations that a grant of that resource on the circle reaches; a circle is
    what lies around a scope (for an integrator: every organization of its customer's ecosystem).
    """

    user_id: UUID | None = None
    name: str = ""
    organizations: frozenset[UUID] = frozenset()
    grants: Grants = field(default_factory=lambda: MappingProxyType({}))
    circle: frozenset[UUID] = frozenset()

    @property
    def is_known(self) -> bool:
        return self.user_id is not None

    def where(self, resource: str, level: Level = Level.READ) -> frozenset[UUID]:
        """The organizations on which this account holds ``resource`` at ``level`` or higher."""
        return frozenset(scope for scope, held in self.grants.get(resource, {}).items() if held >= level)

    def holds(self, resource: str, level: Level = Level.READ) -> bool:
        return bool(self.where(resource, level))


NOBODY = Principal()
