"""The common manners of the API: strict bodies, allow-listed parameters, keyset pages, problem details (RFC 9457)."""

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError
from django.db.models import Field, Model, Q
from django.http import Http404, HttpRequest
from rest_framework import exceptions, serializers, status
from rest_framework.pagination import BasePagination
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler

from .fields import key_box
from .outages import OUTAGES

log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
DEEPEST = 64
LARGEST_NUMBER = 2**63


class Refused(exceptions.APIException):
    """Refused for a reason that a person can act on. ``errors``: place → what is wrong and what would be right."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "refused"

    def __init__(self, detail: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.members = {"errors": {place: [text] for place, text in errors.items()}} if errors else {}

    @classmethod
    def from_refusal(cls, problem: Exception) -> "Refused":
        """A service's refusal: its ``problems`` by place, or the place that its text begins with (``title: …``)."""
        problems = getattr(problem, "problems", None)
        if problems is None:
            place, colon, text = str(problem).partition(": ")
            problems = {place: text} if colon and " " not in place else {}
        return cls(str(problem), problems)


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class Unstorable(exceptions.APIException):
    """The database cannot keep the value as given."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "unusable_value"
    default_detail = "The request holds a value that cannot be stored or searched for."


class NoDatabase(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = "The database does not answer; nothing was stored. Send the request again."
    wait = 30


class Fault(exceptions.APIException):
    default_code = "fault"
    default_detail = "This is a fault of the portal. Its log has the details; nothing of them is shown here."


def declared_length(request: HttpRequest | Request) -> int:
    """How long the body says it is; 0 when it does not say, or says no number."""
    said = request.META.get("CONTENT_LENGTH") or ""
    return int(said[:18]) if said.isdecimal() else 0


def answer_problem(problem: Exception, context: Mapping[str, Any]) -> Response:
    """Every error as problem details: ``title``, ``status``, ``detail`` and ``errors`` by place."""
    known = _as_api_problem(problem)
    response = exception_handler(known, dict(context))
    assert response is not None
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": str(known.default_code).replace("_", " "),
        "status": response.status_code,
        "detail": str(known.detail),
    }
    if isinstance(known, exceptions.ValidationError):
        body |= {"detail": "The request is not usable; see errors.", "errors": dict(_by_place(known.detail))}
    response.data = body | getattr(known, "members", {})
    response.content_type = PROBLEM
    return response


def _as_api_problem(problem: Exception) -> exceptions.APIException:
    if isinstance(problem, exceptions.APIException):
        return problem
    if isinstance(problem, Http404):
        return exceptions.NotFound()
    if isinstance(problem, PermissionDenied):
        return exceptions.PermissionDenied(str(problem) or None)
    if isinstance(problem, RequestDataTooBig):
        return TooLarge("the body is too large")
    if isinstance(problem, SuspiciousOperation):
        return exceptions.ParseError()
    if isinstance(problem, DataError | UnicodeEncodeError):
        return Unstorable()
    log.error("the API failed", exc_info=problem)
    return NoDatabase() if isinstance(problem, OUTAGES) else Fault()


def _by_place(detail: Any, place: str = "") -> Iterator[tuple[str, list[str]]]:
    """The nested errors of serializers, flat: ``settings.project`` → texts."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _by_place(inner, place if name == "non_field_errors" else f"{place}.{name}".lstrip("."))
    elif isinstance(detail, list) and any(isinstance(inner, Mapping | list) for inner in detail):
        for number, inner in enumerate(detail):
            yield from _by_place(inner, f"{place}.{number}".lstrip("."))
    elif detail:
        yield place or "body", [str(text) for text in (detail if isinstance(detail, list) else [detail])]


