"""References: names for ids when reading, ids for names when writing, user names as display names."""

from collections.abc import Iterable

from apps.sync.connectors.base import AccessRefused, Rejected

from .client import SYS_ID, ServiceNowClient
from .query import Row, Term, is_safe_text

_KEYS = {"sys_user": ("email", "name", "user_name"), "sys_user_group": ("name",)}
_OTHER_KEYS = ("number", "name")


class References:
    """Looks references up once per connector. Names are exact: a near hit is no hit."""

    def __init__(self, client: ServiceNowClient) -> None:
        self._client = client
        self._names: dict[tuple[str, str], str] = {}
        self._people: dict[str, str] = {}

    async def names(self, table: str, ids: Iterable[str]) -> dict[str, str]:
        """What people call the records ``ids`` of ``table``; an id that we cannot read stays an id."""
        wanted = {sys_id for sys_id in ids if SYS_ID.match(sys_id)}
        missing = {sys_id for sys_id in wanted if (table, sys_id) not in self._names}
        if missing and table:
            fields = ("name",) if table in _KEYS else ("name", "number")
            for row in await self._read(table, "sys_id", missing, fields):
                self._names[table, row["sys_id"]] = row.get("name") or row.get("number") or row["sys_id"]
        return {sys_id: self._names.get((table, sys_id), sys_id) for sys_id in wanted}

    async def people(self, user_names: Iterable[str]) -> dict[str, str]:
        """Display names by user name (journals and audit rows hold user names, not references)."""
        wanted = {name for name in user_names if name}
        missing = {name for name in wanted if name not in self._people and is_safe_text(name) and "," not in name}
        if missing:
            for row in await self._read("sys_user", "user_name", missing, ("user_name", "name")):
                self._people[row.get("user_name", "")] = row.get("name") or row.get("user_name", "")
        return {name: self._people.get(name, name) for name in wanted}

    async def _read(self, table: str, field: str, values: set[str], fields: tuple[str, ...]) -> list[Row]:
        try:
            return await self._client.rows_in(table, field, values, fields=fields)
        except (AccessRefused, Rejected):
            return []

    async def id_of(self, field: str, table: str, name: str) -> str:
        """The sys_id of the record of ``table`` called ``name`` (people: by e-mail, name or user name).

        Raises Rejected naming ``field`` when there is none, or when active records share the name.
        """
        if SYS_ID.match(name):
            return name
        if not is_safe_text(name):
            raise Rejected(f"{name!r} cannot be looked up in {table}", field=field, value=name)
        for key in _KEYS.get(table, _OTHER_KEYS):
            if key == "email" and "@" not in name:
                continue
            hits = await self._hits(table, key, name)
            if len(hits) == 1:
                self._names[table, hits[0]["sys_id"]] = hits[0].get("name") or name
                return hits[0]["sys_id"]
            if hits:
                raise Rejected(
                    f"{len(hits)} records of {table} are called {name!r}; write the e-mail or sys_id",
                    field=field,
                    value=name,
                )
        raise Rejected(f"{table} knows nobody and nothing called {name!r}", field=field, value=name)

    async def _hits(self, table: str, key: str, name: str) -> list[Row]:
        term = Term(key, "=", name, is_text=True)
        rows = await self._client.rows(table, term, fields=("name", "active"), order="sys_id", limit=20)
        exact = [row for row in rows if row.get(key) == name] or rows
        active = [row for row in exact if row.get("active", "true") != "false"]
        return active or exact
