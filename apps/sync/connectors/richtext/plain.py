"""Plain text into the document model and back, for fields and systems that know no markup."""

import re
from collections.abc import Sequence

from .document import (
    LINK,
    Block,
    Code,
    Heading,
    Inline,
    Listing,
    Marked,
    Paragraph,
    Quote,
    Run,
    Table,
    nest,
    normal_lines,
    normalize,
)
from .markdown import is_bare

TAB_WIDTH = 4


def read(text: str) -> tuple[Block, ...]:
    """Every line of ``text`` as it stands: one empty line parts paragraphs, several stay, indentation is seen."""
    lines = [_seen_spaces(line.rstrip().expandtabs(TAB_WIDTH)) for line in normal_lines(text).split("\n")]
    paragraphs = re.split(r"(?<!\n)\n\n(?!\n)", "\n".join(lines).strip("\n"))
    return normalize(Paragraph((Run(paragraph),)) for paragraph in paragraphs)


def _seen_spaces(line: str) -> str:
    """Spaces that HTML and Markdown would fold, as a normal form understands them."""
    return re.sub(r"^ +| {2,}", lambda found: "\u00a0" * len(found[0]), line)


def write(blocks: Sequence[Block]) -> str:
    """What a reader sees, without any markup but list marks and quote marks."""
    return "\n\n".join(_write_block(block) for block in blocks)


def _write_block(block: Block) -> str:
    match block:
        case Paragraph(inline) | Heading(_, inline):
            return _write_inline(inline)
        case Code(_, code):
            return code
        case Quote(blocks):
            return "\n".join(f"> {line}".rstrip() for line in write(blocks).split("\n"))
        case Listing(start, items):
            return "\n".join(
                _write_item(item, "-" if start is None else f"{start + place}.") for place, item in enumerate(items)
            )
        case Table(rows):
            return "\n".join(" | ".join(_write_inline(cell) for cell in row).rstrip() for row in rows)
    return "---"


def _write_item(blocks: Sequence[Block], mark: str) -> str:
    margin = " " * (len(mark) + 1)
    text = "\n".join(_write_block(block) for block in blocks)
    return f"{mark} " + "\n".join(
        margin + line if place and line else line for place, line in enumerate(text.split("\n"))
    )


def _write_inline(inline: Inline) -> str:
    return "".join(_write_node(node) for node in nest(inline))


def _write_node(node: Marked | str) -> str:
    if isinstance(node, str):
        return node
    text = "".join(_write_node(below) for below in node.below)
    if not node.mark.startswith(LINK):
        return text
    address = node.mark.removeprefix(LINK)
    return text if is_bare(text, address) else f"{text} ({address.removeprefix('mailto:')})"
