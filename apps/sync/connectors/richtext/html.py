"""HTML into the document model and back: what comes in is sanitized and repaired, what goes out is built."""

import re
from collections.abc import Iterator, Sequence
from html import escape, unescape
from html.parser import HTMLParser

import nh3

from .document import (
    LINK,
    NO_MARKS,
    SCHEMES,
    Block,
    Code,
    Heading,
    Inline,
    Listing,
    Marked,
    Marks,
    Paragraph,
    Quote,
    Rule,
    Run,
    Table,
    nest,
    normal_lines,
    normalize,
    safe_address,
    seen_spaces,
)

DEEPEST_HTML = 100
"""Time to repair nested tags grows with the square of their depth; beyond this only the text is taken."""

_UNSEEN_CONTENT = frozenset(
    {"script", "style", "head", "title", "template", "noscript", "iframe", "object", "svg", "math"}
)
_INLINE = {
    "b": "strong", "strong": "strong", "i": "em", "em": "em", "cite": "em", "s": "strike", "strike": "strike",
    "del": "strike", "code": "code", "tt": "code", "kbd": "code", "samp": "code",
}  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CONTAINERS = frozenset({
    "p", "div", "section", "article", "aside", "header", "footer", "main", "nav", "address", "center", "details",
    "summary", "figure", "figcaption", "fieldset", "form", "dl", "dt", "dd", "li", "caption", "tbody", "thead",
    "tfoot",
})  # fmt: skip
_TAGS = frozenset(
    {
        *_INLINE,
        *_HEADINGS,
        *_CONTAINERS,
        "a",
        "img",
        "br",
        "hr",
        "pre",
        "ul",
        "ol",
        "blockquote",
        "table",
        "tr",
        "td",
        "th",
    }
)
_ATTRIBUTES = {"a": {"href"}, "img": {"src", "alt"}, "ol": {"start"}, "code": {"class"}, "pre": {"class"}}
_ALONE = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
})  # fmt: skip
_SELF_CLOSING = _ALONE | frozenset({
    "p", "li", "dt", "dd", "tr", "td", "th", "option", "optgroup", "thead", "tbody", "tfoot", "colgroup", "html",
    "body",
})  # fmt: skip
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*)")
_FENCE = {"strong": "strong", "em": "em", "strike": "del", "code": "code"}


class _Node:
    __slots__ = ("attributes", "below", "tag")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.below: list[_Node | str] = []


class _TreeBuilder(HTMLParser):
    """Builds the tree of sanitized HTML, whose tags are known to be balanced."""

    def __init__(self) -> None:
        super().__init__()
        self._open = [_Node("div", {})]

    @property
    def root(self) -> _Node:
        return self._open[0]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = _Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].below.append(node)
        if tag not in _ALONE:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _ALONE and len(self._open) > 1:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].below.append(data)


def read(html: str) -> tuple[Block, ...] | str:
    """The document that ``html`` means, or only its text when it is nested too deep to be worth the time."""
    html = normal_lines(html)
    if _is_too_deep(html):
        return text_of(html)
    clean = nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_UNSEEN_CONTENT),
        attributes=_ATTRIBUTES,
        url_schemes=set(SCHEMES),
        link_rel=None,
    )
    builder = _TreeBuilder()
    builder.feed(clean)
    builder.close()
    return normalize(_read_blocks(builder.root, NO_MARKS))


def _tags(html: str) -> Iterator[tuple[int, int, bool, str]]:
    """Where tags begin and end, whether they close, and their names."""
    for found in _TAG.finditer(html):
        end = html.find(">", found.end()) + 1
        if not end:
            return
        yield found.start(), end, bool(found[1]), found[2].lower()


def _is_too_deep(html: str) -> bool:
    depth = 0
    for _, _, closes, tag in _tags(html):
        if tag not in _SELF_CLOSING:
            depth = max(depth - 1, 0) if closes else depth + 1
            if depth > DEEPEST_HTML:
                return True
    return False


