"""Atlassian Document Format, the rich text of Jira Cloud: to and from Markdown.

Law: what was written reads back unchanged after one pass. Containers that ADF nests more narrowly than Markdown
(headings in list items, tables in quotes) are flattened to what Jira takes: it refuses the whole text otherwise.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from apps.sync.connectors.richtext import from_html
from apps.sync.connectors.richtext import to_html as markdown_to_html

from .tree import BREAK, Element, Run, is_safe, paragraphs, parse, runs, text_of, to_html

Adf = dict[str, Any]

_MARK_TYPES = {"del": "strike", "strong": "strong", "em": "em", "code": "code"}
_MARKS_READ = {"strike": "del", "strong": "strong", "em": "em", "code": "code"}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def to_adf(markdown: str) -> Adf | None:
    """The document for ``markdown``; None for an empty text, because Jira refuses a document without content."""
    blocks = _blocks(paragraphs(parse(markdown_to_html(markdown)).children))
    return {"type": "doc", "version": 1, "content": blocks} if blocks else None


def _blocks(elements: Iterable[Element]) -> list[Adf]:
    return [block for element in elements for block in _block(element)]


def _block(element: Element) -> list[Adf]:
    tag = element.tag
    if tag in _HEADINGS:
        content = _inline(element)
        return [{"type": "heading", "attrs": {"level": _HEADINGS[tag]}, "content": content}] if content else []
    if tag == "p":
        content = _inline(element)
        return [{"type": "paragraph", "content": content}] if content else []
    if tag == "hr":
        return [{"type": "rule"}]
    if tag == "pre":
        return [_code_block(element)]
    if tag in ("ul", "ol"):
        return _list(element)
    if tag == "blockquote":
        content = _narrowed(element)
        return [{"type": "blockquote", "content": content}] if content else []
    if tag == "table":
        return _table(element)
    return _blocks(paragraphs(element.children))


def _inline(element: Element) -> list[Adf]:
    return [_text(run) for run in runs(element.children)]


def _text(run: Run) -> Adf:
    if run.is_break:
        return {"type": "hardBreak"}
    marks: list[Adf] = [{"type": "link", "attrs": {"href": run.href}}] if run.href else []
    if "code" in run.marks:
        marks.append({"type": "code"})
    else:
        marks += [{"type": _MARK_TYPES[mark]} for mark in ("strong", "em", "del") if mark in run.marks]
    return {"type": "text", "text": run.text, **({"marks": marks} if marks else {})}


def _code_block(element: Element) -> Adf:
    block: Adf = {"type": "codeBlock"}
    inner = next((child for child in element.children if isinstance(child, Element)), element)
    for name in inner.attributes.get("class", "").split():
        if name.startswith("language-"):
            block["attrs"] = {"language": name.removeprefix("language-")}
    text = text_of(element).removesuffix("\n")
    if text:
        block["content"] = [{"type": "text", "text": text}]
    return block


def _list(element: Element) -> list[Adf]:
    items = [child for child in element.children if isinstance(child, Element)]
    content = [{"type": "listItem", "content": _item(item)} for item in items]
    if not content:
        return []
    if element.tag == "ul":
        return [{"type": "bulletList", "content": content}]
    start = element.attributes.get("start", "")
    attrs = {"attrs": {"order": int(start)}} if start.isdigit() and start != "1" else {}
    return [{"type": "orderedList", **attrs, "content": content}]


def _item(element: Element) -> list[Adf]:
    content = _narrowed(element)
    if not content or content[0]["type"] not in ("paragraph", "codeBlock"):
        content.insert(0, {"type": "paragraph", "content": []})
    return content


def _narrowed(element: Element) -> list[Adf]:
    """The blocks that quotes and list items may hold: paragraphs, lists and code; others become paragraphs."""
    kept: list[Adf] = []
    for child in paragraphs(element.children):
        if child.tag in _HEADINGS:
            content = [
                _text(Run(run.text, run.marks | {"strong"}, run.href, run.is_break)) for run in runs(child.children)
            ]
            kept += [{"type": "paragraph", "content": content}] if content else []
        elif child.tag == "hr":
            kept.append({"type": "paragraph", "content": [{"type": "text", "text": "—"}]})
        elif child.tag == "table":
            rows = (" | ".join(_cell_texts(row)) for row in _rows(child))
            kept += [{"type": "paragraph", "content": [{"type": "text", "text": row}]} for row in rows if row.strip()]
        elif child.tag == "blockquote":
            kept += _narrowed(child)
        else:
            kept += _block(child)
    return kept


def _rows(table: Element) -> list[Element]:
    found: list[Element] = []
    for child in table.children:
        if isinstance(child, Element):
            found += [child] if child.tag == "tr" else _rows(child)
    return found


def _cells(row: Element) -> list[Element]:
    return [child for child in row.children if isinstance(child, Element) and child.tag in ("td", "th")]


def _cell_texts(row: Element) -> list[str]:
    return [" ".join(text_of(cell).split()) for cell in _cells(row)]


def _table(element: Element) -> list[Adf]:
    content = []
    for row in _rows(element):
        cells = [
            {
                "type": "tableHeader" if cell.tag == "th" else "tableCell",
                "content": _blocks(paragraphs(cell.children)) or [{"type": "paragraph", "content": []}],
            }
            for cell in _cells(row)
        ]
        if cells:
            content.append({"type": "tableRow", "content": cells})
    return [{"type": "table", "content": content}] if content else []


def from_adf(document: Adf | None) -> str:
    """Canonical Markdown of ``document``; what Markdown has no word for (panels, mentions, colors) is kept as text."""
    return from_html(_children(document)) if document else ""


def _children(node: Adf) -> str:
    parts: list[str] = []
    line: list[Run] = []
    for child in node.get("content") or []:
        read = _INLINE.get(child.get("type", ""))
        if read is not None:
            line += read(child)
            continue
        if line:
            parts.append(f"<p>{to_html(line)}</p>")
            line = []
        parts.append(_BLOCK.get(child.get("type", ""), _children)(child))
    if line:
        parts.append(to_html(line) if not parts else f"<p>{to_html(line)}</p>")
    return "".join(parts)


def _attr(node: Adf, name: str) -> str:
    value = (node.get("attrs") or {}).get(name)
    return "" if value is None else str(value)


def _read_text(node: Adf) -> Sequence[Run]:
    marks, href = set(), ""
    for mark in node.get("marks") or []:
        if mark.get("type") in _MARKS_READ:
            marks.add(_MARKS_READ[mark["type"]])
        elif mark.get("type") == "link" and is_safe(_attr(mark, "href")):
            href = _attr(mark, "href")
    lines = str(node.get("text", "")).split("\n")
    found: list[Run] = []
    for number, line in enumerate(lines):
        found += [BREAK] if number else []
        found += [Run(line, frozenset(marks), href)] if line else []
    return found


def _read_date(node: Adf) -> Sequence[Run]:
    stamp = _attr(node, "timestamp")
    is_number = stamp.lstrip("-").isdigit() and len(stamp) < 16
    return [Run(datetime.fromtimestamp(int(stamp) / 1000, UTC).date().isoformat() if is_number else stamp)]


def _read_card(node: Adf) -> Sequence[Run]:
    url = _attr(node, "url")
    return [Run(url, frozenset(), url if is_safe(url) else "")] if url else []


def _read_media(node: Adf) -> Sequence[Run]:
    name = _attr(node, "alt") or "attachment"
    url = _attr(node, "url")
    return [Run(name, frozenset(), url)] if is_safe(url) else [Run(f"[{name}]")]


def _worded(*names: str) -> Callable[[Adf], Sequence[Run]]:
    def read(node: Adf) -> Sequence[Run]:
        text = next((found for name in names if (found := _attr(node, name))), "")
        return [Run(text)] if text else []

    return read


_INLINE: dict[str, Callable[[Adf], Sequence[Run]]] = {
    "text": _read_text,
    "hardBreak": lambda _node: [BREAK],
    "mention": _worded("text", "id"),
    "emoji": _worded("text", "shortName"),
    "status": _worded("text"),
    "placeholder": _worded("text"),
    "date": _read_date,
    "inlineCard": _read_card,
    "media": _read_media,
    "mediaInline": _read_media,
}


def _wrapped(tag: str) -> Callable[[Adf], str]:
    return lambda node: f"<{tag}>{_children(node)}</{tag}>"


def _read_heading(node: Adf) -> str:
    level = _attr(node, "level")
    tag = f"h{level}" if f"h{level}" in _HEADINGS else "h6"
    return f"<{tag}>{_children(node)}</{tag}>"


def _read_ordered(node: Adf) -> str:
    order = _attr(node, "order")
    start = f' start="{order}"' if order.isdigit() and order != "1" else ""
    return f"<ol{start}>{_children(node)}</ol>"


def _read_code(node: Adf) -> str:
    text = "".join(str(child.get("text", "")) for child in node.get("content") or [])
    language = _attr(node, "language")
    mark = f' class="language-{escape(language)}"' if language else ""
    return f"<pre><code{mark}>{escape(text, quote=False)}\n</code></pre>"


def _read_task(node: Adf) -> str:
    return f"<li>{'[x]' if _attr(node, 'state') in ('DONE', 'DECIDED') else '[ ]'} {_children(node)}</li>"


def _read_expand(node: Adf) -> str:
    title = _attr(node, "title")
    return (f"<p><strong>{escape(title, quote=False)}</strong></p>" if title else "") + _children(node)


def _read_block_card(node: Adf) -> str:
    return f"<p>{to_html(_read_card(node))}</p>"


_BLOCK: dict[str, Callable[[Adf], str]] = {
    "paragraph": _wrapped("p"),
    "heading": _read_heading,
    "bulletList": _wrapped("ul"),
    "orderedList": _read_ordered,
    "listItem": _wrapped("li"),
    "taskList": _wrapped("ul"),
    "decisionList": _wrapped("ul"),
    "taskItem": _read_task,
    "decisionItem": _read_task,
    "blockquote": _wrapped("blockquote"),
    "panel": _wrapped("blockquote"),
    "codeBlock": _read_code,
    "rule": lambda _node: "<hr>",
    "table": _wrapped("table"),
    "tableRow": _wrapped("tr"),
    "tableHeader": _wrapped("th"),
    "tableCell": _wrapped("td"),
    "expand": _read_expand,
    "nestedExpand": _read_expand,
    "mediaSingle": _wrapped("p"),
    "mediaGroup": _wrapped("p"),
    "blockCard": _read_block_card,
    "embedCard": _read_block_card,
}
