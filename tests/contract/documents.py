"""The vendors' own API documents, read once per process, with their known mistakes repaired.

The documents are the vendors' property and no part of the project: SIAM_SHARED names the folder that holds ``specs/``
and ``vectors/``; without it a folder ``shared`` beside the repository is taken.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .defects import REPAIRS, Repair

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
WHY_NOT = "the vendors' API documents are not here: set SIAM_SHARED to the folder that holds specs/ and vectors/"


class DocumentMissing(Exception):
    """No such document; the text names the file."""


def shared() -> Path:
    return Path(os.environ.get("SIAM_SHARED") or ROOT.parent / "shared")


def are_here() -> bool:
    return (shared() / "specs" / "derived").is_dir()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The Zendesk document has a bare ``=`` among the values of a list, which YAML 1.1 gives a tag of its own."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: node.value)


def parse(path: Path) -> dict[str, Any]:
    """Raises DocumentMissing."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as problem:
        raise DocumentMissing(f"{path}: {problem}") from problem
    document: dict[str, Any] = json.loads(text) if path.suffix == ".json" else yaml.load(text, _Loader)
    return document


@dataclass(frozen=True, eq=False)
class Document:
    """One parsed document: OpenAPI 3.0 or Swagger 2.0."""

    name: str
    tree: dict[str, Any]
    prefix: str = ""
    """What stands before the document's paths: the base path that the document states beside them."""

    overloads: bool = False
    """Whether the operations stand under Microsoft's ``x-ms-paths``: paths that differ in their query alone."""

    @property
    def is_swagger_2(self) -> bool:
        return "swagger" in self.tree

    def resolve(self, node: Any) -> Any:
        """``node`` itself, or what its ``$ref`` points at, over any number of steps."""
        while isinstance(node, Mapping) and "$ref" in node:
            target: Any = self.tree
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any], list[Any]]]:
        """Method, path, operation, parameters (the path's own first)."""
        for path, item in self.tree["x-ms-paths" if self.overloads else "paths"].items():
            for method in METHODS:
                if method in item:
                    own = [self.resolve(each) for each in item[method].get("parameters", [])]
                    names = {(each["in"], each["name"]) for each in own}
                    inherited = [self.resolve(each) for each in item.get("parameters", [])]
                    kept = [each for each in inherited if (each["in"], each["name"]) not in names]
                    yield method.upper(), self.prefix + path, item[method], [*kept, *own]


@cache
def load(file: str, prefix: str = "", overloads: bool = False) -> Document:
    """The document ``specs/<file>``, repaired. Raises DocumentMissing, and KeyError for a repair that fits nothing."""
    tree = parse(shared() / "specs" / file)
    for repair in REPAIRS:
        if repair.document == file:
            apply(repair, tree)
    return Document(file, tree, prefix, overloads)


def apply(repair: Repair, tree: dict[str, Any]) -> None:
    """Raises KeyError when the place is not in the document: the table then tells of a defect that is gone."""
    place: Any = tree
    for step in repair.at[:-1]:
        place = place[step]
    last = repair.at[-1]
    if last == "+":
        place.append(repair.value)
    elif repair.merge:
        place[last] = {**place[last], **repair.value}
    else:
        place[last] = repair.value
