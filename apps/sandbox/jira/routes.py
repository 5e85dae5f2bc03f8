"""Every path that the site answers, and for which edition of the product it exists."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from . import attachments, comments, hook_routes, issues, links, metadata, search
from .site import Call

Handler = Callable[[Call], Awaitable[web.Response]]

CLOUD, DATA_CENTER = "Cloud", "Server"
BOTH = (CLOUD, DATA_CENTER)


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. ``writes_issue`` marks what counts against the budget of writes on one issue."""

    method: str
    path: str
    handler: Handler
    editions: tuple[str, ...] = BOTH
    needs_sign_in: bool = True

    @property
    def writes_issue(self) -> bool:
        return self.method != "GET" and "{issue}" in self.path


def _platform() -> list[Route]:
    return [
        Route("GET", "/serverInfo", metadata.server_info, needs_sign_in=False),
        Route("GET", "/myself", metadata.myself),
        Route("GET", "/field", metadata.list_fields, needs_sign_in=False),
        Route("GET", "/field/{field}/context", metadata.list_contexts, (CLOUD,)),
        Route("GET", "/field/{field}/context/{context}/option", metadata.list_options, (CLOUD,)),
        Route("GET", "/priority", metadata.list_priorities),
        Route("GET", "/priority/search", metadata.search_priorities, (CLOUD,)),
        Route("GET", "/status", metadata.list_statuses),
        Route("GET", "/statuscategory", metadata.list_categories),
        Route("GET", "/resolution", metadata.list_resolutions),
        Route("GET", "/issuetype", metadata.list_issue_types),
        Route("GET", "/issueLinkType", metadata.list_link_types),
        Route("GET", "/project", metadata.list_projects, needs_sign_in=False),
        Route("GET", "/project/search", metadata.search_projects, (CLOUD,), needs_sign_in=False),
        Route("GET", "/project/{project}", metadata.get_project, needs_sign_in=False),
        Route("GET", "/project/{project}/statuses", metadata.project_statuses, needs_sign_in=False),
        Route("GET", "/user", metadata.get_user),
        Route("GET", "/user/search", metadata.search_users),
        Route("GET", "/user/assignable/search", metadata.assignable_users),
        Route("GET", "/user/bulk", metadata.users_in_bulk, (CLOUD,)),
    ]


def _searches() -> list[Route]:
    return [
        Route("GET", "/search/jql", search.search_by_token, (CLOUD,), needs_sign_in=False),
        Route("POST", "/search/jql", search.search_by_token, (CLOUD,), needs_sign_in=False),
        Route("POST", "/search/approximate-count", search.count, (CLOUD,), needs_sign_in=False),
        Route("GET", "/search", search.removed, (CLOUD,), needs_sign_in=False),
        Route("POST", "/search", search.removed, (CLOUD,), needs_sign_in=False),
        Route("GET", "/search", search.search_by_offset, (DATA_CENTER,)),
        Route("POST", "/search", search.search_by_offset, (DATA_CENTER,)),
    ]


def _issues() -> list[Route]:
    return [
        Route("POST", "/issue", issues.create_issue),
        Route("POST", "/issue/bulk", issues.create_issues),
        Route("POST", "/issue/bulkfetch", issues.fetch_issues, (CLOUD,)),
        Route("POST", "/changelog/bulkfetch", issues.fetch_changelogs, (CLOUD,)),
        Route("GET", "/issue/createmeta", metadata.create_meta, (CLOUD,)),
        Route("GET", "/issue/createmeta/{project}/issuetypes", metadata.create_meta_types),
        Route("GET", "/issue/createmeta/{project}/issuetypes/{type}", metadata.create_meta_fields),
        Route("GET", "/issue/{issue}", issues.get_issue, needs_sign_in=False),
        Route("PUT", "/issue/{issue}", issues.edit_issue),
        Route("DELETE", "/issue/{issue}", issues.delete_issue),
        Route("PUT", "/issue/{issue}/assignee", issues.assign_issue),
        Route("GET", "/issue/{issue}/transitions", issues.get_transitions, needs_sign_in=False),
        Route("POST", "/issue/{issue}/transitions", issues.do_transition),
        Route("GET", "/issue/{issue}/editmeta", issues.get_edit_meta, needs_sign_in=False),
        Route("GET", "/issue/{issue}/changelog", issues.get_changelog, (CLOUD,), needs_sign_in=False),
        Route("PUT", "/issue/{issue}/archive", issues.archive_issue, (DATA_CENTER,)),
        Route("PUT", "/issue/{issue}/restore", issues.restore_issue, (DATA_CENTER,)),
        Route("GET", "/issue/{issue}/comment", comments.list_comments, needs_sign_in=False),
        Route("POST", "/issue/{issue}/comment", comments.add_comment),
        Route("GET", "/issue/{issue}/comment/{comment}", comments.get_comment, needs_sign_in=False),
        Route("PUT", "/issue/{issue}/comment/{comment}", comments.edit_comment),
        Route("DELETE", "/issue/{issue}/comment/{comment}", comments.delete_comment),
        Route("POST", "/comment/list", comments.list_by_ids, (CLOUD,)),
        Route("GET", "/comment/{comment}/properties", comments.list_properties),
        Route("GET", "/comment/{comment}/properties/{key}", comments.get_property),
        Route("PUT", "/comment/{comment}/properties/{key}", comments.set_property),
        Route("DELETE", "/comment/{comment}/properties/{key}", comments.delete_property),
    ]


