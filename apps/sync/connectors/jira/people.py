"""Display names and e-mail addresses as accounts: Jira takes only account ids (Cloud) or user names (Data Center)."""

from typing import Any

from apps.sync.connectors.base import Rejected
from apps.sync.engine.snapshot import Value

from .client import JiraClient
from .translate import FieldKind, Shape, words_of


class People:
    """Finds the one active account that a name or an address stands for, and remembers it."""

    def __init__(self, client: JiraClient) -> None:
        self._client = client
        self._found: dict[str, dict[str, str]] = {}

    async def write(self, kind: FieldKind, value: Value) -> Any:
        """The JSON for a field that holds people. Raises Rejected with field and value."""
        if kind.shape is Shape.PEOPLE:
            return [await self._account(kind, word) for word in words_of(value)]
        return await self._account(kind, str(value)) if value not in (None, "") else None

    async def _account(self, kind: FieldKind, name: str) -> dict[str, str]:
        wanted = name.strip().casefold()
        if wanted not in self._found:
            self._found[wanted] = await self._search(kind, name)
        return self._found[wanted]

    async def _search(self, kind: FieldKind, name: str) -> dict[str, str]:
        asked = "query" if self._client.is_cloud else "username"
        rows = await self._client.get("user/search", {asked: name.strip(), "maxResults": "50"})
        wanted = name.strip().casefold()
        known = (
            [row for row in rows if isinstance(row, dict) and row.get("active", True)] if isinstance(rows, list) else []
        )
        same = [row for row in known if wanted in _names(row)]
        if not same and "@" in wanted and len(known) == 1 and not known[0].get("emailAddress"):
            same = known  # Cloud matches an address that the profile hides; one hit can only be its owner
        if len(same) != 1:
            reason = "is nobody whom Jira knows" if not same else f"fits {len(same)} people; write the e-mail address"
            raise Rejected(f"{name!r} {reason}", field=kind.id, value=name)
        member = "accountId" if self._client.is_cloud else "name"
        return {member: str(same[0][member])}


def _names(row: dict[str, Any]) -> set[str]:
    return {str(row.get(member) or "").casefold() for member in ("displayName", "emailAddress")}
