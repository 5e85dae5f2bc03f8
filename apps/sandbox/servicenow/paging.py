"""Pages of a list: the total in ``X-Total-Count``, the neighbors in ``Link``."""

from urllib.parse import quote, urlencode

from .instance import Row
from .wire import Call


class Page:
    """The part of ``rows`` that a call asked for. It is cut before rows that the viewer may not read are dropped."""

    def __init__(self, call: Call, rows: list[Row], default_limit: int) -> None:
        self._call = call
        self._total = len(rows)
        self._limit = call.count("sysparm_limit", default_limit) or default_limit
        self._offset = call.count("sysparm_offset", 0)
        self.rows = rows[self._offset : self._offset + self._limit]

    def headers(self, origin: str) -> dict[str, str]:
        headers = {}
        has_count = not self._call.is_set("sysparm_no_count")
        if has_count:
            headers["X-Total-Count"] = str(self._total)
        if not self._call.is_set("sysparm_suppress_pagination_header"):
            headers["Link"] = ",".join(
                f'<{self._address(origin, offset)}>;rel="{name}"' for name, offset in self._neighbors(has_count)
            )
        return headers

    def _neighbors(self, has_count: bool) -> list[tuple[str, int]]:
        neighbors = [("first", 0)]
        if self._offset > 0:
            neighbors.append(("prev", max(0, self._offset - self._limit)))
        if self._offset + self._limit < self._total:
            neighbors.append(("next", self._offset + self._limit))
        if has_count:
            neighbors.append(("last", max(0, (self._total - 1) // self._limit * self._limit)))
        return neighbors

    def _address(self, origin: str, offset: int) -> str:
        query = {**self._call.query, "sysparm_limit": str(self._limit), "sysparm_offset": str(offset)}
        return f"{origin}{quote(self._call.path)}?{urlencode(query, quote_via=quote)}"
