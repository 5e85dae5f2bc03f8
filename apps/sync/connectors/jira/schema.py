"""What rules may map: types and fields of the project, from the create screens and the workflow."""

from typing import Any
from urllib.parse import quote

from apps.sync.connectors.base import FieldSchema, SystemSchema

from .client import JiraClient, Json
from .failures import known_shape
from .polling import quoted
from .reading import read_ref
from .settings import JiraSettings
from .site import Facts, Site
from .translate import TEXT_LIMIT, FieldKind, Shape, describe, shape_of

_ALWAYS = ("summary", "description", "priority", "labels", "duedate", "assignee", "reporter")
PAGE = 200


class SchemaReader:
    """Reads the two-step create metadata; a system that has only the one-shot resource is asked there."""

    def __init__(self, client: JiraClient, settings: JiraSettings, site: Site) -> None:
        self._client = client
        self._settings = settings
        self._site = site

    async def read(self) -> SystemSchema:
        facts = await self._site.facts()
        resolutions = await self._client.get_or_none("resolution")
        limits = await self._client.get_or_none("attachment/meta")
        types: dict[str, dict[str, FieldSchema]] = {}
        for name, metas in (await self._metas()).items():
            if self._settings.types and name not in self._settings.types:
                continue
            statuses = await self._site.statuses(name)
            editable = await self._edit_metas(name)
            with known_shape():
                types[name] = self._fields(facts, editable | metas, tuple(statuses), resolutions)
        upload = (limits or {}).get("uploadLimit")
        return SystemSchema(
            types, max_comment_length=TEXT_LIMIT, max_attachment_bytes=int(upload) if isinstance(upload, int) else None
        )

    def _fields(
        self, facts: Facts, metas: dict[str, Json], statuses: tuple[str, ...], resolutions: Any
    ) -> dict[str, FieldSchema]:
        fields: dict[str, FieldSchema] = {}
        for field_id, meta in metas.items():
            kind = facts.kinds.get(field_id)
            if kind is None:
                shape = shape_of(field_id, meta.get("schema") or {})
                kind = FieldKind(field_id, str(meta.get("name") or field_id), shape) if shape else None
            if kind is not None:
                fields[field_id] = describe(kind, meta)
        for field_id, kind in facts.kinds.items():
            # On no screen: read-only, except where the system describes no screens at all.
            is_open = not metas and field_id in _ALWAYS
            fields.setdefault(field_id, describe(kind, {} if is_open else {"operations": []}))
        solved = tuple(str(row["name"]) for row in resolutions or ())
        fields["resolution"] = FieldSchema("resolution", facts.kinds["resolution"].label, "choice", values=solved)
        fields["status"] = FieldSchema("status", facts.kinds["status"].label, Shape.STATUS.type, values=statuses)
        return fields

    async def _edit_metas(self, name: str) -> dict[str, Json]:
        """The fields that only the edit screen has, from the newest ticket of the type; none before there is one."""
        jql = f"project = {quoted(self._settings.project)} AND issuetype = {quoted(name)} ORDER BY created DESC"
        page = await self._client.search(jql, fields=("updated",), size=1)
        if not page["issues"]:
            return {}
        with known_shape():
            ref = read_ref(page["issues"][0], self._client.base_url)
        found = await self._client.of_issue(ref, "/editmeta")
        with known_shape():
            return {str(field_id): meta | {"required": False} for field_id, meta in found["fields"].items()}

    async def _metas(self) -> dict[str, dict[str, Json]]:
        """Type name to field id to create metadata."""
        base = f"issue/createmeta/{quote(self._settings.project, safe='')}/issuetypes"
        listed = await self._pages(base, "issueTypes")
        if listed is None:
            return await self._one_shot()
        found: dict[str, dict[str, Json]] = {}
        for row in listed:
            with known_shape():
                name, type_id = str(row["name"]), quote(str(row["id"]), safe="")
            rows = await self._pages(f"{base}/{type_id}", "fields") or []
            with known_shape():
                found[name] = {str(meta.get("fieldId") or meta["key"]): meta for meta in rows}
        return found

    async def _pages(self, path: str, member: str) -> list[Json] | None:
        """All rows of a paged list; Cloud names the list by its content, Data Center ``values``."""
        rows: list[Json] = []
        while True:
            page = await self._client.get_or_none(path, {"startAt": str(len(rows)), "maxResults": str(PAGE)})
            if page is None:
                return None
            with known_shape():
                found = page[member] if member in page else page["values"]
                rows += found
                if not found or page.get("isLast") or len(rows) >= int(page.get("total", len(rows))):
                    return rows

    async def _one_shot(self) -> dict[str, dict[str, Json]]:
        params = {"projectKeys": self._settings.project, "expand": "projects.issuetypes.fields"}
        found = await self._client.get_or_none("issue/createmeta", params)
        with known_shape():
            return {
                str(row["name"]): dict(row.get("fields") or {})
                for project in (found or {}).get("projects") or ()
                for row in project["issuetypes"]
            }
