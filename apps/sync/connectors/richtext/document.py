"""The small document model between Markdown, HTML and plain text, and its one normal form.

Inline text is a flat row of runs, each with the set of its marks: systems nest bold, italics and links in every order,
and only a flat form makes the same look the same value. A mark is ``strong``, ``em``, ``strike``, ``code`` or
``link:ADDRESS``. In a run's text ``\\n`` is a line break and every space is one that is seen.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import TypeAlias
from urllib.parse import quote

import nh3

Marks: TypeAlias = frozenset[str]

SCHEMES = frozenset({"https", "http", "mailto"})
LINK = "link:"
NO_MARKS: Marks = frozenset()
DEEPEST = 12
"""Quotes and lists nested deeper are unwrapped: their text stays."""
LARGEST_NUMBER = 999_999_999
NO_BREAK_SPACE = "\u00a0"

_SPACES = " " + NO_BREAK_SPACE
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef\ufffe\uffff"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 17))
    + "]"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n|[\r\x0c\x85\u2028\u2029]")
_SEVERAL_SPACES = re.compile(r"^ +| {2,}", re.MULTILINE)
_PIECE = re.compile(r"\S+|\s")
_BARE_ADDRESS = re.compile(r"(?<![\w/])https?://[^\s<>\"`|\\^{}\[\]]+", re.I)
_ADDRESS = re.compile(r"(?P<scheme>https?:(?=//)|mailto:(?=[^@]+@))(?P<rest>\S+)", re.I)
_ORDER = ("strong", "em", "strike", "link", "code")
_LANGUAGE = re.compile(r"[\w+#.-]{1,40}", re.A)


@dataclass(frozen=True, slots=True)
class Run:
    """Text that carries one set of marks."""

    text: str
    marks: Marks = NO_MARKS

    @property
    def address(self) -> str | None:
        return next((mark.removeprefix(LINK) for mark in self.marks if mark.startswith(LINK)), None)


Inline: TypeAlias = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    inline: Inline


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    inline: Inline


@dataclass(frozen=True, slots=True)
class Code:
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the page."""


