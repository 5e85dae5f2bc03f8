"""OpenAPI schemas as JSON Schema, once for what is sent and once for what is answered."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cached_property
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from .documents import Document

BASE = "urn:document"
KEPT = (
    "enum", "required", "minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties",
    "maxProperties", "minimum", "maximum", "multipleOf", "format", "propertyNames",
)  # fmt: skip
LONGEST_WORDS = 220
# False would do, and its errors would not tell their place.
NOT_HERE: dict[str, Any] = {"not": {}}

FORMATS = FormatChecker(formats=())
FORMATS.checks("date-time", raises=ValueError)(
    lambda value: not isinstance(value, str) or datetime.fromisoformat(value)
)
FORMATS.checks("date", raises=ValueError)(lambda value: not isinstance(value, str) or date.fromisoformat(value))
FORMATS.checks("uuid", raises=ValueError)(lambda value: not isinstance(value, str) or UUID(value))
FORMATS.checks("int32")(lambda value: not isinstance(value, int) or -(2**31) <= value < 2**31)
FORMATS.checks("int64")(lambda value: not isinstance(value, int) or -(2**63) <= value < 2**63)


class Side(Enum):
    """Who speaks: read-only members belong in answers alone, write-only ones in requests alone."""

    REQUEST = "request"
    ANSWER = "answer"


class Schemas:
    """The schemas of one document for one side.

    ``all_nullable``: the vendor is known to answer null where the document says otherwise.
    """

    def __init__(self, document: Document, side: Side, *, all_nullable: bool = False) -> None:
        self._document = document
        self._hidden = "readOnly" if side is Side.REQUEST else "writeOnly"
        self._all_nullable = all_nullable
        self._validators: dict[int, tuple[Any, Draft202012Validator]] = {}

    @cached_property
    def _registry(self) -> Any:
        tree = self._document.tree
        named = tree.get("definitions") or tree.get("components", {}).get("schemas", {})
        place = {name: self.translated(schema) for name, schema in named.items()}
        contents = {"definitions": place} if "definitions" in tree else {"components": {"schemas": place}}
        resource = Resource.from_contents(contents, default_specification=DRAFT202012)
        return Registry().with_resource(BASE, resource)

    def problems(self, schema: Any, value: Any) -> Iterator[str]:
        """What is wrong with ``value``, each with its place."""
        if schema is None:
            return
        for error in self._validator(schema).iter_errors(value):
            yield _words(error)

    def _validator(self, schema: Any) -> Draft202012Validator:
        # The schema is kept beside its validator, so that its id stays its own.
        kept = self._validators.get(id(schema))
        if kept is None:
            made = Draft202012Validator(self.translated(schema), registry=self._registry, format_checker=FORMATS)
            kept = self._validators[id(schema)] = (schema, made)
        return kept[1]

    def translated(self, schema: Any) -> Any:
        if not isinstance(schema, Mapping):
            return schema
        if "$ref" in schema:
            there = {"$ref": BASE + schema["$ref"]}
            return self._or_null(there) if schema.get("nullable") else there
        made: dict[str, Any] = {name: schema[name] for name in KEPT if name in schema}
        made |= self._parts(schema)
        if isinstance(schema.get("type"), str):
            made["type"] = schema["type"]
        if not isinstance(made.get("required", []), list):
            # Swagger 2 says it of a parameter beside its type, where JSON Schema expects names of members.
            del made["required"]
        elif "required" in made:
            made["required"] = [name for name in made["required"] if not self._is_hidden(schema, name)]
        if schema.get("nullable") or self._all_nullable:
            made = self._or_null(made)
        return made

    def _parts(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name in ("items", "additionalProperties", "not"):
            if name in schema:
                made[name] = self.translated(schema[name])
        if "properties" in schema:
            made["properties"] = {
                name: NOT_HERE if self._is_hidden(schema, name) else self.translated(part)
                for name, part in schema["properties"].items()
            }
        choice = schema.get("discriminator")
        has_choice = isinstance(choice, Mapping) and "mapping" in choice
        for name in ("allOf", "anyOf", "oneOf"):
            if name in schema and not (has_choice and name != "allOf"):
                made[name] = [self.translated(part) for part in schema[name]]
        if has_choice:
            assert choice is not None
            made["allOf"] = [*made.get("allOf", []), *_chosen(choice["propertyName"], choice["mapping"])]
        return made

    def _is_hidden(self, schema: Mapping[str, Any], name: str) -> bool:
        part = schema.get("properties", {}).get(name)
        return isinstance(part, Mapping) and bool(part.get(self._hidden))

    def _or_null(self, made: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [made, {"type": "null"}]}

    def unknown_members(self, schema: Any, value: Any, at: str = "$") -> Iterator[str]:
        """Members of objects that the document knows by their members, and does not name.

        JSON Schema lets them pass where the document does not forbid them, and the vendors ignore them in silence: a
        misspelt member is then a change that never happens.
        """
        if isinstance(value, list):
            items = self._document.resolve(schema).get("items") if isinstance(schema, Mapping) else None
            for number, each in enumerate(value if items else []):
                yield from self.unknown_members(items, each, f"{at}[{number}]")
        if not isinstance(value, dict):
            return
        members, is_open = self._members(schema)
        for name, each in value.items():
            if name in members:
                yield from self.unknown_members(members[name], each, f"{at}.{name}")
            elif members and not is_open:
                yield f"{at}: the document knows no member {name!r}"

    def _members(self, schema: Any) -> tuple[dict[str, Any], bool]:
        schema = self._document.resolve(schema)
        if not isinstance(schema, Mapping):
            return {}, True
        members = dict(schema.get("properties", {}))
        is_open = isinstance(schema.get("additionalProperties"), Mapping)
        for part in (*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())):
            more, opens = self._members(part)
            members |= more
            is_open = is_open or opens
        return members, is_open


def _chosen(name: str, mapping: Mapping[str, str]) -> list[dict[str, Any]]:
    """One of the named schemas, by the value of the member ``name``."""
    must = {"type": "object", "required": [name], "properties": {name: {"enum": list(mapping)}}}
    ways = [
        {"if": {"properties": {name: {"const": value}}}, "then": {"$ref": BASE + target}}
        for value, target in mapping.items()
    ]
    return [must, *ways]


def _words(error: ValidationError) -> str:
    """The most telling of the nested errors, with its place in the value."""
    best = best_match([error]) or error
    message = "belongs to the other side alone" if best.schema == NOT_HERE else best.message
    text = f"{best.json_path}: {message}"
    return text if len(text) <= LONGEST_WORDS else text[:LONGEST_WORDS] + " …"
