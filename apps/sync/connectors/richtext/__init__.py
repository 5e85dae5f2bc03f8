"""Rich text between systems: canonical Markdown is the pivot, and every conversion comes to rest after one pass (F39).

``from_html(to_html(m)) == canonical(m)``, and the canonical form of a canonical text is itself, so a text that went
round equals the text that was sent. A person's line break is a line break; raw HTML in Markdown is text; images become
links; only https, http and mailto addresses are links. Texts longer than the limits raise Rejected.
"""

from ..base import Rejected
from . import html as _html
from . import markdown as _markdown
from . import plain as _plain
from .document import Block

LONGEST_TEXT = 256 * 1024
LONGEST_HTML = 2 * 1024 * 1024

__all__ = ["LONGEST_HTML", "LONGEST_TEXT", "canonical", "from_html", "from_plain", "to_html", "to_plain"]


def canonical(markdown: str) -> str:
    """The one spelling of what ``markdown`` (GitHub flavored) means. A fixpoint: the canonical of it is itself."""
    return _markdown.write(_read(markdown))


def to_html(markdown: str) -> str:
    """Safe HTML of ``markdown``: built from a closed set of tags, all text escaped."""
    return _html.write(_read(markdown))


def from_html(html: str) -> str:
    """Canonical Markdown of ``html``: scripts and styles vanish, unknown tags are unwrapped, their text stays."""
    found = _html.read(_limited(html, LONGEST_HTML))
    return from_plain(found) if isinstance(found, str) else _markdown.write(found)


def to_plain(markdown: str) -> str:
    """The text of ``markdown`` as a reader sees it; a link's address follows its text in parentheses."""
    return _plain.write(_read(markdown))


def from_plain(text: str) -> str:
    """Canonical Markdown that shows ``text`` exactly: markup characters escaped, line breaks and indentation kept."""
    return _markdown.write(_plain.read(_limited(text, LONGEST_TEXT)))


def _read(markdown: str) -> tuple[Block, ...]:
    try:
        return _markdown.read(_limited(markdown, LONGEST_TEXT))
    except _markdown.TooDeep:
        return _plain.read(markdown)


def _limited(text: str, limit: int) -> str:
    if len(text) > limit:
        raise Rejected(f"the text has {len(text)} characters; at most {limit} can be carried over as rich text")
    return text
