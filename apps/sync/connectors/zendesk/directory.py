"""The names behind Zendesk's ids: users, groups, organizations, brands, forms and custom statuses."""

from collections.abc import Iterable
from typing import Any

from apps.sync.connectors.base import AccessRefused, Rejected
from apps.sync.engine.snapshot import Value

from .client import Json, ZendeskClient

DIRECTORY_OF_FIELD = {
    "assignee_id": "users",
    "requester_id": "users",
    "submitter_id": "users",
    "organization_id": "organizations",
    "group_id": "groups",
    "brand_id": "brands",
    "ticket_form_id": "ticket_forms",
    "custom_status_id": "custom_statuses",
}
_ASKED_BY_ID = ("users", "organizations")
_MOST_IDS = 100


class Directory:
    """Names by id, read when first needed and kept for the connector's short life."""

    def __init__(self, client: ZendeskClient) -> None:
        self._client = client
        self._names: dict[str, dict[str, str]] = {}

    def name_of(self, field: str, raw: Any) -> Value:
        """The name of the record that ``field`` points to; its id when it has none any more."""
        return self.name(DIRECTORY_OF_FIELD[field], raw)

    def name(self, kind: str, raw: Any) -> str:
        return self._names.get(kind, {}).get(str(raw), str(raw))

    async def learn(self, ids: Iterable[tuple[str, Any]]) -> None:
        """Look up the names of (kind, id) pairs that are not known yet."""
        wanted: dict[str, set[str]] = {}
        for kind, raw in ids:
            if raw not in (None, "") and str(raw) not in self._names.get(kind, {}):
                wanted.setdefault(kind, set()).add(str(raw))
        for kind, missing in wanted.items():
            if kind in _ASKED_BY_ID:
                await self._learn_by_id(kind, sorted(missing))
            elif kind not in self._names:
                await self._learn_all(kind)

    async def learn_fields(self, values: Iterable[tuple[str, Any]]) -> None:
        """Look up the names that (field name, raw value) pairs point to; fields that hold no id are passed over."""
        await self.learn((DIRECTORY_OF_FIELD[name], raw) for name, raw in values if name in DIRECTORY_OF_FIELD)

    async def names(self, kind: str) -> tuple[str, ...]:
        """All names of a kind that is listed whole."""
        if kind not in self._names:
            await self._learn_all(kind)
        return tuple(sorted(self._names[kind].values()))

    async def find(self, field: str, text: str) -> int:
        """The id of the record that people call ``text``. Raises Rejected when none or several are called so."""
        kind = DIRECTORY_OF_FIELD[field]
        if kind == "users":
            return (await self.find_user(field, text))[0]
        if kind == "organizations":
            found = await self._client.get("/organizations/search", {"name": text})
            rows = {str(row["id"]): str(row.get("name", "")) for row in found.get("organizations") or []}
        else:
            await self.names(kind)
            rows = self._names[kind]
        matches = [key for key, name in rows.items() if name.casefold() == text.casefold()]
        return int(_take_one(matches, field, text))

    async def find_user(self, field: str, text: str) -> tuple[int, str]:
        """Id and name of the user with this display name or e-mail address."""
        query = f"email:{text}" if "@" in text else text
        found = await self._client.get("/users/search", {"query": query})
        rows = {str(row["id"]): row for row in found.get("users") or [] if _is_called(row, text)}
        key = _take_one(list(rows), field, text)
        name = str(rows[key].get("name", ""))
        self._names.setdefault("users", {})[key] = name
        return int(key), name

    async def _learn_by_id(self, kind: str, ids: list[str]) -> None:
        known = self._names.setdefault(kind, {})
        for start in range(0, len(ids), _MOST_IDS):
            chunk = ids[start : start + _MOST_IDS]
            try:
                rows = await self._read_users(chunk) if kind == "users" else await self._read_organizations(chunk)
            except AccessRefused:
                rows = []
            known.update({str(row["id"]): str(row.get("name") or row["id"]) for row in rows})
            # a deleted user is answered by nobody: remember that, so that it is not asked for again
            known.update({key: key for key in chunk if key not in known})

    async def _read_users(self, ids: list[str]) -> list[Json]:
        found = await self._client.get_or_none("/users/show_many", {"ids": ",".join(ids)})
        return (found or {}).get("users") or []

    async def _read_organizations(self, ids: list[str]) -> list[Json]:
        """One by one: a ticket has one organization, and its log seldom names a second."""
        found = [await self._client.get_or_none(f"/organizations/{number}") for number in ids]
        return [row["organization"] for row in found if row and row.get("organization")]

    async def _learn_all(self, kind: str) -> None:
        """Lists whole. An account without the feature, or an agent without the right, has no names to show."""
        rows: list[Json] = []
        try:
            rows = await self._client.get_all(f"/{kind}", kind) or []
        except AccessRefused:
            rows = []
        self._names[kind] = {
            str(row["id"]): str(row.get("agent_label") or row.get("name") or row["id"]) for row in rows
        }


def split_address(text: str) -> tuple[str, str]:
    """``Ana Lee <ana@example.com>`` or a bare address as (name, address); ("", "") when there is no address."""
    name, opened, rest = text.partition("<")
    if opened and rest.endswith(">") and "@" in rest:
        return name.strip(), rest[:-1].strip()
    return ("", text.strip()) if "@" in text and " " not in text.strip() else ("", "")


def _is_called(row: Json, text: str) -> bool:
    return text.casefold() in (str(row.get("email") or "").casefold(), str(row.get("name") or "").casefold())


def _take_one(matches: list[str], field: str, text: str) -> str:
    if len(matches) != 1:
        count = "nobody and nothing" if not matches else f"{len(matches)} records"
        raise Rejected(f"{count} in this account is called {text!r}", field=field, value=text)
    return matches[0]
