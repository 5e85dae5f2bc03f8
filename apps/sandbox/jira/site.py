"""One Jira site in memory, and one request to it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from apps.sandbox.deliveries import Deliveries

from . import seed
from .errors import NOT_SIGNED_IN, Refusal, bad, missing_issue
from .hooks import HookRegistry
from .index import SearchIndex
from .settings import JiraSettings
from .signin import OAuthGrants
from .state import Issue, Project, Store, User
from .throttle import Throttle


class Site:
    """Everything behind one address: records, search index, webhooks, grants, request budgets."""

    def __init__(
        self,
        settings: JiraSettings,
        clock: Callable[[], datetime],
        origin: Callable[[], str],
        deliveries: Deliveries,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._origin = origin
        self.store = Store()
        seed.fill(self.store)
        self.index = SearchIndex()
        self.hooks = HookRegistry(deliveries)
        self.grants = OAuthGrants(self.now())
        self.throttle = Throttle()
        self.failed_logins: dict[str, int] = {}

    @property
    def origin(self) -> str:
        return self._origin()

    def now(self) -> datetime:
        """The time in UTC, cut to the milliseconds that the vendor keeps."""
        at = self._clock().astimezone(UTC)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    def is_simplified(self, project: str) -> bool:
        return project in self.settings.simplified_projects

    def is_service_project(self, project: str) -> bool:
        return project in self.settings.service_projects


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: nobody (``user`` is None), a person, or an app that acts for a person."""

    user: User | None = None
    is_app: bool = False
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class View:
    """How answers are written: the interface version, and the reader's eyes and time zone."""

    site: Site
    version: str
    reader: User | None

    @property
    def is_cloud(self) -> bool:
        return self.site.settings.is_cloud

    @property
    def api(self) -> str:
        return f"{self.site.origin}/rest/api/{self.version}"

    def stamp(self, at: datetime) -> str:
        local = at.astimezone(ZoneInfo(self.reader.zone if self.reader else "UTC"))
        return local.strftime("%Y-%m-%dT%H:%M:%S.") + f"{local.microsecond // 1000:03d}" + local.strftime("%z")


class Call:
    """One request, its caller and the site that it came to."""

    def __init__(
        self, site: Site, request: web.Request, caller: Caller, version: str, parts: Mapping[str, str]
    ) -> None:
        self.site = site
        self.request = request
        self.caller = caller
        self.version = version
        self.parts = parts
        self.view = View(site, version, caller.user)

    @property
    def user(self) -> User:
        """The signed-in person; raises the vendor's 401 for an anonymous caller."""
        if self.caller.user is None:
            raise Refusal(401, NOT_SIGNED_IN, headers=self.caller.headers)
        return self.caller.user

    def part(self, name: str) -> str:
        return self.parts[name]

    async def json(self) -> Any:
        """The JSON body; raises 415 for another content type and 400 for a body that is not JSON."""
        if self.request.content_type != "application/json":
            raise Refusal(415, f"Content type '{self.request.content_type}' is not supported.")
        try:
            return json.loads(await self.request.read(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as problem:
            raise bad("There was an error parsing JSON. Check that your request body is valid.") from problem

    async def json_object(self) -> dict[str, Any]:
        body = await self.json()
        if not isinstance(body, dict):
            raise bad("Invalid request payload. Refer to the REST API documentation and try again.")
        return body

    def flag(self, name: str, otherwise: bool = False) -> bool:
        return self.request.query.get(name, str(otherwise)).lower() == "true"

    def number(self, name: str, otherwise: int, most: int | None = None) -> int:
        """A whole number from the query, cut to ``most``; raises 400 for anything else."""
        given = self.request.query.get(name)
        if given is None:
            return otherwise
        try:
            value = int(given)
        except ValueError as problem:
            raise bad(f"Query parameter '{name}' must be a whole number.") from problem
        if value < 0:
            raise bad(f"Query parameter '{name}' must not be negative.")
        return value if most is None else min(value, most)

    def words(self, name: str) -> list[str]:
        """A list from the query, given as a comma list, repeated, or both."""
        given = (word.strip() for value in self.request.query.getall(name, []) for word in value.split(","))
        return [word for word in given if word]

    def issue(self, name: str = "issue") -> Issue:
        """The issue that the path names; 404 alike when it is missing, hidden, or the caller is nobody."""
        issue = self.site.store.find(self.part(name))
        if issue is None or not self.may_see(issue):
            raise missing_issue()
        return issue

    def may_see(self, issue: Issue) -> bool:
        return self.caller.user is not None and issue.project not in self.site.settings.forbidden_projects

    def project(self, name: str = "project") -> Project:
        wanted = self.part(name)
        project = self.site.store.project(wanted) if self.caller.user else None
        if project is None or project.key in self.site.settings.forbidden_projects:
            raise Refusal(404, f"No project could be found with key '{wanted}'.")
        return project

    def page(self, items: list[Any], most: int = 100, otherwise: int = 50) -> dict[str, Any]:
        """An offset page in the common shape: values, startAt, maxResults, total, isLast."""
        start = self.number("startAt", 0)
        size = self.number("maxResults", otherwise, most)
        shown = items[start : start + size]
        here = self.site.origin + self.request.path
        page = {"self": f"{here}?startAt={start}&maxResults={size}", "maxResults": size, "startAt": start}
        is_last = start + len(shown) >= len(items)
        if not is_last:
            page["nextPage"] = f"{here}?startAt={start + size}&maxResults={size}"
        return page | {"total": len(items), "isLast": is_last, "values": shown}


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
