"""A Jira site on loopback: Cloud or Data Center, by a setting, over the same records."""

import hashlib
from datetime import datetime
from typing import Any

from aiohttp import web

from apps.sandbox.server import CONTROL, Sandbox

from . import seed
from .errors import NOT_SIGNED_IN, Refusal
from .records import Records, iso
from .routes import Match, find
from .settings import BadSetting, JiraSettings
from .signin import exchange_token, identify
from .site import Call, Caller, Site
from .state import Issue
from .texts import as_wiki
from .throttle import exceeded
from .values import plain

GATEWAY = f"/ex/jira/{seed.CLOUD_ID}"
STATE_FIELDS = ("summary", "description", "environment", "status", "priority", "resolution", "assignee", "reporter")
FAULT_TEXTS = {
    401: NOT_SIGNED_IN,
    403: "You do not have permission to perform this operation.",
    404: "Issue does not exist or you do not have permission to see it.",
    409: "The issue was changed by another request at the same time.",
    422: "The configuration of the project does not allow this operation.",
    500: "Internal server error",
    503: "The service is temporarily unavailable.",
}


class JiraSandbox(Sandbox):
    """One site. ``settings`` are its switches; ``site`` is everything that a reset throws away."""

    name = "jira"

    def __init__(self, settings: JiraSettings | None = None) -> None:
        super().__init__()
        self._first = (settings or JiraSettings()).as_json()
        self.settings = settings or JiraSettings()
        self.site = self._fresh_site()

    def _fresh_site(self) -> Site:
        return Site(self.settings, self._now, lambda: self.origin, self.deliveries)

    def _now(self) -> datetime:
        return self.clock()

    def reset(self) -> None:
        self.settings.patch(self._first)
        self.site = self._fresh_site()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(CONTROL + "settings", self._get_settings)
        router.add_patch(CONTROL + "settings", self._patch_settings)
        router.add_post(CONTROL + "tickets/{ticket}/move", self._move_ticket)
        router.add_route("*", "/{path:.*}", self._serve)

    async def _get_settings(self, _request: web.Request) -> web.Response:
        return web.json_response(self.settings.as_json())

    async def _patch_settings(self, request: web.Request) -> web.Response:
        try:
            self.settings.patch(await request.json())
        except (BadSetting, AttributeError, ValueError) as problem:
            return web.json_response({"error": str(problem)}, status=400)
        return web.json_response(self.settings.as_json())

    async def _move_ticket(self, request: web.Request) -> web.Response:
        """Move an issue as a person does on the screen, for which token callers have no simple request."""
        issue = self.site.store.find(request.match_info["ticket"])
        project = self.site.store.project(str((await request.json()).get("project", "")))
        if issue is None or project is None:
            return web.json_response({"error": "no such ticket or project"}, status=404)
        Records(self.site, seed.ELAINE_ACCOUNT).move(issue, project)
        return web.json_response({"id": issue.id, "key": issue.key})

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            return await self._answer(request)
        except Refusal as refusal:
            return refusal.response()

    async def _answer(self, request: web.Request) -> web.Response:
        path, through_gateway = request.path, False
        if self.settings.is_cloud:
            if (request.method, path) == ("POST", "/oauth/token"):
                return await exchange_token(self.site, request)
            if path.startswith(GATEWAY + "/"):
                path, through_gateway = path.removeprefix(GATEWAY), True
            if path == "/oauth/token/accessible-resources":
                return self._accessible_resources(request)
        match = find(self.settings.deployment, request.method, path)
        if match.route is None:
            return _unknown(request, match)
        caller = identify(self.site, request, through_gateway)
        if match.route.needs_sign_in and caller.user is None:
            raise Refusal(401, NOT_SIGNED_IN, headers=caller.headers)
        call = Call(self.site, request, caller, match.version, match.parts)
        budget = self._spend(call, match)
        try:
            response = await match.route.handler(call)
        except Refusal as refusal:
            response = refusal.response()
        response.headers.update(budget | self._identity_headers(caller))
        return response

    def _spend(self, call: Call, match: Match) -> dict[str, str]:
        """Take the request from every budget that it touches; raises the vendor's 429."""
        route, throttle = match.route, self.site.throttle
        if route is None or call.caller.user is None:
            return {}
        if not self.settings.is_cloud:
            return throttle.draw(self.site, call.caller.user.name)
        throttle.check_burst(self.site, f"{route.method} {route.path}")
        issue = self.site.store.find(match.parts.get("issue", "")) if route.writes_issue else None
        if issue is not None:
            throttle.check_issue_write(self.site, issue.id)
        if call.caller.is_app:
            throttle.charge(self.site)
        return {}

    def _identity_headers(self, caller: Caller) -> dict[str, str]:
        if caller.user is None:
            return dict(caller.headers or {})
        if self.settings.is_cloud:
            return {"X-AACCOUNTID": caller.user.account_id}
        return {"X-AUSERNAME": caller.user.name, "X-Seraph-LoginReason": "OK"}

    def _accessible_resources(self, request: web.Request) -> web.Response:
        identify(self.site, request, through_gateway=True)
        scopes = ["read:jira-work", "write:jira-work", "read:jira-user", "manage:jira-webhook"]
        return web.json_response([{"id": seed.CLOUD_ID, "name": "infinity", "url": self.origin, "scopes": scopes}])

    def error(self, status: int, retry_after: float | None = None) -> web.Response:
        """A switched-on fault in the vendor's words; 429 carries the headers of the reason that the settings name."""
        if status == 429 and self.settings.is_cloud:
            refusal = exceeded(self.settings.fault_429_reason, retry_after or 1, 100, self.site.now())
            if retry_after is None:
                del refusal.headers["Retry-After"]
            return refusal.response()
        text = FAULT_TEXTS.get(status, "Rate limit exceeded." if status == 429 else "The request failed.")
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return Refusal(status, text, headers=headers).response()

    def true_state(self) -> dict[str, Any]:
        return {"system": self.name, "tickets": [self._ticket(issue) for issue in self.site.store.issues.values()]}

    def _ticket(self, issue: Issue) -> dict[str, Any]:
        store, site = self.site.store, self.site
        wanted = [spec for spec in store.fields.values() if spec.id in STATE_FIELDS or spec.is_custom]
        fields = {spec.id: plain(site, spec, issue.values.get(spec.id)) for spec in wanted}
        fields |= {"project": issue.project, "labels": list(issue.values["labels"])}
        fields["duedate"] = issue.values.get("duedate")
        names = {account: person.display_name for account, person in store.users.items()}
        return {
            "id": issue.id,
            "key": issue.key,
            "type": store.issue_types[issue.values["issuetype"]].name,
            "created_at": iso(issue.created),
            "deleted": issue.is_deleted,
            "fields": fields,
            "comments": [
                {
                    "id": entry.id,
                    "author": names[entry.author],
                    "text": as_wiki(entry.body),
                    "public": entry.is_public,
                    "at": iso(entry.created),
                }
                for entry in issue.comments
            ],
            "attachments": [
                {
                    "id": entry.id,
                    "name": entry.filename,
                    "size": len(entry.content),
                    "sha256": hashlib.sha256(entry.content).hexdigest(),
                    "at": iso(entry.created),
                }
                for entry in issue.attachments
            ],
            "log": list(issue.log),
        }


def _unknown(request: web.Request, match: Match) -> web.Response:
    """A path that does not exist is 404, a method that it does not take 405, both in the web tier's own words."""
    if match.methods:
        headers = {"Allow": ",".join(sorted(set(match.methods)))}
        return web.json_response(
            {"message": "HTTP 405 Method Not Allowed", "status-code": 405}, status=405, headers=headers
        )
    text = f"null for uri: {request.url.with_query(None)}"
    return web.json_response({"message": text, "status-code": 404}, status=404)
