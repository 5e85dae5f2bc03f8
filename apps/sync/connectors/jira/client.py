"""Jira's REST resources: v3 on Cloud, v2 on Data Center. One method a resource; the content has no meaning here."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp

from apps.sync.connectors.base import Rejected, TicketGone, Upload, VendorFault
from apps.sync.connectors.http import Answer, Context, VendorHttp
from apps.sync.engine.snapshot import ExternalRef

from .failures import classify, read_limit
from .settings import JiraSecrets, JiraSettings
from .sign_in import SignIn

Json = dict[str, Any]
DONE = frozenset({204})
MADE = frozenset({200, 201})
READ = frozenset({200})
LISTED = 100


@dataclass(frozen=True, slots=True)
class Server:
    """Who answers: Cloud or not, its version, and the zone in which it reads quoted times of the caller."""

    is_cloud: bool
    version: str
    numbers: tuple[int, ...]
    server_time: str


class JiraClient:
    """The calls of one connection. Issues are addressed by their id, which outlives a move."""

    def __init__(self, context: Context, settings: JiraSettings, secrets: JiraSecrets) -> None:
        self.base_url = context.base_url.rstrip("/")
        self._settings = settings
        self._sign_in = SignIn(context, secrets, settings.token_url)
        self.http = VendorHttp(
            context,
            authorize=self._sign_in.authorize,
            renew=self._sign_in.renew if self._sign_in.can_renew else None,
            classify=classify,
            deadline=settings.deadline_seconds,
            read_limit=read_limit,
        )
        self._sign_in.http = self.http
        self.is_cloud = settings.flavour == "cloud"
        self._by_key = False
        self._is_address_proven = False

    @property
    def api(self) -> str:
        return "rest/api/3" if self.is_cloud else "rest/api/2"

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        answer = await self.http.request("GET", f"{self.api}/{path}", params=params, accept=READ, headers=_ACCEPT)
        return answer.json()

    async def get_or_none(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """None where the system does not know the resource (404, 405) or hides it (403)."""
        answer = await self.http.request(
            "GET", f"{self.api}/{path}", params=params, accept=frozenset({200, 403, 404, 405}), headers=_ACCEPT
        )
        return answer.json() if answer.status == 200 else None

    async def server(self) -> Server:
        """``serverInfo`` exists in v2 on both flavors, so it is asked before the flavor is known."""
        answer = await self.http.request("GET", "rest/api/2/serverInfo", accept=READ, headers=_ACCEPT)
        said = answer.json()
        if not isinstance(said, dict) or "version" not in said:
            raise VendorFault("answered serverInfo in a shape that is not Jira's")
        numbers = tuple(int(number) for number in said.get("versionNumbers") or () if str(number).isdigit())
        is_cloud = said.get("deploymentType") == "Cloud"
        return Server(is_cloud, str(said["version"]), numbers, str(said.get("serverTime") or ""))

    async def issue(self, ref: ExternalRef, *, expand: str = "", fields: str = "*all") -> Json:
        params = {"fields": fields, "properties": "*all"} | ({"expand": expand} if expand else {})
        found = (await self._on_issue("GET", ref, "", params=params, accept=READ)).json()
        if not isinstance(found, dict) or not isinstance(found.get("fields"), dict) or "id" not in found:
            raise VendorFault("answered an issue in a shape that is not Jira's", is_unknown=True)
        if ref.id and str(found["id"]) != ref.id:
            raise VendorFault(f"answered issue {found['id']} when {ref.id} was asked", is_unknown=True)
        return found

    async def prove_address(self, ref: ExternalRef) -> None:
        """Learn once whether ids are addresses: jira820 answers an unknown id with an empty list of comments."""
        if not self._is_address_proven:
            await self.issue(ref, fields="updated")
            self._is_address_proven = True

    async def of_issue(self, ref: ExternalRef, rest: str, params: Mapping[str, str] | None = None) -> Any:
        return (await self._on_issue("GET", ref, rest, params=params, accept=READ)).json()

    async def create(self, body: Json) -> Json:
        answer = await self.http.request(
            "POST", f"{self.api}/issue", json=body, accept=frozenset({201}), headers=_ACCEPT
        )
        made = answer.json()
        if not isinstance(made, dict) or "id" not in made:
            raise VendorFault("answered a create in a shape that is not Jira's", is_unknown=True)
        return made

    async def edit(self, ref: ExternalRef, body: Json) -> None:
        await self._on_issue("PUT", ref, "", json=body, accept=DONE)

    async def transition(self, ref: ExternalRef, body: Json) -> None:
        await self._on_issue("POST", ref, "/transitions", json=body, accept=DONE)

    async def comment(self, ref: ExternalRef, body: Json) -> Json:
        made = (await self._on_issue("POST", ref, "/comment", json=body, accept=frozenset({201}))).json()
        if not isinstance(made, dict) or "id" not in made:
            raise VendorFault("answered a comment in a shape that is not Jira's", is_unknown=True)
        return made

    async def remove_comment(self, ref: ExternalRef, comment_id: str) -> None:
        await self._on_issue("DELETE", ref, f"/comment/{quote(comment_id, safe='')}", accept=DONE)

    async def comments(self, ref: ExternalRef) -> list[Json]:
        """All comments, oldest first, with their properties where the system has some."""
        found: dict[str, Json] = {}
        start = 0
        while True:
            params = {"startAt": str(start), "maxResults": str(LISTED), "orderBy": "created", "expand": "properties"}
            page = await self.of_issue(ref, "/comment", params)
            rows = page["comments"]
            found.update((str(row["id"]), row) for row in rows)
            start += len(rows)
            if not rows or start >= int(page.get("total", start)):
                return list(found.values())

    async def histories(self, ref: ExternalRef) -> list[Json]:
        """The whole change log, oldest first."""
        if not self.is_cloud:
            found = await self.issue(ref, expand="changelog", fields="updated")
            return sorted((found.get("changelog") or {}).get("histories") or [], key=lambda row: int(row["id"]))
        rows: dict[str, Json] = {}
        start = 0
        while True:
            page = await self.of_issue(ref, "/changelog", {"startAt": str(start), "maxResults": str(LISTED)})
            rows.update((str(row["id"]), row) for row in page["values"])
            start += len(page["values"])
            if not page["values"] or page.get("isLast") or start >= int(page.get("total", start + 1)):
                return sorted(rows.values(), key=lambda row: int(row["id"]))

    async def set_property(self, ref: ExternalRef, key: str, value: Json) -> None:
        await self._on_issue("PUT", ref, f"/properties/{quote(key, safe='')}", json=value, accept=MADE)

    async def has_properties(self, ref: ExternalRef) -> bool:
        """Whether the system keeps entity properties at all. A second read tells an issue that is gone from that."""
        try:
            await self.of_issue(ref, "/properties")
        except TicketGone:
            await self.issue(ref, fields="updated")
            return False
        return True

    async def upload(self, ref: ExternalRef, upload: Upload, name: str) -> list[Json]:
        def form() -> aiohttp.FormData:
            # aiohttp percent-encodes quoted names, and Jira would keep them so: it reads the name as UTF-8.
            data = aiohttp.FormData(quote_fields=False)
            data.add_field("file", upload.path.open("rb"), filename=name, content_type=upload.content_type)
            return data

        answer = await self._on_issue(
            "POST", ref, "/attachments", data=form, accept=READ, headers={"X-Atlassian-Token": "no-check"}
        )
        made = answer.json()
        if not isinstance(made, list) or not made or not isinstance(made[0], dict):
            raise VendorFault("answered an upload in a shape that is not Jira's", is_unknown=True)
        return made

    async def download(self, attachment_id: str) -> AsyncIterator[bytes]:
        if self.is_cloud:
            path = f"{self.api}/attachment/content/{quote(attachment_id, safe='')}"
        else:
            # The address of the moment, but on our own host: ``content`` carries the host that Jira believes it has.
            found = await self.get(f"attachment/{quote(attachment_id, safe='')}")
            home = urlsplit(self.base_url)
            path = f"{home.scheme}://{home.netloc}{urlsplit(str(found['content'])).path}"
        async for chunk in self.http.stream(path):
            yield chunk

    async def search(
        self, jql: str, *, fields: Sequence[str], size: int, start: int = 0, token: str | None = None
    ) -> Json:
        """A page of the search: by token on Cloud (the old resource is removed there), by offset on Data Center."""
        if self.is_cloud:
            body: Json = {"jql": jql, "maxResults": size, "fields": list(fields)}
            body |= {"nextPageToken": token} if token else {}
            answer = await self.http.request("POST", f"{self.api}/search/jql", json=body, accept=READ, headers=_ACCEPT)
        else:
            params = {"jql": jql, "startAt": str(start), "maxResults": str(size), "fields": ",".join(fields)}
            answer = await self.http.request("GET", f"{self.api}/search", params=params, accept=READ, headers=_ACCEPT)
        page = answer.json()
        if not isinstance(page, dict) or not isinstance(page.get("issues"), list):
            raise VendorFault("answered a search in a shape that is not Jira's")
        return page

    async def project(self) -> Json:
        found = await self.get_or_none(f"project/{quote(self._settings.project, safe='')}")
        if not isinstance(found, dict):
            key = self._settings.project
            raise Rejected(f"no project {key}, or the account may not see it", field="project", value=key)
        return found

    async def _on_issue(self, method: str, ref: ExternalRef, rest: str, **call: Any) -> Answer:
        """A call on an issue by id, or by key where the system knows no ids (404 though the key leads to that id)."""
        call["headers"] = _ACCEPT | call.get("headers", {})
        name = ref.key if self._by_key and ref.key else ref.id or ref.key
        try:
            return await self.http.request(method, f"{self.api}/issue/{quote(name, safe='')}{rest}", **call)
        except TicketGone:
            if self._by_key or not ref.key or not ref.id or not await self._is_known_by_key(ref):
                raise
        self._by_key = True
        return await self.http.request(method, f"{self.api}/issue/{quote(ref.key, safe='')}{rest}", **call)

    async def _is_known_by_key(self, ref: ExternalRef) -> bool:
        """Asked after a 404 by id: true where ids are no addresses, false where the ticket or resource is gone."""
        by_key = await self.get_or_none(f"issue/{quote(ref.key, safe='')}", {"fields": "updated"})
        if not isinstance(by_key, dict) or str(by_key.get("id")) != ref.id:
            return False
        return await self.get_or_none(f"issue/{quote(ref.id, safe='')}", {"fields": "updated"}) is None


_ACCEPT = {"Accept": "application/json"}
