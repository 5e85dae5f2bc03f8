"""One request as handlers see it, and what they give back."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .document import json_value
from .errors import BindingFault, invalid_argument
from .instants import moment
from .people import Person
from .places import Project
from .store import Store

if TYPE_CHECKING:
    from .hooks import Hooks

TRUE = ("true", "1")


@dataclass(frozen=True, slots=True)
class Version:
    """A REST version as asked for, for example 7.1-preview.4."""

    number: float
    text: str
    is_preview: bool = False
    resource: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def collection(values: list[Any], **headers: str) -> Answer:
    return Answer(
        {"count": len(values), "value": values}, headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


@dataclass(frozen=True, slots=True)
class Call:
    """``places`` are the parts of the path that the route names; query names are compared in any case."""

    request: web.Request
    store: Store
    hooks: "Hooks"
    person: Person
    project: Project | None
    version: Version
    places: dict[str, str]
    body: bytes

    def query(self, name: str, default: str = "") -> str:
        wanted = name.casefold()
        return next((value for key, value in self.request.query.items() if key.casefold() == wanted), default)

    def flag(self, name: str) -> bool:
        return self.query(name).casefold() in TRUE

    def whole(self, name: str, default: int, most: int | None = None) -> int:
        """A query value that must be a whole number from 0. Raises the vendor's 400."""
        text = self.query(name)
        if not text:
            return default
        if not text.isdecimal() or (most is not None and int(text) > most):
            raise invalid_argument(f"A value of {text} is out of range for the parameter {name}.")
        return int(text)

    def time(self, name: str) -> datetime | None:
        text = self.query(name)
        try:
            return moment(text) if text else None
        except ValueError:
            raise BindingFault(f"The value '{text}' is not valid for {name}.") from None

    def place_id(self, name: str = "id") -> int:
        return int(self.places[name])

    @property
    def here(self) -> Project:
        """The project in the path of a route that demands one."""
        assert self.project is not None
        return self.project

    @property
    def base(self) -> str:
        return self.store.base_of(self.project)

    def json_object(self) -> dict[str, Any]:
        value = json_value(self.body)
        if not isinstance(value, dict):
            raise invalid_argument(
                "Value cannot be null. Parameter name: the body of the request must be a JSON object."
            )
        return value