def text_of(html: str) -> str:
    """The text between the tags, in one pass over any markup."""
    parts: list[str] = []
    done, unseen = 0, ""
    for start, end, closes, tag in _tags(html):
        if unseen:
            unseen = "" if closes and tag == unseen else unseen
        elif start >= done:
            parts += html[done:start], "" if tag in _INLINE or tag in ("a", "span") else "\n"
            unseen = tag if tag in _UNSEEN_CONTENT and not closes else ""
        done = end
    text = "".join(parts) + ("" if unseen else html[done:])
    return re.sub(r"\s*\n\s*", "\n", unescape(text))


def _read_blocks(node: _Node, marks: Marks) -> list[Block]:
    """Blocks below ``node``; text that stands between blocks becomes paragraphs."""
    blocks: list[Block] = []
    loose: list[Run] = []

    def close() -> None:
        if loose:
            blocks.append(Paragraph(tuple(loose)))
            loose.clear()

    def walk(parent: _Node, marks: Marks) -> None:
        for below in parent.below:
            if isinstance(below, str):
                loose.append(Run(re.sub(r"[ \t\n\f]+", " ", below), marks))
            elif below.tag in _INLINE:
                walk(below, marks | {_INLINE[below.tag]})
            elif below.tag == "a":
                walk(below, _with_link(marks, below.attributes.get("href", "")))
            elif below.tag == "br":
                loose.append(Run("\n", marks))
            elif below.tag == "img":
                loose.append(_read_image(below, marks))
            else:
                close()
                blocks.extend(_read_block(below, marks))

    walk(node, marks)
    close()
    return blocks


def _read_block(node: _Node, marks: Marks) -> list[Block]:
    match node.tag:
        case "pre":
            return [_read_code(node)]
        case "hr":
            return [Rule()]
        case "blockquote":
            return [Quote(tuple(_read_blocks(node, marks)))]
        case "ul" | "ol":
            return _read_list(node, marks)
        case "table":
            return [Table(tuple(_read_rows(node, marks)))]
    blocks = _read_blocks(node, marks)
    if node.tag in _HEADINGS:
        level = _HEADINGS[node.tag]
        return [Heading(level, block.inline) if isinstance(block, Paragraph) else block for block in blocks]
    return blocks


def _read_list(node: _Node, marks: Marks) -> list[Block]:
    items: list[tuple[Block, ...]] = []
    for below in node.below:
        if isinstance(below, str) and not below.strip():
            continue
        inner = tuple(_read_blocks(below if isinstance(below, _Node) and below.tag == "li" else _around(below), marks))
        if isinstance(below, _Node) and below.tag in ("ul", "ol") and items:
            # Some editors hang a nested list beside its item instead of into it.
            items[-1] += inner
        else:
            items.append(inner)
    start = node.attributes.get("start", "1")
    number = int(start) if re.fullmatch(r"\d{1,9}", start, re.A) else 1
    return [Listing(number if node.tag == "ol" else None, tuple(items))]


def _around(below: _Node | str) -> _Node:
    node = _Node("li", {})
    node.below.append(below)
    return node


def _read_rows(node: _Node, marks: Marks) -> list[tuple[Inline, ...]]:
    rows: list[tuple[Inline, ...]] = []
    for below in node.below:
        if isinstance(below, str):
            continue
        if below.tag == "tr":
            cells = [cell for cell in below.below if isinstance(cell, _Node) and cell.tag in ("td", "th")]
            rows.append(tuple(_flattened(_read_blocks(cell, marks)) for cell in cells))
        elif below.tag == "caption":
            rows.append((_flattened(_read_blocks(below, marks)),))
        else:
            rows.extend(_read_rows(below, marks))
    return rows


