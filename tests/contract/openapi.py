"""A contract: what one vendor's documents say about a request and its answer."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from .documents import Document
from .parameters import ParameterReader
from .schemas import Schemas, Side

NO_ANSWER = 499
"""How a sandbox records a request whose connection was cut."""
_HOLE = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded request and its answer, as the control door of a sandbox tells it."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    status: int = 200
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: str = ""
    number: int = 0
    at: str = ""


@dataclass(frozen=True, slots=True)
class Violation:
    side: Side
    operation: str
    text: str

    def __str__(self) -> str:
        return f"{self.side.value} {self.operation}: {self.text}"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a vendor does everywhere and says in prose, or not at all."""

    ignores_path_case: bool = False
    path_ending: str = ""
    """An ending that every path may bear."""
    answers_null: bool = False
    errors: Mapping[str, Any] = field(default_factory=dict)
    """The schema of error answers, where the document names a status and no body, or not even the status."""
    silent_statuses: Mapping[int, str] = field(default_factory=dict)
    """Statuses that any operation may answer with, though hardly any document says so: status → where it is said."""
    anonymous: tuple[str, ...] = ()
    """Paths (regular expressions) that need no Authorization header."""
    reading_parameters: tuple[Mapping[str, Any], ...] = ()
    """Query parameters that every reading operation takes."""
    wraps_lists: bool = False
    """Whether a list is answered as ``{"count": n, "value": [...]}``."""
    accept_parameters: tuple[str, ...] = ()
    """Query parameters that may stand in the Accept header instead (``application/json;api-version=7.1``)."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Path → the documented path that answers the same."""
    rules: tuple["Rule", ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A requirement that the vendor states in prose: ``judge`` yields what is wrong with an exchange."""

    methods: tuple[str, ...]
    path: str
    judge: Any
    reason: str

    def problems(self, exchange: Exchange) -> Iterator[tuple[Side, str]]:
        if exchange.method in self.methods and re.search(self.path, exchange.path):
            yield from self.judge(exchange)


class Operation:
    """One method of one path of one document."""

    def __init__(
        self, document: Document, method: str, path: str, node: Mapping[str, Any], parameters: list[Any]
    ) -> None:
        self.document, self.method, self.path, self.node, self.parameters = document, method, path, node, parameters
        self.name = f"{method} {path}"
        self.holes = _HOLE.findall(path.split("?", maxsplit=1)[0])

    @cached_property
    def body(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether a body is required, and content type → schema. No content types: no body is taken."""
        if not self.document.is_swagger_2:
            told = self.document.resolve(self.node.get("requestBody", {}))
            return told.get("required", False), _by_content_type(told.get("content", {}))
        for parameter in self.parameters:
            if parameter["in"] == "body":
                types = self.node.get("consumes", ["application/json"])
                return parameter.get("required", False), dict.fromkeys(types, parameter["schema"])
        return False, {}

    def answers(self, status: int) -> Mapping[str, Any] | None:
        """Content type → schema of the answer; None where the document does not know the status."""
        told = self.node["responses"]
        for key in (str(status), f"{status // 100}XX", "default"):
            if key in told:
                answer = self.document.resolve(told[key])
                if not self.document.is_swagger_2:
                    return _by_content_type(answer.get("content", {}))
                types = self.node.get("produces", ["application/json"])
                return dict.fromkeys(types, answer["schema"]) if "schema" in answer else {}
        return None


def _by_content_type(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name.split(";")[0].lower(): part.get("schema", {}) for name, part in content.items()}


class Contract:
    """The documents of one system, ready to judge exchanges."""

    def __init__(self, name: str, documents: tuple[Document, ...], dialect: Dialect) -> None:
        self.name, self.documents, self.dialect = name, documents, dialect
        self._sent = {each: Schemas(each, Side.REQUEST) for each in documents}
        self._answered = {each: Schemas(each, Side.ANSWER, all_nullable=dialect.answers_null) for each in documents}
        self._wrapped: dict[int, Any] = {}

    @cached_property
    def _routes(self) -> list[tuple[re.Pattern[str], Operation]]:
        """The most literal template first: ``/issue/bulk`` before ``/issue/{id}``."""
        flags = re.IGNORECASE if self.dialect.ignores_path_case else 0
        found = [
            (re.compile(self._pattern(path), flags), Operation(document, method, path, node, parameters))
            for document in self.documents
            for method, path, node, parameters in document.operations()
        ]
        return sorted(found, key=lambda route: (len(route[1].holes), -len(route[0].pattern)))

    def _pattern(self, template: str) -> str:
        template = template.split("?", maxsplit=1)[0].rstrip("/").removesuffix(self.dialect.path_ending)
        pieces = _HOLE.split(template)
        return "".join("([^/]+)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces)) + "$"

    def find(self, method: str, path: str) -> tuple[list[tuple[Operation, dict[str, str]]], bool]:
        """The operations that a request may mean, with the values in its path; and whether any has this path.

        There are several where they differ in their query alone.
        """
        path = self.dialect.aliases.get(path, path).rstrip("/").removesuffix(self.dialect.path_ending)
        matches = [(operation, match.groups()) for pattern, operation in self._routes if (match := pattern.match(path))]
        meant = [(operation, values) for operation, values in matches if operation.method == method]
        best = [one for one in meant if self._rank(one[0]) == self._rank(meant[0][0])]
        return [(operation, dict(zip(operation.holes, values, strict=True))) for operation, values in best], bool(
            matches
        )

    def _rank(self, operation: Operation) -> str:
        return self._pattern(operation.path)

    def judge(self, exchange: Exchange) -> list[Violation] | None:
        """What is wrong with both sides of an exchange; None when no document covers its path."""
        found, is_known = self.find(exchange.method, exchange.path)
        if not is_known:
            return None
        if not found:
            name = f"{exchange.method} {exchange.path}"
            return [Violation(Side.REQUEST, name, "the document knows this path and not this method")]
        return min((self._judge_as(operation, values, exchange) for operation, values in found), key=len)

    def _judge_as(self, operation: Operation, values: Mapping[str, str], exchange: Exchange) -> list[Violation]:
        wrong = [(Side.REQUEST, text) for text in self._request_problems(operation, values, exchange)]
        if exchange.status != NO_ANSWER:
            wrong += [(Side.ANSWER, text) for text in self._answer_problems(operation, exchange)]
        for rule in self.dialect.rules:
            wrong += rule.problems(exchange)
        return [Violation(side, operation.name, text) for side, text in wrong]

    def _request_problems(self, operation: Operation, values: Mapping[str, str], exchange: Exchange) -> Iterator[str]:
        reader = ParameterReader(operation.document, self._sent[operation.document])
        accepted = [
            (name, match[1])
            for name in self.dialect.accept_parameters
            if (match := re.search(rf"{name}=([^;,\s]+)", exchange.headers.get("accept", "")))
        ]
        pairs = read_query(exchange.query)
        pairs += [pair for pair in accepted if pair[0] not in dict(pairs)]
        shared = self.dialect.reading_parameters if exchange.method == "GET" else ()
        yield from reader.path_problems(operation.parameters, values)
        yield from reader.query_problems([*shared, *operation.parameters], pairs)
        yield from reader.header_problems(operation.parameters, exchange.headers)
        if "authorization" not in exchange.headers and not any(
            re.search(p, exchange.path) for p in self.dialect.anonymous
        ):
            yield "header: 'Authorization' is required"
        yield from self._body_problems(operation, exchange)

    def _body_problems(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        is_required, types = operation.body
        sent_as = content_type(exchange.headers)
        if not exchange.body and (is_json(sent_as) or not sent_as or not types):
            # An empty file is a body too.
            if is_required:
                yield "a body is required"
            return
        if not types:
            yield "the document knows no body here"
            return
        if not _matches(sent_as, types):
            yield f"content type {sent_as!r}, expected {', '.join(types)}"
            return
        schemas, schema = self._sent[operation.document], types.get(sent_as)
        if is_json(sent_as):
            yield from _value_problems(schemas, schema, exchange.body, is_closed=True)
        elif sent_as == "application/x-www-form-urlencoded":
            yield from schemas.problems(schema, dict(read_query(exchange.body)))

    def _answer_problems(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        types = operation.answers(exchange.status)
        if types is None:
            if exchange.status not in self.dialect.silent_statuses:
                yield f"status {exchange.status} is not documented"
                return
            types = {}
        answered_as = content_type(exchange.answer_headers)
        if not exchange.answer:
            # HTTP knows no body with 204, and an empty schema tells of none.
            if exchange.status != 204 and any(is_json(kind) and schema for kind, schema in types.items()):
                yield f"status {exchange.status} without the documented body"
        elif exchange.status >= 500 and answered_as == "text/html":
            # A gateway's page: no vendor vouches for its form.
            return
        elif types and not _matches(answered_as, types):
            yield f"answer of content type {answered_as!r}, expected {', '.join(types)}"
        elif is_json(answered_as):
            schema = types.get(answered_as) if types else self.dialect.errors if exchange.status >= 400 else None
            yield from _value_problems(
                self._answered[operation.document], self._as_answered(schema), exchange.answer, is_closed=False
            )
        elif exchange.status >= 400:
            yield f"an error of content type {answered_as!r}"

    def _as_answered(self, schema: Any) -> Any:
        """The schema of what really comes, where lists come wrapped."""
        if not self.dialect.wraps_lists or not isinstance(schema, Mapping) or schema.get("type") != "array":
            return schema
        if id(schema) not in self._wrapped:
            members = {"count": {"type": "integer"}, "value": schema}
            self._wrapped[id(schema)] = {"type": "object", "properties": members, "required": list(members)}
        return self._wrapped[id(schema)]


def _value_problems(schemas: Schemas, schema: Any, text: str, *, is_closed: bool) -> Iterator[str]:
    try:
        value = json.loads(text)
    except ValueError as problem:
        yield f"no JSON: {problem}"
        return
    yield from schemas.problems(schema, value)
    if is_closed:
        yield from schemas.unknown_members(schema, value)


def read_query(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def content_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").split(";")[0].strip().lower()


def is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json") or kind == "text/json"


def _matches(kind: str, types: Mapping[str, Any]) -> bool:
    return any(each in (kind, "*/*") or (each.endswith("/*") and kind.startswith(each[:-1])) for each in types)
