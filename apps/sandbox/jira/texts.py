"""Rich text for display: a document as wiki text, as HTML, and a wiki text as a document.

The sandbox keeps a text as it was written, a document from v3 and a string from v2, and converts only to show it
through the other interface, in webhooks and in ``renderedFields``.
"""

import html
import json
from typing import Any

from .state import RichText

Node = dict[str, Any]

_WIKI_MARKS = {"strong": ("*", "*"), "em": ("_", "_"), "strike": ("-", "-"), "underline": ("+", "+")}
_WIKI_MARKS |= {"code": ("{{", "}}")}
_HTML_MARKS = {"strong": "b", "em": "em", "strike": "del", "underline": "ins", "code": "tt"}


def length(text: RichText) -> int:
    """What counts against the limit: characters of a string, of the serialized form for a document."""
    if isinstance(text, dict):
        return len(json.dumps(text, ensure_ascii=False, separators=(",", ":")))
    return len(text or "")


def as_wiki(text: RichText) -> str | None:
    if isinstance(text, dict):
        return "\n\n".join(_wiki_block(node) for node in text["content"]).strip("\n")
    return text


def as_document(text: RichText) -> Node | None:
    """``text`` as a document: paragraphs at blank lines, a hard break at each other line end."""
    if not isinstance(text, str):
        return text
    blocks = text.replace("\r\n", "\n").split("\n\n")
    return {"type": "doc", "version": 1, "content": [_paragraph(block.split("\n")) for block in blocks]}


def as_html(text: RichText) -> str:
    document = as_document(text)
    return "" if document is None else "\n".join(_html_node(node) for node in document["content"])


def _paragraph(lines: list[str]) -> Node:
    content: list[Node] = []
    for number, line in enumerate(lines):
        if number:
            content.append({"type": "hardBreak"})
        if line:
            content.append({"type": "text", "text": line})
    return {"type": "paragraph", "content": content} if content else {"type": "paragraph"}


def _children(node: Node) -> list[Node]:
    content: list[Node] = node.get("content", [])
    return content


def _attribute(node: Node, name: str, otherwise: str = "") -> str:
    return str(node.get("attrs", {}).get(name, otherwise))


def _wiki_inline(nodes: list[Node]) -> str:
    return "".join(_wiki_word(node) for node in nodes)


def _wiki_word(node: Node) -> str:
    kind = node["type"]
    if kind == "text":
        return _wiki_marked(node)
    shown = {
        "hardBreak": "\n",
        "mention": f"[~accountid:{_attribute(node, 'id')}]",
        "emoji": _attribute(node, "text") or _attribute(node, "shortName"),
        "inlineCard": f"[{_attribute(node, 'url')}]",
        "status": _attribute(node, "text"),
        "date": _attribute(node, "timestamp"),
    }
    return shown[kind]


def _wiki_marked(node: Node) -> str:
    text: str = node["text"]
    link = ""
    for mark in node.get("marks", []):
        if mark["type"] == "link":
            link = mark["attrs"]["href"]
        before, after = _WIKI_MARKS.get(mark["type"], ("", ""))
        text = f"{before}{text}{after}"
    return f"[{text}|{link}]" if link else text


def _wiki_block(node: Node) -> str:
    kind = node["type"]
    if kind == "paragraph":
        return _wiki_inline(_children(node))
    if kind == "heading":
        return f"h{_attribute(node, 'level')}. {_wiki_inline(_children(node))}"
    if kind in ("bulletList", "orderedList", "taskList"):
        return "\n".join(_wiki_list(node, ""))
    if kind == "codeBlock":
        language = _attribute(node, "language")
        return f"{{code{':' + language if language else ''}}}\n{_wiki_inline(_children(node))}\n{{code}}"
    if kind == "rule":
        return "----"
    if kind == "table":
        return "\n".join(_wiki_row(row) for row in _children(node))
    if kind in ("mediaSingle", "mediaGroup"):
        return "\n".join(f"!{_attribute(media, 'url')}!" for media in _children(node))
    inner = "\n\n".join(_wiki_block(child) for child in _children(node))
    fence = {"blockquote": "{quote}", "panel": "{panel}"}.get(kind)
    return f"{fence}\n{inner}\n{fence}" if fence else inner


def _wiki_list(node: Node, prefix: str) -> list[str]:
    bullet = prefix + ("#" if node["type"] == "orderedList" else "*")
    lines: list[str] = []
    for item in _children(node):
        if item["type"] == "taskList":
            lines += _wiki_list(item, bullet)
        elif item["type"] == "taskItem":
            tick = "(/)" if _attribute(item, "state") == "DONE" else "( )"
            lines.append(f"{bullet} {tick} {_wiki_inline(_children(item))}")
        else:
            for number, child in enumerate(_children(item)):
                if child["type"] in ("bulletList", "orderedList", "taskList"):
                    lines += _wiki_list(child, bullet)
                else:
                    lines.append(f"{bullet} {_wiki_block(child)}" if number == 0 else _wiki_block(child))
    return lines


def _wiki_row(row: Node) -> str:
    bars = ["||" if cell["type"] == "tableHeader" else "|" for cell in _children(row)]
    cells = [" ".join(_wiki_block(child) for child in _children(cell)) for cell in _children(row)]
    return "".join(bar + cell for bar, cell in zip(bars, cells, strict=True)) + (bars[-1] if bars else "|")


_HTML_TAGS = {
    "paragraph": "p",
    "bulletList": "ul",
    "taskList": "ul",
    "orderedList": "ol",
    "listItem": "li",
    "taskItem": "li",
    "blockquote": "blockquote",
    "table": "table",
    "tableRow": "tr",
    "tableHeader": "th",
    "tableCell": "td",
    "codeBlock": "pre",
}


def _html_node(node: Node) -> str:
    kind = node["type"]
    if kind == "text":
        return _html_marked(node)
    if kind == "hardBreak":
        return "<br/>"
    if kind == "rule":
        return "<hr />"
    if kind == "media":
        return f'<a href="{html.escape(_attribute(node, "url"))}">{html.escape(_attribute(node, "url"))}</a>'
    inner = "".join(_html_node(child) for child in _children(node))
    if kind == "heading":
        return f"<h{_attribute(node, 'level')}>{inner}</h{_attribute(node, 'level')}>"
    if kind in _HTML_TAGS:
        return f"<{_HTML_TAGS[kind]}>{inner}</{_HTML_TAGS[kind]}>"
    return f"<div>{inner}</div>" if inner else html.escape(_wiki_word(node))


def _html_marked(node: Node) -> str:
    shown = html.escape(node["text"])
    for mark in node.get("marks", []):
        if mark["type"] == "link":
            shown = f'<a href="{html.escape(mark["attrs"]["href"])}">{shown}</a>'
        elif mark["type"] in _HTML_MARKS:
            shown = f"<{_HTML_MARKS[mark['type']]}>{shown}</{_HTML_MARKS[mark['type']]}>"
    return shown