def _flattened(blocks: Sequence[Block]) -> Inline:
    """The text of a cell on one line: Markdown tables hold nothing else."""
    runs: list[Run] = []
    for block in blocks:
        runs.append(Run(" "))
        match block:
            case Paragraph(inline) | Heading(_, inline):
                runs.extend(inline)
            case Code(_, code):
                runs.append(Run(code, frozenset({"code"})))
            case Quote(inner):
                runs.extend(_flattened(inner))
            case Listing(_, items):
                runs.extend(run for item in items for run in _flattened(item))
            case Table(rows):
                runs.extend(run for row in rows for cell in row for run in (Run(" "), *cell))
    return tuple(runs)


def _read_code(node: _Node) -> Code:
    words = " ".join(
        inner.attributes.get("class", "") for inner in (node, *node.below) if isinstance(inner, _Node)
    ).split()
    language = next((word.removeprefix("language-") for word in words if word.startswith("language-")), "")
    return Code(language, _code_text(node))


def _code_text(node: _Node) -> str:
    return "".join(
        below if isinstance(below, str) else "\n" if below.tag == "br" else _code_text(below) for below in node.below
    )


def _read_image(node: _Node, marks: Marks) -> Run:
    address = node.attributes.get("src", "")
    linked = _with_link(marks, address)
    return Run(node.attributes.get("alt", "").strip() or (address if linked != marks else ""), linked)


def _with_link(marks: Marks, address: str) -> Marks:
    safe = safe_address(address)
    return marks if safe is None or any(mark.startswith(LINK) for mark in marks) else marks | {LINK + safe}


def write(blocks: Sequence[Block]) -> str:
    """``blocks``, which are in normal form, as HTML that needs no further sanitizing."""
    return "".join(_write_block(block) for block in blocks)


def _write_block(block: Block) -> str:
    match block:
        case Paragraph(inline):
            return f"<p>{write_inline(inline)}</p>"
        case Heading(level, inline):
            return f"<h{level}>{write_inline(inline)}</h{level}>"
        case Code(language, code):
            kind = f' class="language-{escape(language)}"' if language else ""
            return f"<pre><code{kind}>{escape(code, quote=False)}</code></pre>"
        case Quote(blocks):
            return f"<blockquote>{write(blocks)}</blockquote>"
        case Listing(start, items):
            tag, first = ("ul", "") if start is None else ("ol", f' start="{start}"' if start != 1 else "")
            return f"<{tag}{first}>{''.join(f'<li>{_write_item(item)}</li>' for item in items)}</{tag}>"
        case Table(rows):
            head, *body = (
                "".join(
                    f"<{'td' if number else 'th'}>{write_inline(cell)}</{'td' if number else 'th'}>" for cell in row
                )
                for number, row in enumerate(rows)
            )
            lines = "".join(f"<tr>{row}</tr>" for row in body)
            return f"<table><thead><tr>{head}</tr></thead>{f'<tbody>{lines}</tbody>' if lines else ''}</table>"
    return "<hr>"


def _write_item(blocks: Sequence[Block]) -> str:
    """An item's only paragraph stands in it directly, as editors write it."""
    if isinstance(blocks[0], Paragraph) and not any(isinstance(block, Paragraph) for block in blocks[1:]):
        return write_inline(blocks[0].inline) + write(blocks[1:])
    return write(blocks)


def write_inline(inline: Inline) -> str:
    return _write_nodes(nest(inline), at_start=True)


def _write_nodes(nodes: Sequence[Marked | str], *, at_start: bool = False) -> str:
    out = ""
    for node in nodes:
        if isinstance(node, str):
            out += _write_text(node, at_start=at_start and not out)
        elif node.mark in _FENCE:
            out += f"<{_FENCE[node.mark]}>{_write_nodes(node.below)}</{_FENCE[node.mark]}>"
        else:
            address = escape(node.mark.removeprefix(LINK))
            out += f'<a href="{address}" rel="noopener noreferrer nofollow">{_write_nodes(node.below)}</a>'
    return out


def _write_text(text: str, *, at_start: bool) -> str:
    return seen_spaces(escape(text, quote=False), at_start=at_start).replace("\n", "<br>")
