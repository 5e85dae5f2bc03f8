"""The state of a fresh start: organization *global*, its people, two projects, no work items."""

from datetime import UTC, datetime

from .people import Person
from .places import Node, Project

ORGANIZATION = "global"
COLLECTION = "tfs/DefaultCollection"
TENANT = "0a4b9f0e-7c55-4b0d-9b3e-5a2f6f1d7c11"
DEPLOYMENT_ID = "ed30ce5c-1b7d-4f73-8a80-4315c7f84d83"

SYNC_PAT = "ado-sync-pat"
DAVID_PAT = "ado-david-pat"
MARCO_PAT = "ado-marco-pat"
CLIENT_ID = "7d5a1f53-0e3f-4c34-9f50-7a2d1d9f0c42"
CLIENT_SECRET = "ado-sync-client-secret"  # noqa: S105 a demo credential, the same after every reset

SYNC = Person("77aa4c1e-93d0-6b1f-8f3e-2c6d8a1b5e01", "SIAM Sync", "siam-sync@global.example")
DAVID = Person("2b1e7f44-5a60-6c0d-9a1c-8e4f7b3d2a02", "David", "david@global.example")
MARCO = Person("9c3d2e58-1f7b-6d4a-b5e2-4a7c9d0e6f03", "Marco", "marco@global.example")
PEOPLE = (SYNC, DAVID, MARCO)
TOKENS = {SYNC_PAT: SYNC, DAVID_PAT: DAVID, MARCO_PAT: MARCO}

SHOP_ID = "6ce954b1-0d3f-4f6a-8f0b-3c1d2e4f5a60"
WAREHOUSE_ID = "b1f0a7d2-52c4-4b8e-9d11-7e6a5c4b3a21"
SINCE = datetime(2026, 1, 12, 8, 30, tzinfo=UTC)


def _tree(group: str, project: str, first_id: int, children: tuple[str, ...]) -> Node:
    def node(offset: int, name: str, path: str) -> Node:
        return Node(
            first_id + offset,
            f"57ea440f-8c59-4131-bdb1-{first_id + offset:012d}",
            name,
            group,
            path,
        )

    root = node(0, project, project)
    root.children = [node(offset, name, f"{project}\\{name}") for offset, name in enumerate(children, 1)]
    return root


def projects() -> list[Project]:
    """*Shop* is the project of the demo; *Warehouse* is where a work item can be moved to."""
    return [
        Project(
            SHOP_ID,
            "Shop",
            "The web shop and its infrastructure",
            "a7c1e0d4-3b5f-4c92-8d6e-1f2a3b4c5d61",
            SINCE,
            _tree("area", "Shop", 101, ("Storefront", "Infrastructure")),
            _tree("iteration", "Shop", 201, ("Sprint 1", "Sprint 2", "Sprint 3")),
        ),
        Project(
            WAREHOUSE_ID,
            "Warehouse",
            "Stock and delivery",
            "c9d2f1e5-4c60-4da3-9e7f-2a3b4c5d6e72",
            SINCE,
            _tree("area", "Warehouse", 301, ()),
            _tree("iteration", "Warehouse", 401, ("Sprint 1",)),
        ),
    ]