@dataclass(frozen=True, slots=True)
class Quote:
    blocks: tuple["Block", ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list; ``start`` is its first number, or None for bullets. Whether items stand tight or loose is not kept."""

    start: int | None
    items: tuple[tuple["Block", ...], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the first row is the header."""

    rows: tuple[tuple[Inline, ...], ...]


Block: TypeAlias = Paragraph | Heading | Code | Rule | Quote | Listing | Table


def normal_lines(text: str) -> str:
    """``text`` with one kind of line end, and without characters that nobody sees and no system keeps alike."""
    return _LONE_SURROGATE.sub("\ufffd", _UNSEEN.sub("", _LINE_ENDS.sub("\n", text)))


def normalize(blocks: Iterable[Block], depth: int = 0) -> tuple[Block, ...]:
    """The normal form: nothing empty, nothing too deep, inline text tidy."""
    return tuple(tidy for block in blocks for tidy in _normalize_block(block, depth))


def _normalize_block(block: Block, depth: int) -> Iterator[Block]:
    match block:
        case Paragraph(inline):
            if tidy := tidy_inline(inline):
                yield Paragraph(tidy)
        case Heading(level, inline):
            if tidy := _on_one_line(inline):
                yield Heading(min(max(level, 1), 6), tidy)
        case Code(language, text):
            text = normal_lines(text).strip("\n")
            if text.strip():
                yield Code(language if _LANGUAGE.fullmatch(language) else "", text)
        case Quote() | Listing():
            yield from _normalize_nested(block, depth)
        case Table(rows):
            yield from _normalize_table(rows)
        case Rule():
            yield block


def _normalize_nested(block: Quote | Listing, depth: int) -> Iterator[Block]:
    nested = (block.blocks,) if isinstance(block, Quote) else block.items
    parts = tuple(part for part in (normalize(part, depth + 1) for part in nested) if part)
    if depth >= DEEPEST:
        yield from (inner for part in parts for inner in part)
    elif parts and isinstance(block, Quote):
        yield Quote(parts[0])
    elif parts and isinstance(block, Listing):
        yield Listing(None if block.start is None else min(max(block.start, 0), LARGEST_NUMBER), parts)


def _normalize_table(cells: tuple[tuple[Inline, ...], ...]) -> Iterator[Table]:
    rows = [tuple(_on_one_line(cell) for cell in row) for row in cells]
    rows = [row for number, row in enumerate(rows) if number == 0 or any(row)]
    width = max((len(row) for row in rows), default=0)
    if any(any(row) for row in rows):
        yield Table(tuple(row + ((),) * (width - len(row)) for row in rows))


def _on_one_line(inline: Inline) -> Inline:
    """Headings and cells hold no line break and no indentation."""
    first, *rest = tidy_inline(Run(normal_lines(run.text).replace("\n", " "), run.marks) for run in inline) or (
        Run(""),
    )
    text = first.text.lstrip(_SPACES)
    return (Run(text, first.marks), *rest) if text else tuple(rest)


def tidy_inline(inline: Iterable[Run]) -> Inline:
    """Runs in normal form, from runs as a reader met them (spaces still to be folded, addresses still bare text)."""
    pieces = _fold_spaces(inline)
    _settle_space(pieces)
    runs = _merge(_fold_links(_merge(Run(text, marks) for text, marks in pieces)))
    return tuple(_merge(linked for run in runs for linked in _find_addresses(run)))


def _merge(runs: Iterable[Run]) -> list[Run]:
    return [Run("".join(run.text for run in same), marks) for marks, same in groupby(runs, key=attrgetter("marks"))]


_Pieces: TypeAlias = list[tuple[str, Marks]]
"""Words, and white space one character at a time."""


def _fold_spaces(inline: Iterable[Run]) -> _Pieces:
    """Plain spaces fold into one and vanish at line edges, as in HTML; a code span holds no line break."""
    pieces: _Pieces = []
    for run in inline:
        for piece in _PIECE.findall(normal_lines(run.text).replace("\t", " ")):
            before = pieces[-1][0] if pieces else "\n"
            if (piece == " " and before in (" ", "\n")) or (piece == "\n" and not pieces):
                continue
            if piece == "\n":
                _drop_end(pieces, _SPACES)
            if piece != "\n":
                pieces.append((piece, run.marks))
            elif pieces:
                pieces.append((piece, run.marks - {"code"}))
    _drop_end(pieces, _SPACES + "\n")
    return pieces


def _drop_end(pieces: _Pieces, unseen: str) -> None:
    while pieces and pieces[-1][0] in unseen:
        pieces.pop()


def _settle_space(pieces: _Pieces) -> None:
    """White space bears only the marks of both neighbors; a no-break space beside another space is just a seen space.

    Emphasis that begins or ends with a space is none in Markdown, and editors write double spaces with ``&nbsp;``.
    """
    at = 0
    while at < len(pieces):
        end = at
        while end < len(pieces) and pieces[end][0].isspace():
            end += 1
        if end > at:
            # White space at the end was dropped, so something stands after it.
            around = (NO_MARKS if at == 0 else pieces[at - 1][1], *(marks for _, marks in pieces[at : end + 1]))
            shared = around[0].intersection(*around[1:])
            space = [c for c, _ in pieces[at:end]]
            if "code" not in shared:
                space = [" " if _is_seen_space(space, place, at) else c for place, c in enumerate(space)]
            pieces[at:end] = [(c, shared) for c in space]
        at = end + 1


def _is_seen_space(space: list[str], place: int, at: int) -> bool:
    before = space[place - 1] if place else "\n" if at == 0 else ""
    after = space[place + 1] if place + 1 < len(space) else ""
    return space[place] == NO_BREAK_SPACE and (before in (" ", NO_BREAK_SPACE, "\n") or after in (" ", NO_BREAK_SPACE))


def _fold_links(runs: Iterable[Run]) -> Iterator[Run]:
    """Links that a system makes by itself out of bare addresses look as if it had not."""
    for address, linked in groupby(runs, key=attrgetter("address")):
        run, *more = linked
        if address is None or more:
            yield from (run, *more)
        elif len(run.text.split()) > 1 and {safe_address(word) for word in run.text.split()} == {address}:
            # One address several times is no text of a link to it: plain text would name the address once more.
            for piece in re.split(r"(\s+)", run.text):
                yield Run(piece, run.marks - {LINK + address} if piece.isspace() else run.marks)
        elif address == "mailto:" + run.text:
            yield Run(run.text, run.marks - {LINK + address})
        elif address.endswith("/") and safe_address(run.text) == address[:-1]:
            yield Run(run.text, run.marks - {LINK + address} | {LINK + address[:-1]})
        else:
            yield run


def _find_addresses(run: Run) -> Iterator[Run]:
    if run.address is not None or "code" in run.marks:
        yield run
        return
    done = 0
    for found in _BARE_ADDRESS.finditer(run.text):
        text = _without_tail(found[0])
        address = safe_address(text)
        if address is None:
            continue
        if found.start() > done:
            yield Run(run.text[done : found.start()], run.marks)
        yield Run(text, run.marks | {LINK + address})
        done = found.start() + len(text)
    if done < len(run.text):
        yield Run(run.text[done:], run.marks)


def _without_tail(address: str) -> str:
    """A sentence's own punctuation after an address is not part of it."""
    while address and (address[-1] in ".,;:!?'*_~" or (address[-1] == ")" and address.count(")") > address.count("("))):
        address = address[:-1]
    return address


@lru_cache(maxsize=4096)
def safe_address(address: str) -> str | None:
    """``address`` as links carry it (percent-encoded), or None when it must not be a link: its text stays."""
    if not (found := _ADDRESS.fullmatch(address.strip())):
        return None
    address = found["scheme"].lower() + quote(found["rest"], safe="!#$%&'()*+,/:;=?@[]~-._")
    kept = nh3.clean(f'<a href="{address.replace("&", "&amp;")}">x</a>', tags={"a"}, url_schemes=set(SCHEMES))
    return address if "href=" in kept else None


@dataclass(frozen=True, slots=True)
class Marked:
    """A mark around what stands below it."""

    mark: str
    below: tuple["Marked | str", ...]


def seen_spaces(text: str, *, at_start: bool) -> str:
    """``text`` with every second one of several spaces as ``&nbsp;``, the first already where a line begins."""

    def spell(found: re.Match[str]) -> str:
        leads = text[found.start() - 1] == "\n" if found.start() else at_start
        return "".join("&nbsp;" if leads == (place % 2 == 0) else " " for place in range(len(found[0])))

    return _SEVERAL_SPACES.sub(spell, text).replace(NO_BREAK_SPACE, "&nbsp;")


def nest(runs: Inline) -> tuple[Marked | str, ...]:
    """Flat runs as a tree: the mark that reaches furthest goes outside, code innermost; none begins with a space."""
    nodes: list[Marked | str] = []
    place = 0
    while place < len(runs):
        run = runs[place]
        word = run.text.lstrip()
        if not run.marks or not word:
            nodes.append(run.text)
            place += 1
            continue
        if word != run.text:
            nodes.append(run.text.removesuffix(word))
            runs = (*runs[:place], Run(word, run.marks), *runs[place + 1 :])
        mark, end = _furthest(runs, place)
        below = tuple(Run(inner.text, inner.marks - {mark}) for inner in runs[place:end])
        nodes.append(Marked(mark, nest(below)))
        place = end
    return tuple(nodes)


def _furthest(runs: Inline, place: int) -> tuple[str, int]:
    best, reach = "code", place + 1
    for mark in sorted(runs[place].marks - {"code"}, key=lambda mark: _ORDER.index(mark.partition(":")[0])):
        end = place
        while end < len(runs) and mark in runs[end].marks:
            end += 1
        if best == "code" or end > reach:
            best, reach = mark, end
    return best, reach
