"""Azure DevOps' HTTP interface: API versions, paths, paging, and the waits it advises."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from apps.sync.connectors.base import ConnectorError, Rejected, SignInFailed, TicketGone, VendorFault
from apps.sync.connectors.http import Answer, Context, VendorHttp
from apps.sync.engine.snapshot import ExternalRef

from .failures import is_sign_in_page, read_body, read_message, read_refusal
from .settings import Secrets, Settings
from .signin import SignIn

NEWEST_VERSION = "7.1"
OLDEST_VERSION = "6.0"
BATCH = 200
MOST_PAGES = 200
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
_GOOD = frozenset({200, 201, 202, 204})

Json = dict[str, Any]
Patch = list[Json]


class AzureClient:
    """Signed-in calls to one organization or collection; answers are JSON objects."""

    def __init__(self, context: Context, settings: Settings, secrets: Secrets) -> None:
        self._settings = settings
        self.base_url = context.base_url.rstrip("/")
        self._sign_in = SignIn(context, settings, secrets)
        self._http = VendorHttp(
            context,
            authorize=self._sign_in.headers,
            renew=self._sign_in.renew if self._sign_in.is_renewable else None,
            classify=read_refusal,
            deadline=settings.deadline_seconds,
            siblings=(self.identity_url,),
        )
        self._sign_in.use(self._http)
        self._version = settings.api_version or (NEWEST_VERSION if settings.flavor == "services" else "")
        self._negotiating = asyncio.Lock()

    async def open(self) -> None:
        await self._http.open()

    async def close(self) -> None:
        await self._http.close()

    @property
    def identity_url(self) -> str:
        if self._settings.identity_url:
            return self._settings.identity_url.rstrip("/")
        parts = urlsplit(self.base_url)
        return f"https://vssps.dev.azure.com{parts.path}" if parts.hostname == "dev.azure.com" else self.base_url

    async def version(self) -> str:
        """The REST version to speak: what a Server has released, but none newer than we know."""
        async with self._negotiating:
            if not self._version:
                self._version = await self._negotiate()
        return self._version

    async def get(self, path: str, params: Mapping[str, str] | None = None, *, preview: str = "") -> Json:
        return _as_object(await self._call("GET", path, params=params, preview=preview))

    async def get_or_none(
        self, path: str, params: Mapping[str, str] | None = None, *, preview: str = ""
    ) -> Json | None:
        answer = await self._call("GET", path, params=params, preview=preview, accept=_GOOD | {404})
        return None if answer.status == 404 else _as_object(answer)

    async def post(self, path: str, body: Any, params: Mapping[str, str] | None = None, *, preview: str = "") -> Json:
        return _as_object(await self._call("POST", path, params=params, json=body, preview=preview))

    async def get_item(self, ref: ExternalRef) -> Json:
        """A work item with its relations. Raises TicketGone when it is deleted or not visible to us."""
        params = {"$expand": "all"}
        answer = await self._call("GET", f"/_apis/wit/workitems/{ref.id}", params=params, accept=_GOOD | {404})
        return _as_item(answer, ref)

    async def patch_item(self, ref: ExternalRef, patch: Patch) -> Json:
        """Write to a work item. Raises TicketGone; StaleVersion when a ``test`` of the revision fails."""
        path = f"/_apis/wit/workitems/{ref.id}"
        answer = await self._call("PATCH", path, json=patch, headers=JSON_PATCH, accept=_GOOD | {404})
        return _as_item(answer, ref)

    async def create_item(self, type_name: str, patch: Patch) -> Json:
        path = f"{self.project_path()}/_apis/wit/workitems/${quote(type_name)}"
        item = _as_object(await self._call("POST", path, json=patch, headers=JSON_PATCH))
        if "id" not in item:
            raise VendorFault("answered without a work item", is_unknown=True)
        return item

    async def get_batch(self, ids: list[int], fields: list[str]) -> list[Json]:
        """Up to 200 work items; those that are gone or hidden are left out."""
        found = await self.post("/_apis/wit/workitemsbatch", {"ids": ids, "fields": fields, "errorPolicy": "Omit"})
        return [item for item in found.get("value") or [] if item]

    async def query(self, conditions: str, order: str, top: int) -> Json:
        """Ids of the work items that meet ``conditions``. ``timePrecision`` lets times count, not days only."""
        params = {"timePrecision": "true", "$top": str(top)}
        wiql = " ".join(("SELECT [System.Id] FROM WorkItems WHERE", conditions, "ORDER BY", order))
        return await self.post(f"{self.project_path()}/_apis/wit/wiql", {"query": wiql}, params)

    async def get_comments(self, ref: ExternalRef, project: str) -> list[Json]:
        """All comments of a work item, deleted ones included, oldest first."""
        params = {"$top": str(BATCH), "order": "asc", "includeDeleted": "true"}
        path = f"{self.project_path(project)}/_apis/wit/workItems/{ref.id}/comments"
        rows: list[Json] = []
        for _ in range(MOST_PAGES):
            page = await self.get_or_none(path, params, preview=await self.comments_preview())
            if page is None:
                raise TicketGone(f"the comments of work item {ref.id} are gone or not visible to us")
            rows += page.get("comments") or []
            token = page.get("continuationToken")
            if not token or token == params.get("continuationToken"):
                return sorted(rows, key=lambda row: int(row["id"]))
            params = {**params, "continuationToken": str(token)}
        raise VendorFault(f"work item {ref.id} has more than {MOST_PAGES} pages of comments")

    async def get_updates(self, ref: ExternalRef) -> list[Json]:
        """The updates feed of a work item, oldest first."""
        rows: list[Json] = []
        for _ in range(MOST_PAGES):
            params = {"$top": str(BATCH), "$skip": str(len(rows))}
            page = await self.get_or_none(f"/_apis/wit/workItems/{ref.id}/updates", params)
            if page is None:
                raise TicketGone(f"work item {ref.id} is deleted or not visible to us")
            rows += page.get("value") or []
            if len(page.get("value") or []) < BATCH:
                return sorted(rows, key=lambda row: int(row["id"]))
        raise VendorFault(f"work item {ref.id} has more than {MOST_PAGES} pages of updates")

    async def upload(self, params: Mapping[str, str], data: Any) -> Json:
        return _as_object(
            await self._call(
                "POST",
                f"{self.project_path()}/_apis/wit/attachments",
                params=params,
                data=data,
                headers={"Content-Type": "application/octet-stream"},
            )
        )

    async def upload_part(self, file_id: str, file_name: str, part: bytes, place: str) -> None:
        await self._call(
            "PUT",
            f"{self.project_path()}/_apis/wit/attachments/{file_id}",
            params={"fileName": file_name},
            data=part,
            headers={"Content-Type": "application/octet-stream", "Content-Range": place},
        )

    async def download(self, file_id: str, file_name: str) -> AsyncIterator[bytes]:
        """The bytes of a file, from our own address: never from one that a text brought along."""
        params = {"fileName": file_name, "download": "true", "api-version": await self.version()}
        async for chunk in self._http.stream(f"/_apis/wit/attachments/{quote(file_id)}", params=params):
            yield chunk

    async def find_identities(self, text: str) -> list[Json]:
        params = {"searchFilter": "General", "filterValue": text}
        found = await self.get(f"{self.identity_url}/_apis/identities", params)
        return [identity for identity in found.get("value") or [] if identity]

    def project_path(self, project: str = "") -> str:
        return "/" + quote(project or self._settings.project)

    async def comments_preview(self) -> str:
        """The comments API is a preview in every version."""
        return "4" if await self.version() == NEWEST_VERSION else "3"

    async def _negotiate(self) -> str:
        """Ask in which versions work items come; an old Server that does not tell gets the oldest we speak."""
        answer = await self._http.request("OPTIONS", "/_apis/wit", accept=frozenset({200, 404, 405}))
        rows = read_body(answer).get("value") if answer.status == 200 else None
        released = [
            str(row.get("releasedVersion"))
            for row in rows or []
            if isinstance(row, dict) and str(row.get("resourceName", "")).lower() == "workitems"
        ]
        offered = max((_as_numbers(version) for version in released), default=_as_numbers(OLDEST_VERSION))
        return ".".join(str(number) for number in min(offered, _as_numbers(NEWEST_VERSION)))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        accept: frozenset[int] = _GOOD,
        preview: str = "",
    ) -> Answer:
        version = await self.version()
        asked = {**(params or {}), "api-version": f"{version}-preview.{preview}" if preview else version}
        answer = await self._http.request(
            method, path, params=asked, json=json, data=data, headers=headers, accept=accept
        )
        if answer.status < 300 and is_sign_in_page(answer):
            raise SignInFailed("answered with a sign-in page: the credentials are not valid")
        return answer


def _as_object(answer: Answer) -> Json:
    if answer.status == 204 or (answer.status < 300 and not answer.body):
        return {}
    body = answer.json()
    if not isinstance(body, dict):
        raise VendorFault("answered with JSON that is not an object", is_unknown=True)
    return body


def _as_item(answer: Answer, ref: ExternalRef) -> Json:
    """The work item that was asked for. A 404 that is not about the work item is refused as what it is."""
    if answer.status == 404:
        raise _read_missing(answer, ref)
    item = _as_object(answer)
    if str(item.get("id")) != ref.id:
        raise VendorFault(f"answered with work item {item.get('id')} instead of {ref.id}", is_unknown=True)
    return item


def _read_missing(answer: Answer, ref: ExternalRef) -> ConnectorError:
    message = read_message(read_body(answer))
    if not message or "TF401232" in message or "does not exist" in message:
        return TicketGone(f"work item {ref.id} is deleted or not visible to us")
    return read_refusal(answer) or Rejected(message)


def _as_numbers(version: str) -> tuple[int, ...]:
    """A version for comparing: 7.1 of ``7.1`` or ``7.1-preview.3``."""
    numbers = tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdigit())
    return numbers or (6, 0)
