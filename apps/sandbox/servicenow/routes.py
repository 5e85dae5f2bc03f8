"""Which request is carried out by what, after the checks that every request passes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from . import attachment_api, stats_api, table_api
from .access import SESSION_COOKIE, Gate, Viewer
from .batch_api import run_batch
from .errors import (
    Refusal,
    api_forbidden,
    not_acceptable,
    unknown_resource,
    unsupported_media_type,
    wrong_method,
)
from .instance import Instance, new_id
from .limits import Limiter
from .oauth import TokenOffice
from .wire import JSON, Answer, Call, html_answer

Operation = Callable[[Instance, Viewer, Call, Mapping[str, str]], Answer]

ACCEPTED = frozenset({JSON, "application/*", "*/*"})
WRITES = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of address. ``takes`` names the content that its writes accept; empty means any, but not none."""

    api: str
    name: str
    pattern: re.Pattern[str]
    operations: Mapping[str, Operation]
    takes: str = JSON
    answers_json: bool = True


def _pattern(path: str, versions: str = "v1|v2") -> re.Pattern[str]:
    return re.compile(rf"/api/now(?:/(?P<version>{versions}))?/{path}/?")


RESOURCES = (
    Resource(
        "table",
        "Table API",
        _pattern(r"table/(?P<table>[^/]+)"),
        {
            "GET": table_api.list_records,
            "POST": table_api.create_record,
        },
    ),
    Resource(
        "table",
        "Table API",
        _pattern(r"table/(?P<table>[^/]+)/(?P<sys_id>[^/]+)"),
        {
            "GET": table_api.read_record,
            "PATCH": table_api.change_record,
            "PUT": table_api.change_record,
            "DELETE": table_api.delete_record,
        },
    ),
    Resource(
        "attachment",
        "Attachment API",
        _pattern("attachment/file", "v1"),
        {
            "POST": attachment_api.upload_raw,
        },
        takes="",
    ),
    Resource(
        "attachment",
        "Attachment API",
        _pattern("attachment/upload", "v1"),
        {
            "POST": attachment_api.upload_form,
        },
        takes="multipart/form-data",
    ),
    Resource(
        "attachment",
        "Attachment API",
        _pattern("attachment", "v1"),
        {
            "GET": attachment_api.list_attachments,
        },
    ),
    Resource(
        "attachment",
        "Attachment API",
        _pattern(r"attachment/(?P<sys_id>[^/]+)", "v1"),
        {
            "GET": attachment_api.read_attachment,
            "PATCH": attachment_api.rename,
            "DELETE": attachment_api.delete_attachment,
        },
    ),
    Resource(
        "attachment",
        "Attachment API",
        _pattern(r"attachment/(?P<sys_id>[^/]+)/file", "v1"),
        {
            "GET": attachment_api.read_content,
        },
        answers_json=False,
    ),
    Resource(
        "stats",
        "Aggregate API",
        _pattern(r"stats/(?P<table>[^/]+)", "v1"),
        {
            "GET": stats_api.aggregate,
        },
    ),
)
BATCH = _pattern("batch", "v1")


class Reception:
    """Takes every request of one instance, and answers or refuses it as the vendor does."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._gate = Gate(instance)
        self._office = TokenOffice(instance, self._gate)
        self._limiter = Limiter(instance)

    def answer(self, call: Call) -> Answer:
        if self._instance.settings.hibernating_status:
            return html_answer(self._instance.settings.hibernating_status, "Instance Hibernating page")
        if call.path == "/oauth_token.do":
            return self._office.grant(call)
        if not call.path.startswith("/api/"):
            return html_answer(200 if call.path == "/" else 404, "Log in" if call.path == "/" else "Page not found")
        try:
            answer = self._answer_api(call)
        except Refusal as refusal:
            answer = refusal.answer()
        answer.headers.setdefault("X-Transaction-ID", new_id()[:12])
        answer.headers["X-Is-Logged-In"] = str(answer.status != 401).lower()
        return answer

    def _answer_api(self, call: Call) -> Answer:
        viewer = self._gate.sign_in(call)
        carry_out = self._answer_batch if BATCH.fullmatch(call.path) else self._carry_out
        answer = carry_out(viewer, call)
        if SESSION_COOKIE not in call.header("cookie"):
            answer.cookies = self._gate.session_of(viewer)
        return answer

    def _answer_batch(self, viewer: Viewer, call: Call) -> Answer:
        if call.method != "POST":
            raise wrong_method(call.method)
        self._check_switch("batch")
        headers = self._limiter.admit(viewer, "Batch API")
        _check_media(call, JSON)
        answer = run_batch(self._instance, call, lambda item: self._carry_out(viewer, item))
        answer.headers |= headers
        return answer

    def _carry_out(self, viewer: Viewer, call: Call) -> Answer:
        for resource in RESOURCES:
            found = resource.pattern.fullmatch(call.path)
            if found is None:
                continue
            method = call.method
            if method == "POST" and call.header("x-http-method-override"):
                method = call.header("x-http-method-override").upper()
            operation = resource.operations.get(method)
            if operation is None:
                raise wrong_method(method)
            self._check_switch(resource.api)
            headers = self._limiter.admit(viewer, resource.name)
            if resource.answers_json:
                _check_accept(call)
            if method in WRITES:
                _check_media(call, resource.takes)
            try:
                answer = operation(self._instance, viewer, call, found.groupdict())
            except Refusal as refusal:
                refusal.headers |= headers
                raise
            answer.headers |= headers
            return answer
        raise unknown_resource(call.path)

    def _check_switch(self, api: str) -> None:
        if api in self._instance.settings.disabled_apis:
            raise api_forbidden()


def _check_accept(call: Call) -> None:
    kinds = {part.partition(";")[0].strip().lower() for part in call.header("accept").split(",")}
    if not kinds & ACCEPTED:
        raise not_acceptable()


def _check_media(call: Call, wanted: str) -> None:
    given = call.content_type
    if not given or (wanted and given != wanted):
        raise unsupported_media_type(given)
