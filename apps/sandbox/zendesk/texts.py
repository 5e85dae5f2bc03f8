"""The three forms of a comment's text, placeholders, and the silent cut at 64 kB."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser

import nh3
from markdown_it import MarkdownIt

from .errors import Json

KEPT_TAGS = {
    "p",
    "br",
    "div",
    "span",
    "strong",
    "b",
    "em",
    "i",
    "u",
    "s",
    "del",
    "ins",
    "sub",
    "sup",
    "a",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "blockquote",
    "pre",
    "code",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "table",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "th",
    "td",
    "caption",
    "colgroup",
    "col",
    "img",
}
KEPT_ATTRIBUTES = {
    "a": {"href", "title", "target"},
    "img": {"src", "alt", "title", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
}
PLACEHOLDER = re.compile(r"(?<!\\)\{\{([^{}]*)\}\}")
CODE = re.compile(r"(<code\b.*?</code>)", re.IGNORECASE | re.DOTALL)
BLOCKS = frozenset(
    ["p", "div", "ul", "ol", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "table", "tr", "dl"]
)
MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
REDACTED = "\u2587"


@dataclass(frozen=True, slots=True)
class CommentText:
    html_body: str
    body: str
    plain_body: str


def cut(text: str, most: int) -> str:
    """The vendor cuts longer text without an error; never inside a character."""
    encoded = text.encode()
    return text if len(encoded) <= most else encoded[:most].decode(errors="ignore")


def expand(text: str, lookup: Callable[[str], str]) -> str:
    """Replace ``{{placeholders}}`` (unknown ones vanish); a backslash before the braces keeps them."""
    return PLACEHOLDER.sub(lambda found: lookup(found[1].strip()), text).replace("\\{{", "{{")


def expand_outside_code(text: str, lookup: Callable[[str], str]) -> str:
    return "".join(part if CODE.fullmatch(part) else expand(part, lookup) for part in CODE.split(text))


def clean(markup: str) -> str:
    return nh3.clean(markup, tags=KEPT_TAGS, attributes=KEPT_ATTRIBUTES)


def wrap(markup: str) -> str:
    return f'<div class="zd-comment" dir="auto">{markup}</div>'


def comment_text(comment: Json, *, by_staff: bool, most: int, lookup: Callable[[str], str]) -> CommentText | None:
    """The forms of a comment as written: ``html_body`` wins over ``body``; None when there is no text at all."""
    written = comment.get("html_body")
    if isinstance(written, str) and written.strip():
        markup = clean(expand_outside_code(cut(written, most), lookup))
        plain = plain_text(markup)
        return CommentText(wrap(markup), marked_text(markup), plain) if plain or "<img" in markup else None
    written = comment.get("body")
    if not isinstance(written, str) or not written.strip():
        return None
    text = collapse(strip_tags(expand(cut(written, most), lookup)))
    if not text:
        return None
    rendered = MARKDOWN.render(text) if by_staff else _paragraphs(text)
    markup = clean(rendered).strip()
    return CommentText(wrap(markup), text, plain_text(markup))


def strip_tags(text: str) -> str:
    return html.unescape(nh3.clean(text, tags=set())) if "<" in text else text


def collapse(text: str) -> str:
    """The vendor folds runs of spaces and of blank lines in plain bodies."""
    lines = re.sub(r"[ \t]{2,}", " ", text.replace("\r\n", "\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def _paragraphs(text: str) -> str:
    blocks = [html.escape(block, quote=False).replace("\n", "<br>") for block in text.split("\n\n")]
    return "".join(f"<p>{block}</p>" for block in blocks)


def plain_text(markup: str) -> str:
    return _TextOf(marks=False).read(markup)


def marked_text(markup: str) -> str:
    return _TextOf(marks=True).read(markup)


class _TextOf(HTMLParser):
    """Reads markup as text; with ``marks`` the result keeps bold, links and bullets in a Markdown-like way."""

    def __init__(self, marks: bool) -> None:
        super().__init__(convert_charrefs=True)
        self._marks = marks
        self._parts: list[str] = []
        self._links: list[str] = []

    def read(self, markup: str) -> str:
        self.feed(markup)
        self.close()
        text = re.sub(r"[ \t]+\n", "\n", "".join(self._parts))
        return re.sub(r"\n{3,}", "\n\n", text).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in BLOCKS:
            self._parts.append("\n" if tag == "tr" else "\n\n")
        elif tag == "br":
            self._parts.append("\n")
        elif tag == "li":
            self._parts.append("\n* " if self._marks else "\n- ")
        elif tag in ("td", "th"):
            self._parts.append(" ")
        elif self._marks and tag in ("strong", "b"):
            self._parts.append("**")
        elif self._marks and tag == "a":
            self._links.append(dict(attrs).get("href") or "")
            self._parts.append("[")
        elif self._marks and tag == "img":
            self._parts.append(f"![]({dict(attrs).get('src') or ''})")

    def handle_endtag(self, tag: str) -> None:
        if tag in BLOCKS and tag != "tr":
            self._parts.append("\n\n")
        elif self._marks and tag in ("strong", "b"):
            self._parts.append("**")
        elif self._marks and tag == "a" and self._links:
            self._parts.append(f"]({self._links.pop()})")

    def handle_data(self, data: str) -> None:
        self._parts.append(data)
