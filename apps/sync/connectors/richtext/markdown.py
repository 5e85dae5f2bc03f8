"""Markdown into the document model and back: one spelling for each document, read alike by every CommonMark reader."""

import re
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.helpers import parseLinkDestination, parseLinkLabel, parseLinkTitle
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

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

DEEPEST_PARSE = 100
"""The parser drops what is nested deeper, so such a text is not parsed at all."""

FURTHEST_LOOK = 1_000_000

_FENCE = {"strong": "**", "em": "_", "strike": "~~"}
_LINE_START = re.compile(
    r"^(?:#{1,6}(?=\s|$)|>|[-+](?=\s|$)|\d{1,9}(?P<dot>[.)])(?=\s|$)|=+(?=[ ]*$)|[-:|][-:| ]*$)", re.M
)
_SPECIAL = re.compile(r"[*`~_\\\[\]!<&]")
_OTHER_SPACE = re.compile(r"[^\S \n]")
_WORD_IN_BRACKETS = re.compile(r"\[[^\[\]`\\<&*~!\n]{0,80}\](?=[^(\[:])")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z]\w*);")
_MARKS_OF_TOKEN = {"strong_open": "strong", "em_open": "em", "s_open": "strike"}


class TooDeep(ValueError):
    """The text nests deeper than the parser follows."""


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST_PARSE})
    parser.enable(["table", "strikethrough"]).disable(["html_block", "html_inline"])
    # Addresses are judged and spelled by safe_address alone, in Markdown and HTML alike.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    parser.normalizeLinkText = lambda link: link  # type: ignore[method-assign]
    parser.helpers = SimpleNamespace(
        parseLinkLabel=_read_label, parseLinkDestination=parseLinkDestination, parseLinkTitle=parseLinkTitle
    )  # type: ignore[assignment]
    return parser


def _read_label(state: StateInline, start: int, disable_nested: bool = False) -> int:
    """The parser looks from every ``[`` for its ``]``: half a minute in 250 kB of brackets. After a while none is one.

    Our own spelling escapes every bracket that could be left open, so it never comes near the limit.
    """
    if state.env.get("looked", 0) > FURTHEST_LOOK:
        return -1
    end = parseLinkLabel(state, start, disable_nested)
    state.env["looked"] = state.env.get("looked", 0) + (end if end >= 0 else state.posMax) - start
    return end


_PARSER = _parser()


def read(markdown: str) -> tuple[Block, ...]:
    """The document that ``markdown`` means. Raises TooDeep."""
    tokens = _PARSER.parse(normal_lines(markdown), {})
    if any(token.level >= DEEPEST_PARSE - 2 for token in tokens):
        raise TooDeep
    return normalize(_read_blocks(tokens))


def _read_blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    place = 0
    while place < len(tokens):
        token, end = tokens[place], place
        if token.nesting == 1:
            end = _end_of(tokens, place)
        yield from _read_block(token, tokens[place + 1 : end])
        place = end + 1


def _end_of(tokens: Sequence[Token], place: int) -> int:
    level = tokens[place].level
    return next(at for at in range(place + 1, len(tokens)) if tokens[at].nesting == -1 and tokens[at].level == level)


def _read_block(token: Token, inner: Sequence[Token]) -> Iterator[Block]:
    match token.type:
        case "paragraph_open":
            yield Paragraph(_read_inline(inner[0].children or []))
        case "heading_open":
            yield Heading(int(token.tag[1:]), _read_inline(inner[0].children or []))
        case "fence" | "code_block":
            yield Code((token.info.split() or [""])[0], token.content)
        case "hr":
            yield Rule()
        case "blockquote_open":
            yield Quote(tuple(_read_blocks(inner)))
        case "bullet_list_open":
            yield Listing(None, _read_items(inner))
        case "ordered_list_open":
            yield Listing(int(token.attrs.get("start", 1)), _read_items(inner))
        case "table_open":
            yield Table(_read_rows(inner))


