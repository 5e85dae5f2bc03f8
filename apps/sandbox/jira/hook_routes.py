"""Registering webhooks: an administrator's, signed with a secret, and an app's own."""

from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from . import jql
from .errors import Refusal, bad
from .hooks import ADMIN_EVENTS, DYNAMIC_EVENTS, DYNAMIC_LIFETIME, Hook
from .jql_clauses import Scope
from .site import Call, Site

MOST_DYNAMIC = 5
SECTION = "issue-related-events-section"


def _check_url(site: Site, url: Any) -> str:
    """``url`` when a webhook may go there; the vendor takes only HTTPS, a setting here also plain HTTP."""
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    schemes = ("https",) if site.settings.https_hooks_only else ("https", "http")
    if parts.scheme not in schemes or not parts.netloc:
        raise bad("The webhook URL must be an absolute HTTPS address.")
    return str(url)


def _check_filter(call: Call, text: Any, is_app: bool) -> str:
    person = call.user
    if not isinstance(text, str):
        raise bad("The JQL filter must be a string.")
    if text:
        jql.parse(text, Scope(call.site, person.account_id, person.zone, app_clauses_only=is_app))
    return text


def _events(raw: Any, known: frozenset[str]) -> list[str]:
    if not isinstance(raw, list) or not raw or not all(isinstance(name, str) for name in raw):
        raise bad("At least one event must be given.")
    unknown = sorted(set(raw) - known)
    if unknown:
        raise bad(f"The following webhook events are not supported: {', '.join(unknown)}")
    return list(raw)


def _shape(call: Call, hook: Hook) -> dict[str, Any]:
    """An administrator's webhook. The secret is never shown, only whether there is one."""
    owner = call.site.store.users[hook.owner]
    shape = {
        "name": hook.name,
        "url": hook.url,
        "excludeBody": hook.exclude_body,
        "filters": {SECTION: hook.jql},
        "events": hook.events,
        "enabled": hook.is_enabled,
        "self": f"{call.site.origin}/rest/webhooks/1.0/webhook/{hook.id}",
        "lastUpdatedUser": owner.account_id if call.site.settings.is_cloud else owner.key,
        "lastUpdatedDisplayName": owner.display_name,
        "lastUpdated": round(hook.changed.timestamp() * 1000),
    }
    return shape | {"isSigned": bool(hook.secret)}


def _admin(call: Call) -> None:
    if not call.user.is_admin:
        raise Refusal(403, "You do not have permission to manage webhooks.")


def _hook(call: Call) -> Hook:
    _admin(call)
    hook = call.site.hooks.admin.get(int(call.part("hook")))
    if hook is None:
        raise Refusal(404, f"The webhook with id {call.part('hook')} does not exist.")
    return hook


async def list_hooks(call: Call) -> web.Response:
    _admin(call)
    return web.json_response([_shape(call, hook) for hook in call.site.hooks.admin.values()])


async def get_hook(call: Call) -> web.Response:
    return web.json_response(_shape(call, _hook(call)))


async def create_hook(call: Call) -> web.Response:
    """201; administrators only. The secret cannot be read back."""
    _admin(call)
    body = await call.json_object()
    if not isinstance(body.get("name"), str) or not body["name"].strip():
        raise bad("The webhook name is required.")
    hook = Hook(0, _check_url(call.site, body.get("url")), _events(body.get("events"), ADMIN_EVENTS))
    _apply(call, hook, body)
    hook.id = call.site.hooks.number("admin")
    call.site.hooks.admin[hook.id] = hook
    return web.json_response(_shape(call, hook), status=201)


async def change_hook(call: Call) -> web.Response:
    """200; what is not named stays, the secret too."""
    hook = _hook(call)
    body = await call.json_object()
    url = _check_url(call.site, body.get("url", hook.url))
    events = _events(body.get("events", hook.events), ADMIN_EVENTS)
    _apply(call, hook, body)
    hook.url, hook.events, hook.failing_since = url, events, None
    return web.json_response(_shape(call, hook))


