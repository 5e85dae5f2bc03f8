"""The vendor's two ways of paging: opaque cursors over a sort key, and page numbers."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from .call import Call
from .errors import Json, Refusal, bad_page

LARGEST_PAGE = 100
DEEPEST_PAGE = 100
Key = tuple[Any, ...]
Row = TypeVar("Row")


def encode_cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def decode_cursor(text: str) -> Any:
    """Raises 400 for anything that this account did not hand out."""
    try:
        return json.loads(base64.urlsafe_b64decode(text.encode()))
    except (ValueError, binascii.Error):
        raise bad_page("page[after] is not valid") from None


def whole_number(text: str, name: str, lowest: int = 1) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < lowest:
        raise bad_page(f"{name} is not valid")
    return int(text)


def page_of(
    call: Call,
    name: str,
    rows: Sequence[Row],
    *,
    key: Callable[[Row], Key],
    present: Callable[[Row], Any],
    descending: bool = False,
) -> Json:
    """One page of ``rows`` under ``name``: by cursor when the caller sent ``page[..]``, otherwise by number."""
    ordered = sorted(rows, key=key, reverse=descending)
    if any(part.startswith("page[") for part in call.query):
        return _cursor_page(call, name, ordered, key, present, descending=descending)
    return _numbered_page(call, name, ordered, present)


def _cursor_page(
    call: Call,
    name: str,
    ordered: Sequence[Row],
    key: Callable[[Row], Key],
    present: Callable[[Row], Any],
    *,
    descending: bool,
) -> Json:
    size = whole_number(call.query.get("page[size]", str(LARGEST_PAGE)), "page[size]")
    if size > LARGEST_PAGE:
        raise bad_page(f"page[size] must be at most {LARGEST_PAGE}")
    after, before = call.query.get("page[after]"), call.query.get("page[before]")
    if after and before:
        raise bad_page("page[after] and page[before] cannot be combined")
    edge = tuple(decode_cursor(after or before or "")) if after or before else None
    try:
        if edge is None:
            beyond = list(ordered)
        else:
            forward = bool(after) != descending
            beyond = [row for row in ordered if (key(row) > edge if forward else key(row) < edge)]
    except TypeError:
        raise bad_page("page[after] is not valid") from None
    rows = beyond[-size:] if before else beyond[:size]
    more = len(beyond) > size
    first, last = (encode_cursor(key(rows[0])), encode_cursor(key(rows[-1]))) if rows else (None, None)
    has_previous = edge is not None and not (before and not more)
    return {
        name: [present(row) for row in rows],
        "meta": {"has_more": more, "after_cursor": last if more else None, "before_cursor": first if more else None},
        "links": {
            "prev": call.link({"page[before]": first, "page[size]": size}) if has_previous and first else None,
            "next": call.link({"page[after]": last, "page[size]": size}) if more else None,
        },
    }


def _numbered_page(call: Call, name: str, ordered: Sequence[Row], present: Callable[[Row], Any]) -> Json:
    page = whole_number(call.query.get("page", "1"), "page")
    size = min(whole_number(call.query.get("per_page", str(LARGEST_PAGE)), "per_page"), LARGEST_PAGE)
    if page > DEEPEST_PAGE:
        raise Refusal(
            400,
            {"error": "InvalidPaginationDepth", "description": "Offset paging ends here; use cursor paging instead"},
        )
    more = page * size < len(ordered)
    return {
        name: [present(row) for row in ordered[(page - 1) * size : page * size]],
        "next_page": call.link({"page": page + 1, "per_page": size}) if more else None,
        "previous_page": call.link({"page": page - 1, "per_page": size}) if page > 1 else None,
        "count": len(ordered),
    }