def _hangers() -> list[Route]:
    return [
        Route("POST", "/issue/{issue}/attachments", attachments.upload),
        Route("GET", "/attachment/meta", attachments.get_settings),
        Route("GET", "/attachment/content/{attachment}", attachments.get_content, (CLOUD,), needs_sign_in=False),
        Route("GET", "/attachment/{attachment}", attachments.get_metadata, needs_sign_in=False),
        Route("DELETE", "/attachment/{attachment}", attachments.delete),
        Route("GET", "/issue/{issue}/properties", links.list_properties, needs_sign_in=False),
        Route("GET", "/issue/{issue}/properties/{key}", links.get_property, needs_sign_in=False),
        Route("PUT", "/issue/{issue}/properties/{key}", links.set_property),
        Route("DELETE", "/issue/{issue}/properties/{key}", links.delete_property),
        Route("GET", "/issue/{issue}/remotelink", links.list_remote_links, needs_sign_in=False),
        Route("POST", "/issue/{issue}/remotelink", links.set_remote_link),
        Route("GET", "/issue/{issue}/remotelink/{link}", links.get_remote_link, needs_sign_in=False),
        Route("DELETE", "/issue/{issue}/remotelink/{link}", links.delete_remote_link),
        Route("POST", "/issueLink", links.link_issues),
        Route("DELETE", "/issueLink/{link}", links.unlink_issues),
        Route("GET", "/webhook", hook_routes.list_registered, (CLOUD,)),
        Route("POST", "/webhook", hook_routes.register, (CLOUD,)),
        Route("DELETE", "/webhook", hook_routes.unregister, (CLOUD,)),
        Route("PUT", "/webhook/refresh", hook_routes.refresh, (CLOUD,)),
        Route("GET", "/webhook/failed", hook_routes.list_failed, (CLOUD,)),
    ]


def _outside() -> list[Route]:
    """Paths beside ``/rest/api``, written out in full."""
    desk = "/rest/servicedeskapi/request/{issue}/comment"
    hooks = "/rest/webhooks/1.0/webhook"
    return [
        Route("GET", desk, comments.list_service_comments),
        Route("POST", desk, comments.add_service_comment),
        Route("GET", hooks, hook_routes.list_hooks),
        Route("POST", hooks, hook_routes.create_hook),
        Route("GET", hooks + "/{hook}", hook_routes.get_hook),
        Route("PUT", hooks + "/{hook}", hook_routes.change_hook),
        Route("DELETE", hooks + "/{hook}", hook_routes.delete_hook),
        Route("GET", "/secure/attachment/{attachment}/{filename}", attachments.get_file, (DATA_CENTER,)),
        Route("GET", "/media/file/{attachment}/binary", attachments.get_media, (CLOUD,), needs_sign_in=False),
    ]


def _pattern(path: str) -> re.Pattern[str]:
    numbers = {"hook"}
    pieces = re.split(r"\{(\w+)\}", path)
    shown = [
        re.escape(piece) if at % 2 == 0 else f"(?P<{piece}>{r'[0-9]+' if piece in numbers else r'[^/]+'})"
        for at, piece in enumerate(pieces)
    ]
    return re.compile("".join(shown))


_API = re.compile(r"/rest/api/(?P<version>[23]|latest)(?P<rest>/.*)")
PLATFORM = [(route, _pattern(route.path)) for route in (*_platform(), *_searches(), *_issues(), *_hangers())]
OUTSIDE = [(route, _pattern(route.path)) for route in _outside()]


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for a path: the route, or only the methods that the path does take."""

    route: Route | None
    version: str
    parts: dict[str, str]
    methods: tuple[str, ...] = ()


def find(edition: str, method: str, path: str) -> Match:
    """The route for a request. Data Center has no version 3; ``latest`` is 3 on Cloud and 2 on Data Center."""
    found = _API.fullmatch(path)
    table, rest, version = OUTSIDE, path, "2"
    if found is not None:
        newest = "3" if edition == CLOUD else "2"
        version = newest if found["version"] == "latest" else found["version"]
        if version > newest:
            return Match(None, version, {})
        table, rest = PLATFORM, found["rest"]
    methods: list[str] = []
    for route, pattern in table:
        parts = pattern.fullmatch(rest)
        if parts is not None and edition in route.editions:
            if route.method == method:
                return Match(route, version, parts.groupdict())
            methods.append(route.method)
    return Match(None, version, {}, tuple(methods))
