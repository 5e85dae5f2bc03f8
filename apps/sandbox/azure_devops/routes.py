"""The table of paths: matched in any case, with or without a project and team in front."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .calls import Answer, Call
from .locations import Location

Scope = Literal["none", "optional", "required", "team"]
PATCH_TYPE, JSON_TYPE, BYTES_TYPE = "application/json-patch+json", "application/json", "application/octet-stream"
PLACE = re.compile(r"\\\{(\w+)(:int|\\\*)?\\\}")


@dataclass(frozen=True, slots=True)
class Route:
    """``path`` is what follows ``/_apis/``; in it ``{id:int}`` is a whole number from 1, ``{path*}`` takes slashes."""

    method: str
    path: str
    handler: Callable[[Call], Answer]
    location: Location | None
    scope: Scope = "optional"
    media: str = ""
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        def group(match: re.Match[str]) -> str:
            inner = {":int": r"[1-9]\d*", "\\*": ".+"}.get(match[2] or "", "[^/]+")
            return f"(?P<{match[1]}>{inner})"

        pattern = PLACE.sub(group, re.escape(self.path))
        object.__setattr__(self, "_pattern", re.compile(pattern, re.IGNORECASE))

    def match(self, tail: str, places_in_front: int) -> dict[str, str] | None:
        """The named parts of ``tail``, or None when this route is not meant."""
        least, most = {"none": (0, 0), "optional": (0, 1), "required": (1, 1), "team": (0, 2)}[self.scope]
        found = self._pattern.fullmatch(tail)
        if found is None or not least <= places_in_front <= most:
            return None
        return found.groupdict()
