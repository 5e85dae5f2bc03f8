"""What every test of the stores' contract begins with. Every store subclasses the suites beside it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.sync.engine.ports import LinkRow, LinkState
from apps.sync.engine.snapshot import ExternalRef
from apps.sync.simulation.faults import Coverage
from apps.sync.simulation.rows import Said
from apps.sync.simulation.world import StoreKind, World

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
JIRA, ZENDESK = "jira0", "zendesk1"
SECOND = timedelta(seconds=1)


class StoreCase:
    """A store with three connections and no ticket."""

    @pytest.fixture
    def kind(self) -> StoreKind:
        raise NotImplementedError

    @pytest.fixture
    def world(self, kind: StoreKind) -> World:
        made = World("contract", Coverage(), kinds=("jira", "zendesk", "azure_devops"), is_plain=True, store=kind)
        made.store.watch = None
        return made

    @pytest.fixture
    def store(self, world: World) -> Any:
        return world.store

    # --- Rows ---------------------------------------------------------------------------------------------------------

    def connection(self, store: Any, name: str = ZENDESK) -> Any:
        return store.handed(store.connections[name])

    def ticket(self, store: Any, owner: str = JIRA, **values: Any) -> Any:
        return store.open_here(owner, {"kind": "incident", "title": "#1#", "priority": "low"} | values, at=NOW)

    def link(self, store: Any, ticket: Any = None, name: str = ZENDESK, **columns: Any) -> Any:
        """A link to a ticket, as a worker would hold it."""
        offered = store.handed(ticket or self.ticket(store))
        link = store.add_link(self.connection(store, name), offered, now=NOW)
        assert link is not None
        for column, value in columns.items():
            setattr(link, column, value)
        if columns:
            store.save(link, *columns)
        return link

    def linked(self, store: Any, ticket: Any = None, name: str = ZENDESK, **columns: Any) -> Any:
        """A link in step with its ticket."""
        usual = {"state": LinkState.LINKED, "external_id": "7", "applied_seq": 1}
        return self.link(store, ticket, name, **usual | columns)

    def sighted(self, store: Any, ref: str = "7", name: str = ZENDESK) -> LinkRow:
        store.sight(self.connection(store, name), [ExternalRef(ref)], NOW, due_at=NOW)
        return store.of_external(self.connection(store, name), [ref])[ref]

    def claim(self, store: Any, name: str = ZENDESK, at: datetime = NOW, most: int = 9) -> list[Any]:
        return store.claim(self.connection(store, name), now=at, most=most)

    def held(self, store: Any, link: Any) -> Any:
        """The link claimed, and locked by a transaction of the caller's."""
        (mine,) = [one for one in self.claim(store) if one.pk == link.pk]
        return store.still_held(mine)

    def say(self, store: Any, ticket: Any, audience: str = "public", owner: str = JIRA, *chosen: str) -> None:
        said = Said("", "#5#", "Marco", owner, audience, frozenset(chosen))
        store.say(ticket.pk, said, at=NOW, origin="")

    def row(self, store: Any, link: Any) -> Any:
        return store.links[link.pk]
