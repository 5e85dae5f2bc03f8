"""One request and one answer, free of the web framework, so that a batch can carry out its items the same way."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Call:
    """A request. ``headers`` has lower-case names."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    @property
    def content_type(self) -> str:
        return self.header("content-type").partition(";")[0].strip().lower()

    def is_set(self, parameter: str) -> bool:
        return self.query.get(parameter, "").lower() == "true"

    def count(self, parameter: str, default: int) -> int:
        """A whole number from the query; what is no number counts as not given."""
        given = self.query.get(parameter, "")
        return int(given) if given.isdecimal() else default


@dataclass(slots=True)
class Answer:
    """An answer; ``headers`` may repeat nothing but the session cookies, which are kept apart."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)


def json_answer(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, body, {"Content-Type": "application/json;charset=UTF-8", **(headers or {})})


def html_answer(status: int, title: str) -> Answer:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, page.encode(), {"Content-Type": "text/html;charset=UTF-8"})
