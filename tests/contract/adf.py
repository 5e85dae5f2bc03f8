"""Rich text of Jira Cloud: every document in a body against Atlassian's own schema of the format."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from .documents import parse, shared
from .openapi import Exchange, content_type, is_json
from .schemas import Side

SCHEMA = "vectors/adf/adf-schema-57.7.22-full.json"
RICH_FIELDS = ("description", "environment")


def _any_of(validator: Any, choices: list[Any], value: Any, schema: Any) -> Iterator[ValidationError]:
    """The library lists all that is wrong with each choice before the good one, which multiplies with every level."""
    if not any(validator.evolve(schema=choice).is_valid(value) for choice in choices):
        yield from Draft4Validator.VALIDATORS["anyOf"](validator, choices, value, schema)


QuickValidator = extend(Draft4Validator, {"anyOf": _any_of})


@cache
def _validator() -> Any:
    return QuickValidator({name: part for name, part in parse(shared() / SCHEMA).items() if name != "$schema"})


def problems(document: Any) -> Iterator[str]:
    """What is wrong with one document; the deepest complaint, since the schema is one large choice."""
    error = best_match(_validator().iter_errors(document))
    if error is not None:
        yield f"{error.json_path}: {error.message[:160]}"


def judge(exchange: Exchange) -> Iterator[tuple[Side, str]]:
    """Both bodies of an exchange: documents are valid, and v3 takes no bare text where it wants one."""
    sides = ((Side.REQUEST, exchange.headers, exchange.body), (Side.ANSWER, exchange.answer_headers, exchange.answer))
    for side, headers, text in sides:
        if not text or not is_json(content_type(headers)):
            continue
        try:
            body = json.loads(text)
        except ValueError:
            continue
        for place, document in _documents(body, "$"):
            for problem in problems(document):
                yield side, f"{place} is no valid document: {problem}"
        if side is Side.REQUEST and isinstance(body, dict):
            yield from ((side, problem) for problem in _bare_texts(exchange, body))


def _documents(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value.get("type") == "doc":
        yield place, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _documents(each, f"{place}.{name}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _documents(each, f"{place}[{number}]")


def _bare_texts(exchange: Exchange, body: dict[str, Any]) -> Iterator[str]:
    if "/comment" in exchange.path and isinstance(body.get("body"), str):
        yield "$.body: a comment is a document, not a text"
    fields = body.get("fields")
    for name in RICH_FIELDS:
        if isinstance(fields, dict) and isinstance(fields.get(name), str):
            yield f"$.fields.{name}: a document is wanted, not a text"
