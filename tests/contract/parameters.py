"""Query, path and header parameters: read from the wire as the document says they are written, then judged."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .documents import Document
from .schemas import Schemas

_DEEP = re.compile(r"(.+?)\[(.+)\]$")
_NUMBER = re.compile(r"-?\d+(\.\d+)?$")


class ParameterReader:
    """Judges the parameters of the operations of one document."""

    def __init__(self, document: Document, schemas: Schemas) -> None:
        self._document = document
        self._schemas = schemas

    def query_problems(self, parameters: list[Any], pairs: list[tuple[str, str]]) -> Iterator[str]:
        """Required ones that are missing, unknown ones, and values of a wrong type or outside an enumeration."""
        declared = {each["name"]: each for each in parameters if each["in"] == "query"}
        sent: dict[str, list[tuple[str, str]]] = {}
        for name, value in pairs:
            deep = _DEEP.match(name)
            owner = deep[1] if deep and name not in declared and deep[1] in declared else name
            sent.setdefault(owner, []).append((name, value))
        for name in sent:
            if name not in declared:
                yield f"query: the document knows no parameter {name!r}"
        for name, parameter in declared.items():
            if name in sent:
                yield from self._judge(parameter, sent[name])
            elif parameter.get("required"):
                yield f"query: {name!r} is required"

    def path_problems(self, parameters: list[Any], found: Mapping[str, str]) -> Iterator[str]:
        for parameter in parameters:
            if parameter["in"] == "path" and parameter["name"] in found:
                yield from self._judge(parameter, [(parameter["name"], found[parameter["name"]])])

    def header_problems(self, parameters: list[Any], headers: Mapping[str, str]) -> Iterator[str]:
        for parameter in parameters:
            name = parameter["name"]
            if parameter["in"] == "header" and name.lower() not in headers:
                if parameter.get("required"):
                    yield f"header: {name!r} is required"
            elif parameter["in"] == "header":
                yield from self._judge(parameter, [(name, headers[name.lower()])])

    def _judge(self, parameter: Mapping[str, Any], sent: list[tuple[str, str]]) -> Iterator[str]:
        # Swagger 2 writes the schema's members beside the parameter's own.
        resolved = self._document.resolve(parameter.get("schema", parameter))
        deep = {match[2]: value for name, value in sent if (match := _DEEP.match(name)) and name != parameter["name"]}
        value: Any = deep
        if not deep:
            value = self._read(resolved, [text for _, text in sent], parameter)
        elif resolved.get("properties"):
            value = {name: self._one(resolved["properties"].get(name, {}), text) for name, text in deep.items()}
        for problem in self._schemas.problems(resolved, value):
            yield f"{parameter['in']} {parameter['name']}{problem.removeprefix('$')}"

    def _read(self, schema: Mapping[str, Any], texts: list[str], parameter: Mapping[str, Any]) -> Any:
        if schema.get("type") == "array":
            if len(texts) == 1 and not parameter.get("explode", "schema" in parameter):
                texts = texts[0].split(",")
            return [self._one(self._document.resolve(schema.get("items", {})), text) for text in texts]
        return self._one(schema, texts[-1])

    def _one(self, schema: Mapping[str, Any], text: str) -> Any:
        """The text as the type says; a text that is none stays one, and the schema then refuses it."""
        kinds = [schema.get("type"), *(part.get("type") for part in schema.get("oneOf", ()))]
        if "boolean" in kinds and text in ("true", "false"):
            return text == "true"
        if ("integer" in kinds or "number" in kinds) and _NUMBER.match(text):
            return float(text) if "." in text else int(text)
        return text
