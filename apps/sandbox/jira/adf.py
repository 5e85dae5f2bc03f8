"""The Atlassian Document Format: the structure rules that REST v3 enforces on every rich text written."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DEEPEST = 200

_INLINE = frozenset({"text", "hardBreak", "mention", "emoji", "inlineCard", "status", "date"})
_LISTS = frozenset({"bulletList", "orderedList"})
_MEDIA = frozenset({"mediaSingle", "mediaGroup"})
_TEXT = frozenset({"text"})
_TASKS = frozenset({"taskList"})
_TITLED = frozenset({"paragraph", "heading"})
_PANEL = _TITLED | _LISTS | _MEDIA | _TASKS | {"codeBlock", "rule"}
_CELL = _PANEL | {"panel", "blockquote", "nestedExpand"}
_EXPAND = _CELL | {"table"}
_DOC = _TITLED | _LISTS | _MEDIA | _TASKS | {"blockquote", "codeBlock", "panel", "rule", "table", "expand"}
_BLOCK_MARKS = frozenset({"alignment", "indentation", "breakout"})
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


class BadDocument(ValueError):
    """The text is not a document that the vendor would take; says where and why."""


@dataclass(frozen=True, slots=True)
class _Rule:
    children: frozenset[str] = frozenset()
    may_be_empty: bool = False
    is_leaf: bool = False
    attributes: tuple[tuple[str, Callable[[Any], bool]], ...] = ()
    optional: tuple[tuple[str, Callable[[Any], bool]], ...] = ()


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_filled(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _one_of(*allowed: Any) -> Callable[[Any], bool]:
    return lambda value: not isinstance(value, bool) and value in allowed


_PANEL_TYPES = ("info", "note", "tip", "warning", "success", "error", "custom")
_STATUS_COLORS = ("neutral", "purple", "blue", "red", "yellow", "green")

_NODES: dict[str, _Rule] = {
    "paragraph": _Rule(_INLINE, may_be_empty=True),
    "heading": _Rule(_INLINE, may_be_empty=True, attributes=(("level", _one_of(1, 2, 3, 4, 5, 6)),)),
    "bulletList": _Rule(frozenset({"listItem"})),
    "orderedList": _Rule(frozenset({"listItem"}), optional=(("order", _is_number),)),
    "listItem": _Rule(_LISTS | _TASKS | {"paragraph", "codeBlock", "mediaSingle"}),
    "taskList": _Rule(frozenset({"taskItem", "taskList"}), attributes=(("localId", _is_text),)),
    "taskItem": _Rule(
        _INLINE, may_be_empty=True, attributes=(("localId", _is_text), ("state", _one_of("TODO", "DONE")))
    ),
    "blockquote": _Rule(_LISTS | _MEDIA | {"paragraph", "codeBlock"}),
    "codeBlock": _Rule(_TEXT, may_be_empty=True, optional=(("language", _is_text),)),
    "panel": _Rule(_PANEL, attributes=(("panelType", _one_of(*_PANEL_TYPES)),)),
    "rule": _Rule(is_leaf=True),
    "table": _Rule(frozenset({"tableRow"})),
    "tableRow": _Rule(frozenset({"tableHeader", "tableCell"}), may_be_empty=True),
    "tableHeader": _Rule(_CELL),
    "tableCell": _Rule(_CELL),
    "mediaSingle": _Rule(frozenset({"media"})),
    "mediaGroup": _Rule(frozenset({"media"})),
    "media": _Rule(is_leaf=True, attributes=(("type", _one_of("file", "link", "external")),)),
    "expand": _Rule(_EXPAND, optional=(("title", _is_text),)),
    "nestedExpand": _Rule(_PANEL | {"blockquote"}, attributes=(("title", _is_text),)),
    "hardBreak": _Rule(is_leaf=True),
    "mention": _Rule(is_leaf=True, attributes=(("id", _is_filled),)),
    "emoji": _Rule(is_leaf=True, attributes=(("shortName", _is_filled),)),
    "inlineCard": _Rule(is_leaf=True, attributes=(("url", _is_filled),)),
    "status": _Rule(is_leaf=True, attributes=(("text", _is_filled), ("color", _one_of(*_STATUS_COLORS)))),
    "date": _Rule(is_leaf=True, attributes=(("timestamp", lambda value: _is_filled(value) and value.isdigit()),)),
}

_MARKS: dict[str, tuple[str, Callable[[Any], bool]] | None] = {
    "strong": None,
    "em": None,
    "strike": None,
    "underline": None,
    "code": None,
    "link": ("href", _is_text),
    "textColor": ("color", lambda value: _is_text(value) and bool(_COLOR.fullmatch(value))),
    "backgroundColor": ("color", lambda value: _is_text(value) and bool(_COLOR.fullmatch(value))),
    "subsup": ("type", _one_of("sub", "sup")),
}


def check_document(document: Any) -> None:
    """Raise BadDocument unless ``document`` is a root of version 1 with content that nests as the format allows."""
    if not isinstance(document, dict) or document.get("type") != "doc":
        raise BadDocument("the root is not a doc")
    if isinstance(document.get("version"), bool) or document.get("version") != 1:
        raise BadDocument("the version is not 1")
    if document.keys() - {"type", "version", "content"}:
        raise BadDocument("the root has unknown members")
    content = document.get("content")
    if not isinstance(content, list) or not content:
        raise BadDocument("the document is empty")
    for child in content:
        _check_node(child, _DOC, "doc", 1)


def _check_node(node: Any, allowed: frozenset[str], parent: str, depth: int) -> None:
    if not isinstance(node, dict):
        raise BadDocument(f"a child of {parent} is not a node")
    kind = node.get("type")
    if not isinstance(kind, str) or kind not in allowed:
        raise BadDocument(f"{kind} is not allowed in {parent}")
    if depth > DEEPEST:
        raise BadDocument("the document is nested too deeply")
    if kind == "text":
        _check_text(node, parent)
        return
    rule = _NODES[kind]
    if node.keys() - {"type", "attrs", "content", "marks"}:
        raise BadDocument(f"{kind} has unknown members")
    _check_attributes(node, rule)
    _check_block_marks(node)
    content = node.get("content", [])
    if not isinstance(content, list) or (content and rule.is_leaf):
        raise BadDocument(f"{kind} cannot have this content")
    if not content and not rule.is_leaf and not rule.may_be_empty:
        raise BadDocument(f"{kind} is empty")
    for child in content:
        _check_node(child, rule.children, kind, depth + 1)


def _check_attributes(node: dict[str, Any], rule: _Rule) -> None:
    attributes = node.get("attrs", {})
    if not isinstance(attributes, dict):
        raise BadDocument(f"attrs of {node['type']} is not an object")
    for name, fits in rule.attributes:
        if not fits(attributes.get(name)):
            raise BadDocument(f"{node['type']} needs a valid {name}")
    for name, fits in rule.optional:
        if name in attributes and not fits(attributes[name]):
            raise BadDocument(f"{node['type']} has an invalid {name}")
    if node["type"] == "media":
        # An upload's answer holds no Media Services id, so no caller of the REST interface can name a stored file.
        if attributes["type"] != "external":
            raise BadDocument("ATTACHMENT_VALIDATION_ERROR")
        if not _is_filled(attributes.get("url")):
            raise BadDocument("media needs a valid url")


def _check_block_marks(node: dict[str, Any]) -> None:
    marks = node.get("marks", [])
    allowed = frozenset(_MARKS) - {"code"} if node["type"] in _INLINE else _BLOCK_MARKS
    if not isinstance(marks, list) or any(
        not isinstance(mark, dict) or mark.get("type") not in allowed for mark in marks
    ):
        raise BadDocument(f"{node['type']} has a mark that is not allowed")


def _check_text(node: dict[str, Any], parent: str) -> None:
    if node.keys() - {"type", "text", "marks"}:
        raise BadDocument("text has unknown members")
    if not _is_filled(node.get("text")):
        raise BadDocument("a text node is empty")
    marks = node.get("marks", [])
    if not isinstance(marks, list) or (marks and parent == "codeBlock"):
        raise BadDocument(f"text in {parent} cannot have these marks")
    kinds = [_checked_mark(mark) for mark in marks]
    if len(set(kinds)) < len(kinds):
        raise BadDocument("a mark is given twice")
    if "code" in kinds and set(kinds) - {"code", "link"}:
        raise BadDocument("code combines only with link")


def _checked_mark(mark: Any) -> str:
    kind = mark.get("type") if isinstance(mark, dict) else None
    if not isinstance(kind, str) or kind not in _MARKS:
        raise BadDocument(f"mark {kind} is not known")
    needed = _MARKS[kind]
    if needed is not None:
        name, fits = needed
        attributes = mark.get("attrs")
        if not isinstance(attributes, dict) or not fits(attributes.get(name)):
            raise BadDocument(f"mark {kind} needs a valid {name}")
    return kind
