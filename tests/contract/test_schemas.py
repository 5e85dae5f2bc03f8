"""OpenAPI's own words mean in the validator what the specification says, on a document made for it."""

from typing import Any

import pytest

from .defects import Repair
from .documents import Document, apply
from .openapi import Contract, Dialect, Exchange
from .schemas import Schemas, Side
from .servicenow import document as servicenow_document

PET = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string", "nullable": True},
        "secret": {"type": "string", "writeOnly": True},
        "born": {"type": "string", "format": "date-time"},
        "kind": {"enum": ["cat", "dog"], "nullable": True, "type": "string"},
        "owner": {"$ref": "#/components/schemas/Owner"},
    },
}
CHOICE = {
    "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
    "discriminator": {
        "propertyName": "kind",
        "mapping": {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"},
    },
}
TREE: dict[str, Any] = {
    "openapi": "3.0.1",
    "components": {
        "schemas": {
            "Pet": PET,
            "Owner": {"type": "object", "properties": {"name": {"type": "string"}}},
            "Cat": {"type": "object", "required": ["lives"], "properties": {"kind": {}, "lives": {"type": "integer"}}},
            "Dog": {"type": "object", "required": ["barks"], "properties": {"kind": {}, "barks": {"type": "boolean"}}},
            "Choice": CHOICE,
            "Both": {"allOf": [{"$ref": "#/components/schemas/Owner"}, {"properties": {"age": {"type": "integer"}}}]},
        }
    },
    "paths": {},
}
DOCUMENT = Document("pets", TREE)


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def problems(name: str, value: Any, side: Side = Side.REQUEST, **options: Any) -> list[str]:
    return list(Schemas(DOCUMENT, side, **options).problems(ref(name), value))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("Pet", {"name": "Tom"}, ""),
        ("Pet", {"name": None}, ""),
        ("Pet", {"name": "Tom", "kind": None}, ""),
        ("Pet", {}, "'name' is a required property"),
        ("Pet", {"id": 1, "name": "Tom"}, "$.id"),
        ("Pet", {"name": "Tom", "born": "yesterday"}, "$.born"),
        ("Pet", {"name": "Tom", "born": "2026-11-20T09:15:02.123+0000"}, ""),
        ("Pet", {"name": "Tom", "kind": "cow"}, "'cow'"),
        ("Pet", {"name": "Tom", "owner": None}, "$.owner"),
        ("Choice", {"kind": "cat", "lives": 9}, ""),
        ("Choice", {"kind": "cat", "barks": True}, "'lives' is a required property"),
        ("Choice", {"kind": "cow"}, "$.kind"),
        ("Choice", {"lives": 9}, "'kind' is a required property"),
    ],
)
def test_a_request_is_judged(name: str, value: Any, words: str) -> None:
    found = problems(name, value)
    assert any(words in text for text in found) if words else found == [], found


def test_read_only_members_are_required_in_answers_alone() -> None:
    assert problems("Pet", {"id": 1, "name": "Tom"}, Side.ANSWER) == []
    assert problems("Pet", {"name": "Tom"}, Side.ANSWER) == ["$: 'id' is a required property"]
    assert problems("Pet", {"id": 1, "name": "Tom", "secret": "x"}, Side.ANSWER)


def test_null_passes_where_the_vendor_is_known_for_it_and_other_mistakes_do_not() -> None:
    answer = {"id": None, "name": "Tom", "owner": None}
    assert problems("Pet", answer, Side.ANSWER, all_nullable=True) == []
    assert problems("Pet", {"id": "one", "name": "Tom"}, Side.ANSWER, all_nullable=True)


def test_unknown_members_are_named_at_every_depth() -> None:
    schemas = Schemas(DOCUMENT, Side.REQUEST)
    value = {"name": "Tom", "nmae": "Tom", "owner": {"nmae": "Ana"}}
    found = list(schemas.unknown_members(ref("Pet"), value))
    assert found == ["$: the document knows no member 'nmae'", "$.owner: the document knows no member 'nmae'"]
    assert list(schemas.unknown_members(ref("Both"), {"name": "Ana", "age": 9})) == []
    assert list(schemas.unknown_members({"type": "object", "additionalProperties": {}}, {"any": 1})) == []


SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "definitions": {"Patch": {"type": "array", "items": {"type": "object", "required": ["op"]}}},
    "parameters": {"version": {"name": "v", "in": "query", "required": True, "type": "string", "enum": ["1"]}},
    "paths": {
        "/things/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "type": "integer"}],
            "patch": {
                "consumes": ["application/json-patch+json"],
                "produces": ["application/json"],
                "parameters": [
                    {"$ref": "#/parameters/version"},
                    {"name": "top", "in": "query", "type": "integer"},
                    {"name": "body", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Patch"}},
                ],
                "responses": {"200": {"schema": {"type": "object"}}, "default": {"description": "wrong"}},
            },
        }
    },
}
PATCH = Exchange(
    "PATCH",
    "/things/7",
    "v=1",
    {"authorization": "x", "content-type": "application/json-patch+json"},
    '[{"op": "add"}]',
    200,
    {"content-type": "application/json"},
    "{}",
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"query": "v=1&top=5"}, ""),
        ({"query": ""}, "'v' is required"),
        ({"query": "v=2"}, "query v: '2' is not one of"),
        ({"query": "v=1&top=many"}, "query top"),
        ({"path": "/things/seven"}, "path id"),
        ({"body": ""}, "a body is required"),
        ({"body": "[{}]"}, "$[0]: 'op' is a required property"),
        ({"body": "{"}, "no JSON"),
        ({"headers": {"authorization": "x", "content-type": "application/json"}}, "content type"),
        ({"headers": {"content-type": "application/json-patch+json"}}, "'Authorization'"),
        ({"answer": "[]"}, "not of type 'object'"),
    ],
)
def test_swagger_2_is_read(change: dict[str, Any], words: str) -> None:
    judged = Contract("things", (Document("things", SWAGGER),), Dialect())
    exchange = Exchange(**{name: getattr(PATCH, name) for name in PATCH.__slots__} | change)
    found = [str(each) for each in judged.judge(exchange) or []]
    assert any(words in text for text in found) if words else found == [], found


def test_a_repair_that_fits_nothing_tells() -> None:
    with pytest.raises(KeyError):
        apply(Repair("pets", ("components", "schemas", "Bird", "type"), "object", "birds are objects"), dict(TREE))


def test_our_own_document_resolves_all_its_references() -> None:
    ours = servicenow_document()
    schemas = Schemas(ours, Side.ANSWER)
    for _method, _path, operation, _parameters in ours.operations():
        for answer in operation["responses"].values():
            for part in answer.get("content", {}).values():
                list(schemas.problems(part.get("schema"), {"result": {}}))
