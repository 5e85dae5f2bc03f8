"""What the service does to rich text on its way in, and how it renders comments."""

from typing import Literal

import nh3
from markdown_it import MarkdownIt

Format = Literal["html", "markdown"]

TAGS = nh3.ALLOWED_TAGS | {"font", "u", "input"} - {"style", "script"}
ATTRIBUTES = {
    **nh3.ALLOWED_ATTRIBUTES,
    "a": {"href", "data-vss-mention", "title", "target"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan"},
    "font": {"color", "size"},
}
_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def sanitized(html: str) -> str:
    """Scripts, event handlers, styles and comments go; the rest comes back re-serialized, so it may look different."""
    return nh3.clean(
        html,
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        link_rel=None,
    )


def rendered(text: str, form: Format) -> str:
    return sanitized(_MARKDOWN.render(text) if form == "markdown" else text)
