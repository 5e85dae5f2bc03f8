"""The document between Markdown and Jira's two text formats: HTML elements, and inline text as runs with marks.

Markdown itself is read and written by :mod:`..richtext` alone, so escaping rules live in one place; ADF and wiki markup
are only ever mapped to and from this tree.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from itertools import groupby
from typing import TypeAlias
from urllib.parse import urlsplit

INLINE = frozenset({"a", "b", "br", "code", "del", "em", "i", "img", "input", "s", "span", "strike", "strong", "u"})
_VOID = frozenset({"br", "hr", "img", "input"})
_MARK_OF = {"b": "strong", "strong": "strong", "i": "em", "em": "em", "s": "del", "del": "del", "strike": "del"}
_MARK_OF |= {"code": "code"}
_SPACES = re.compile(r"[ \t\r\n\f]+")
_SAFE_SCHEMES = frozenset({"http", "https", "mailto"})
ORDER = ("del", "strong", "em", "code")
"""The order in which marks nest, outermost first: equal texts then always get equal markup."""


@dataclass(slots=True)
class Element:
    """One HTML element; text is a plain string among the children."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: "list[Node]" = field(default_factory=list)


Node: TypeAlias = Element | str


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of inline text with one set of marks and one link target, or a hard line break."""

    text: str
    marks: frozenset[str] = frozenset()
    href: str = ""
    is_break: bool = False


BREAK = Run("", is_break=True)


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth].tag == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parse(html: str) -> Element:
    """The elements of ``html`` under a nameless root."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.root


def text_of(node: Node) -> str:
    if isinstance(node, str):
        return node
    return "".join(text_of(child) for child in node.children)


def is_safe(href: str) -> bool:
    """Whether ``href`` may become a link. Jira's ADF schema lets ``javascript:`` pass, so we judge ourselves."""
    try:
        return urlsplit(href.strip()).scheme.lower() in _SAFE_SCHEMES
    except ValueError:
        return False


def paragraphs(children: Iterable[Node]) -> list[Element]:
    """``children`` as blocks only: inline nodes that stand together are gathered into a paragraph."""
    blocks: list[Element] = []
    for is_inline, group in groupby(children, key=lambda node: isinstance(node, str) or node.tag in INLINE):
        nodes = list(group)
        if not is_inline:
            blocks += [node for node in nodes if isinstance(node, Element)]
        elif any(not isinstance(node, str) or node.strip() for node in nodes):
            blocks.append(Element("p", {}, nodes))
    return blocks


def runs(children: Iterable[Node]) -> list[Run]:
    """Inline content as runs: white space collapsed as a browser does, equal neighbors joined."""
    joined: list[Run] = []
    for run in _collapsed(_runs(children, frozenset(), "")):
        last = joined[-1] if joined else BREAK
        if not run.is_break and not last.is_break and (last.marks, last.href) == (run.marks, run.href):
            joined[-1] = Run(last.text + run.text, run.marks, run.href)
        else:
            joined.append(run)
    return joined


def _runs(children: Iterable[Node], marks: frozenset[str], href: str) -> Iterator[Run]:
    for node in children:
        if isinstance(node, str):
            yield Run(node, marks, href)
        elif node.tag == "br":
            yield BREAK
        elif node.tag == "img":
            yield _image(node, marks, href)
        elif node.tag == "input":
            yield Run("[x] " if "checked" in node.attributes else "[ ] ", marks, href)
        else:
            mark, target = _MARK_OF.get(node.tag), node.attributes.get("href", "") if node.tag == "a" else ""
            yield from _runs(
                node.children, marks | {mark} if mark else marks, target if target and is_safe(target) else href
            )


def _image(node: Element, marks: frozenset[str], href: str) -> Run:
    source = node.attributes.get("src", "")
    return Run(node.attributes.get("alt") or source, marks, href or (source if is_safe(source) else ""))


def _collapsed(found: Iterable[Run]) -> list[Run]:
    """No space at the edges of a line, one between words; a break at the very end says nothing and goes."""
    lines: list[list[Run]] = [[]]
    for run in found:
        if run.is_break:
            lines.append([])
            continue
        after_space = not lines[-1] or lines[-1][-1].text.endswith(" ")
        text = _SPACES.sub(" ", run.text)
        text = text.removeprefix(" ") if after_space else text
        if text:
            lines[-1].append(Run(text, run.marks, run.href))
    for line in lines:
        if line and line[-1].text.endswith(" "):
            last = line.pop()
            if last.text != " ":
                line.append(Run(last.text[:-1], last.marks, last.href))
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    kept = list(lines[0])
    for line in lines[1:]:
        kept += [BREAK, *line]
    return kept


def nest(found: Sequence[Run], wrap: Callable[[str, str, str], str], spell: Callable[[Run], str]) -> str:
    """Markup of ``found``: ``spell`` writes a bare run, ``wrap(mark, inner, href)`` puts a mark or a link around."""
    return _nest(_bridged(found), ("link", *ORDER), wrap, spell)


def _bridged(found: Sequence[Run]) -> list[Run]:
    """A break between two runs with the same mark carries it, so that the mark is not closed and opened around it."""
    bridged = list(found)
    for index, run in enumerate(found):
        if run.is_break and 0 < index < len(found) - 1:
            before, after = bridged[index - 1], found[index + 1]
            href = before.href if before.href == after.href else ""
            bridged[index] = Run("", before.marks & after.marks, href, is_break=True)
    return bridged


def _nest(
    found: Sequence[Run], order: Sequence[str], wrap: Callable[[str, str, str], str], spell: Callable[[Run], str]
) -> str:
    if not order:
        return "".join(spell(run) for run in found)
    mark, rest = order[0], order[1:]

    def key(run: Run) -> tuple[bool, str]:
        return (bool(run.href), run.href) if mark == "link" else (mark in run.marks, "")

    parts = []
    for (is_marked, href), group in groupby(found, key=key):
        inner = _nest(list(group), rest, wrap, spell)
        parts.append(wrap(mark, inner, href) if is_marked else inner)
    return "".join(parts)


_HTML_TAG = {"del": "del", "strong": "strong", "em": "em", "code": "code"}


def to_html(found: Sequence[Run]) -> str:
    """``found`` as inline HTML."""

    def wrap(mark: str, inner: str, href: str) -> str:
        if mark == "link":
            return f'<a href="{escape(href)}">{inner}</a>'
        return f"<{_HTML_TAG[mark]}>{inner}</{_HTML_TAG[mark]}>"

    return nest(found, wrap, lambda run: "<br>" if run.is_break else escape(run.text, quote=False))
