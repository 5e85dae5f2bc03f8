"""One request on its way through the account: the route it matched, who sent it, what it carries."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from .account import Account
from .errors import Json, Refusal, bad_attribute
from .records import User

ENDING = re.compile(r"\.json$")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the vendor sends back; ``body`` None means no content, bytes are sent as they are."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Call:
    account: Account
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    caller: User
    ids: Mapping[str, str] = field(default_factory=dict)
    answer_headers: dict[str, str] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """A numeric part of the path. Raises the vendor's 400 for anything else."""
        text = self.ids[name]
        if not text.isascii() or not text.isdigit():
            raise bad_attribute("id", f"Invalid parameter: {name} must be an integer")
        return int(text)

    def numbers(self, name: str = "ids", most: int = 100) -> list[int]:
        """A comma-separated list of ids from the query. Raises 400 when it is missing, malformed or too long."""
        parts = [part.strip() for part in self.query.get(name, "").split(",") if part.strip()]
        if not parts or not all(part.isascii() and part.isdigit() for part in parts):
            raise bad_attribute(name, f"Invalid parameter: {name} must be a list of integers")
        if len(parts) > most:
            raise Refusal(400, {"error": "TooManyValues", "description": f"Too many values in {name}: at most {most}"})
        return [int(part) for part in parts]

    def document(self) -> Json:
        """The JSON body. Raises 415 without a JSON content type and 400 for what is not a JSON object."""
        if not self.raw.strip():
            return {}
        content_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise Refusal(
                415, {"error": "UnsupportedMediaType", "description": "Content-Type must be application/json"}
            )
        try:
            document = json.loads(self.raw)
            if b"\\ud" in self.raw.lower():
                # halves of characters, escaped, are JSON but no text
                json.dumps(document, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise Refusal(400, {"error": "BadRequest", "description": "The request body is not valid JSON"}) from None
        if not isinstance(document, dict):
            raise Refusal(400, {"error": "BadRequest", "description": "The request body must be a JSON object"})
        return document

    def wrapped(self, name: str) -> Json:
        """The singular wrapper object of a write. Raises 400 when it is missing."""
        value = self.document().get(name)
        if not isinstance(value, dict):
            raise bad_attribute(name, f"Invalid parameter: {name} must be an object")
        return value

    def warn(self, text: str) -> None:
        self.answer_headers["X-Zendesk-API-Warn"] = text

    def url(self, path: str) -> str:
        return f"{self.account.origin()}/api/v2/{path}.json"

    def link(self, changes: Mapping[str, Any]) -> str:
        """This request's address with other query members; either kind of paging replaces what it must."""
        paging = ("page[after]", "page[before]", "page[size]", "page", "per_page", "cursor", "start_time")
        kept = {name: value for name, value in self.query.items() if name not in paging}
        return f"{self.account.origin()}{self.path}?{urlencode({**kept, **changes})}"


Handler = Callable[[Call], Answer | Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """An endpoint below ``/api/v2/``. ``role`` is the least role; ``scope`` the OAuth resource besides read/write."""

    method: str
    template: str
    handler: Handler
    role: str = "agent"
    scope: str = ""

    def match(self, method: str, path: str) -> dict[str, str] | None:
        if method != self.method:
            return None
        found = self.pattern.fullmatch(path)
        return found.groupdict() if found else None

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template))

    @property
    def freedom(self) -> int:
        return self.template.count("{")


class Routes:
    """All endpoints; fixed words win over ids, a trailing ``.json`` is optional."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes = sorted(routes, key=lambda route: route.freedom)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        plain = ENDING.sub("", path.rstrip("/"))
        for route in self._routes:
            ids = route.match(method, plain)
            if ids is not None:
                return route, ids
        return None