class StrictJSON(BaseParser):
    """JSON as RFC 8259 means it: UTF-8, finite numbers, bounded depth and size, and no text that a database refuses."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"a JSON body has at most {limit} bytes")
        try:
            document = json.loads(body.decode())
            check_json(document)
        except (ValueError, RecursionError) as problem:
            raise exceptions.ParseError(f"the body is not usable JSON: {problem}") from problem
        return document


def check_json(document: Any, depth: int = 0) -> None:
    """Raise ValueError for what parses as JSON and cannot be kept: NUL, half surrogates, infinities, huge integers."""
    if depth > DEEPEST:
        raise ValueError(f"nested more than {DEEPEST} levels deep")
    if isinstance(document, str):
        if "\x00" in document:
            raise ValueError("a text holds the character NUL")
        document.encode()
    elif isinstance(document, float) and not math.isfinite(document):
        raise ValueError("a number is not finite")
    elif isinstance(document, int) and not -LARGEST_NUMBER <= document < LARGEST_NUMBER:
        raise ValueError("an integer has more than 64 bits")
    elif isinstance(document, list):
        for inner in document:
            check_json(inner, depth + 1)
    elif isinstance(document, dict):
        for name, inner in document.items():
            check_json(name)
            check_json(inner, depth + 1)


class StrictSerializer(serializers.Serializer[Any]):
    """A body that names only members that exist: a misspelled one is refused, never ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            writable = sorted(name for name, field in self.fields.items() if not field.read_only)
            known = f"known are {', '.join(writable)}" if writable else "none is taken"
            unknown = [name for name in data if name not in writable]
            if unknown:
                raise serializers.ValidationError(
                    {name: [f"This member is not known here; {known}."] for name in unknown}
                )
        return super().to_internal_value(data)


class Nothing(StrictSerializer):
    """The body of a verb that needs none."""


class Pages(BasePagination):
    """Pages by key, so that page 1,000 costs what page 1 costs. No totals: a list must not count.

    A cursor is encrypted: it holds the values at which the page ended, and nobody can read or alter it.
    """

    page_size = 50
    largest_page = 200

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self._request, self._order = request, view.chosen_order()
        size = self._read_size()
        rows = queryset.order_by(*self._order)
        if cursor := request.query_params.get("cursor"):
            rows = rows.filter(_beyond(self._order, self._read_cursor(cursor, rows.model)))
        found = list(rows[: size + 1])
        self._last = found[size - 1] if len(found) > size else None
        return found[:size]

    def _read_size(self) -> int:
        asked = self._request.query_params.get("page_size", str(self.page_size))
        if not (asked.isascii() and asked.isdigit()) or len(asked) > 9 or not 1 <= int(asked) <= self.largest_page:
            raise exceptions.ValidationError({"page_size": [f"Give a number from 1 to {self.largest_page}."]})
        return int(asked)

    def _read_cursor(self, cursor: str, model: type[Model]) -> list[Any]:
        try:
            order, values = json.loads(key_box().decrypt(cursor.encode()))
            if order != list(self._order):
                raise ValueError("made for another order")
            return [_column(model, name).to_python(value) for name, value in zip(order, values, strict=True)]
        except (InvalidToken, ValueError) as problem:
            text = "This cursor does not belong to this list; take it from the answer's next."
            raise exceptions.ValidationError({"cursor": [text]}) from problem

    def _next(self) -> str | None:
        if self._last is None:
            return None
        values = [_column(type(self._last), name).value_to_string(self._last) for name in self._order]
        parameters = self._request.query_params.copy()
        parameters["cursor"] = key_box().encrypt(json.dumps([self._order, values]).encode()).decode()
        return self._request.build_absolute_uri("?" + parameters.urlencode())

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self._next()})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        address = {
            "type": "string",
            "format": "uri",
            "nullable": True,
            "description": "The next page; null on the last.",
        }
        members = {"results": schema, "next": address}
        return {"type": "object", "required": ["results", "next"], "properties": members}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        sizes = {"type": "integer", "minimum": 1, "maximum": self.largest_page, "default": self.page_size}
        schemas: dict[str, dict[str, Any]] = {"cursor": {"type": "string"}, "page_size": sizes}
        if view.orderings:
            schemas["ordering"] = {
                "type": "string",
                "enum": list(view.orderings),
                "default": next(iter(view.orderings)),
            }
        return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in schemas.items()]


def _field(name: str) -> str:
    return name.removeprefix("-")


def _column(model: type[Model], name: str) -> "Field[Any, Any]":
    column = model._meta.get_field(_field(name))
    assert isinstance(column, Field)
    return column


def _beyond(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows that come after ``values`` in ``order``; no ordered field may be null."""
    beyond, equal = Q(), Q()
    for name, value in zip(order, values, strict=True):
        comparison = "__lt" if name.startswith("-") else "__gt"
        beyond |= equal & Q(**{_field(name) + comparison: value})
        equal &= Q(**{_field(name): value})
    return beyond