def _read_items(tokens: Sequence[Token]) -> tuple[tuple[Block, ...], ...]:
    items, place = [], 0
    while place < len(tokens):
        end = _end_of(tokens, place)
        items.append(tuple(_read_blocks(tokens[place + 1 : end])))
        place = end + 1
    return tuple(items)


def _read_rows(tokens: Sequence[Token]) -> tuple[tuple[Inline, ...], ...]:
    rows: list[list[Inline]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_read_inline(token.children or []))
    return tuple(tuple(row) for row in rows)


def _read_inline(tokens: Sequence[Token], outer: Marks = NO_MARKS) -> Inline:
    runs: list[Run] = []
    open_marks: list[Marks] = [outer]
    for token in tokens:
        marks = open_marks[-1]
        if token.nesting == 1:
            open_marks.append(
                _with_link(marks, str(token.attrs.get("href", "")))
                if token.type == "link_open"
                else marks | {_MARKS_OF_TOKEN[token.type]}
            )
        elif token.nesting == -1:
            open_marks.pop()
        elif token.type in ("softbreak", "hardbreak"):
            runs.append(Run("\n", marks))
        elif token.type == "code_inline":
            runs.append(Run(token.content, marks | {"code"}))
        elif token.type == "image":
            runs.extend(_read_image(token, marks))
        else:
            runs.append(Run(token.content, marks))
    return tuple(runs)


def _read_image(token: Token, marks: Marks) -> Inline:
    address = str(token.attrs.get("src", ""))
    linked = _with_link(marks, address)
    return _read_inline(token.children or [], linked) or (Run(address if linked != marks else "", linked),)


def _with_link(marks: Marks, address: str) -> Marks:
    """Links do not nest: the outer one stays."""
    safe = safe_address(address)
    return marks if safe is None or any(mark.startswith(LINK) for mark in marks) else marks | {LINK + safe}


def write(blocks: Sequence[Block]) -> str:
    """``blocks``, which are in normal form, in their one spelling."""
    return _write_blocks(blocks)


def _write_blocks(blocks: Sequence[Block], *, in_item: bool = False) -> str:
    out, marker = "", ""
    before: Block | None = None
    for block in blocks:
        if isinstance(block, Listing):
            marker = _next_marker(block, before, marker)
            text = _write_list(block, marker)
            tight = in_item and isinstance(before, Paragraph) and block.start in (None, 1)
        else:
            text, tight = _write_block(block), False
        out += ("\n" if tight else "\n\n") * bool(out) + text
        before = block
    return out


def _next_marker(block: Listing, before: Block | None, last: str) -> str:
    """Two lists in a row would be read as one, were it not for another marker."""
    follows = isinstance(before, Listing) and (before.start is None) == (block.start is None)
    if block.start is None:
        return "*" if follows and last == "-" else "-"
    return ")" if follows and last == "." else "."


def _write_list(block: Listing, marker: str) -> str:
    items = []
    for number, item in enumerate(block.items, start=block.start or 0):
        mark = f"{marker} " if block.start is None else f"{number}{marker} "
        items.append(mark + _indented(_write_blocks(item, in_item=True), " " * len(mark)))
    return "\n".join(items)


def _indented(text: str, margin: str) -> str:
    first, *rest = text.split("\n")
    return "\n".join([first, *(margin + line if line else "" for line in rest)])


def _write_block(block: Block) -> str:
    match block:
        case Paragraph(inline):
            return write_inline(inline)
        case Heading(level, inline):
            text = _write_nodes(nest(inline), at_start=False)
            return "#" * level + " " + (text[:-1] + "\\#" if text.endswith("#") else text)
        case Code(language, code):
            fence = "`" * max(3, 1 + _longest(code))
            return f"{fence}{language}\n{code}\n{fence}"
        case Quote(blocks):
            return "\n".join(
                ("> " + line).rstrip(" ") if not line else "> " + line for line in _write_blocks(blocks).split("\n")
            )
        case Table(rows):
            return _write_table(rows)
    return "___"


def _longest(text: str) -> int:
    return max((len(ticks) for ticks in re.findall("`+", text)), default=0)