def _apply(call: Call, hook: Hook, body: dict[str, Any]) -> None:
    filters = body.get("filters", {SECTION: hook.jql})
    secret = body.get("secret", hook.secret)
    if not isinstance(filters, dict) or not isinstance(secret, str):
        raise bad("Invalid request payload. Refer to the REST API documentation and try again.")
    hook.jql = _check_filter(call, filters.get(SECTION, hook.jql), is_app=False)
    hook.secret, hook.name = secret, str(body.get("name", hook.name))
    hook.exclude_body = bool(body.get("excludeBody", hook.exclude_body))
    hook.is_enabled = bool(body.get("enabled", hook.is_enabled))
    hook.owner, hook.changed = call.user.account_id, call.site.now()


async def delete_hook(call: Call) -> web.Response:
    del call.site.hooks.admin[_hook(call).id]
    return web.Response(status=204)


def _app(call: Call) -> None:
    if not call.caller.is_app:
        raise Refusal(403, "Only Connect and OAuth 2.0 apps can use this operation.")


async def register(call: Call) -> web.Response:
    """Apps only (403 for people). Each webhook succeeds or fails for itself; five per app at most, for 30 days."""
    _app(call)
    body = await call.json_object()
    url, wanted = _check_url(call.site, body.get("url")), body.get("webhooks")
    if not isinstance(wanted, list) or not wanted:
        raise bad("At least one webhook must be given.")
    return web.json_response({"webhookRegistrationResult": [_register_one(call, url, each) for each in wanted]})


def _register_one(call: Call, url: str, told: Any) -> dict[str, Any]:
    hooks, now = call.site.hooks, call.site.now()
    try:
        if not isinstance(told, dict) or not told.get("jqlFilter"):
            raise bad("The jqlFilter is required.")
        if sum(1 for hook in hooks.dynamic.values() if hook.expires and hook.expires > now) >= MOST_DYNAMIC:
            raise bad(f"An app can register at most {MOST_DYNAMIC} webhooks per user.")
        text = _check_filter(call, told["jqlFilter"], is_app=True)
        events = _events(told.get("events"), DYNAMIC_EVENTS)
    except Refusal as problem:
        return {"errors": problem.messages}
    hook = Hook(hooks.number("dynamic"), url, events, jql=text, owner=call.user.account_id, changed=now)
    hook.expires = now + DYNAMIC_LIFETIME
    hook.field_ids = [str(each) for each in told.get("fieldIdsFilter") or ()]
    hooks.dynamic[hook.id] = hook
    return {"createdWebhookId": hook.id}


async def list_registered(call: Call) -> web.Response:
    _app(call)
    now = call.site.now()
    shown = []
    for hook in call.site.hooks.dynamic.values():
        if hook.expires is not None and hook.expires > now:
            shape: dict[str, Any] = {"id": hook.id, "url": hook.url, "jqlFilter": hook.jql, "events": hook.events}
            shape["expirationDate"] = round(hook.expires.timestamp() * 1000)
            shown.append(shape | {"fieldIdsFilter": hook.field_ids} if hook.field_ids else shape)
    return web.json_response(call.page(shown, 100, 100))


async def _named(call: Call) -> list[Hook]:
    _app(call)
    wanted = (await call.json_object()).get("webhookIds")
    if not isinstance(wanted, list) or not wanted:
        raise bad("At least one webhook id must be given.")
    return [hook for number, hook in call.site.hooks.dynamic.items() if number in wanted]


async def unregister(call: Call) -> web.Response:
    """202; ids that are not this app's are passed over without a word."""
    for hook in await _named(call):
        del call.site.hooks.dynamic[hook.id]
    return web.Response(status=202)


async def refresh(call: Call) -> web.Response:
    """200 with the new end, 30 days from now."""
    until = call.site.now() + DYNAMIC_LIFETIME
    for hook in await _named(call):
        hook.expires = until
    return web.json_response({"expirationDate": round(until.timestamp() * 1000)})


async def list_failed(call: Call) -> web.Response:
    """What could not be delivered in the last 72 hours, the oldest first."""
    _app(call)
    size, after = call.number("maxResults", 100, 100), call.number("after", 0)
    failures = [
        {"id": each.id, "url": each.url, "body": each.body, "failureTime": at}
        for each in call.site.hooks.recent_failures(call.site.now())
        if (at := round(each.at.timestamp() * 1000)) > after
    ]
    return web.json_response({"values": failures[:size], "maxResults": size})