def _write_table(rows: Sequence[Sequence[Inline]]) -> str:
    lines = ["| " + " | ".join(write_inline(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("---" for _ in rows[0]) + " |")
    return "\n".join(lines)


def write_inline(inline: Inline) -> str:
    return _write_nodes(nest(inline), at_start=True)


def _write_nodes(nodes: Sequence[Marked | str], *, at_start: bool, in_link: bool = False) -> str:
    """Beside a delimiter, a letter that would keep it from working is spelled as an entity."""
    out, closed = "", ""
    for node in nodes:
        if isinstance(node, str):
            text = _escaped(node, at_start=at_start and (not out or out.endswith("\n")), in_link=in_link)
            if closed and _is_letter(text[0]) and (closed == "_" or not _is_letter(out[-len(closed) - 1])):
                text = _as_entity(text[0]) + text[1:]
            out, closed = out + text, ""
            continue
        fence = _FENCE.get(node.mark, "")
        text = _write_marked(node, in_link)
        if fence and out and _is_letter(out[-1]) and (fence == "_" or not _is_letter(text[len(fence)])):
            out = out[:-1] + _as_entity(out[-1])
        out, closed = out + text, fence
    return out


def _write_marked(node: Marked, in_link: bool) -> str:
    fence = _FENCE.get(node.mark)
    if fence is not None:
        return fence + _write_nodes(node.below, at_start=False, in_link=in_link) + fence
    if node.mark == "code":
        code = "".join(part for part in node.below if isinstance(part, str))
        ticks, pad = "`" * (1 + _longest(code)), " " * (code[0] == "`" or code[-1] == "`")
        return f"{ticks}{pad}{code}{pad}{ticks}"
    address = node.mark.removeprefix(LINK)
    text = node.below[0]
    if len(node.below) == 1 and isinstance(text, str) and is_bare(text, address):
        return f"<{text}>"
    target = _ENTITY.sub(lambda found: "&amp;" + found[0][1:], address)
    target = f"<{target}>" if "(" in target or ")" in target else target
    return f"[{_write_nodes(node.below, at_start=False, in_link=True)}]({target})"


def is_bare(text: str, address: str) -> bool:
    """Whether a link with this text may be written as the address alone."""
    spelled = re.fullmatch(r"[A-Za-z][\w+.-]*:[^\s<>\x00-\x20]*", text) is not None
    return spelled and text.partition(":")[0].lower() in SCHEMES and safe_address(text) == address


def _is_letter(c: str) -> bool:
    return not (isWhiteSpace(ord(c)) or isMdAsciiPunct(ord(c)) or isPunctChar(c))


def _as_entity(c: str) -> str:
    return f"&#{ord(c)};"


def _escaped(text: str, *, at_start: bool, in_link: bool) -> str:
    places = {found.start() for found in _SPECIAL.finditer(text) if _must_escape(text, found.start())}
    if not in_link:
        for found in _WORD_IN_BRACKETS.finditer(text):
            places -= {found.start(), found.end() - 1}
    for found in _LINE_START.finditer(text):
        if found.start() or at_start:
            places.add(found.start("dot") if found["dot"] else found.start())
    parts: list[str] = []
    done = 0
    for place in sorted(places):
        parts += text[done:place], "\\"
        done = place
    escaped = seen_spaces("".join([*parts, text[done:]]), at_start=at_start)
    return _OTHER_SPACE.sub(lambda found: _as_entity(found[0]), escaped).replace("\n", "\\\n")


def _must_escape(text: str, place: int) -> bool:
    """Whether the character would mean something; at the ends of a run it might, with what comes beside it."""
    c, after = text[place], text[place + 1 : place + 2]
    is_last = not after
    match c:
        case "*" | "`" | "~":
            return True
        case "_":
            inside = 2 <= place < len(text) - 2
            return not (inside and _is_letter(text[place - 1]) and _is_letter(after))
        case "\\":
            return place >= len(text) - 2 or after.isspace() or isMdAsciiPunct(ord(after))
        case "[" | "]":
            return True
        case "!":
            return is_last
        case "<":
            return is_last or after.isalpha() or after in "/!?"
        case "&":
            return _ENTITY.match(text, place) is not None
    return False
