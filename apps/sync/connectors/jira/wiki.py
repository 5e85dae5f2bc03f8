"""Jira's wiki markup, the rich text of Data Center (REST v2): Markdown out of it, and wiki text from Markdown.

Jira breaks a line at every newline, has no nesting of quotes and no code inside list items; what it cannot hold is
flattened once. Reading lives in :mod:`.wiki_reading`.
"""

import re
from collections.abc import Iterable

from apps.sync.connectors.richtext import to_html as markdown_to_html
from apps.sync.connectors.richtext.document import safe_address

from .tree import INLINE, Element, Run, nest, paragraphs, parse, runs, text_of
from .wiki_reading import from_wiki

__all__ = ["from_wiki", "to_wiki"]

_WRAPS = {"strong": "*", "em": "_", "del": "-"}
_URL = re.compile(r"(?:https?|ftp)://[^\s\\\[\]{}|<>\"]+|mailto:[^\s\\\[\]{}|<>\"]+")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_OPENS = re.compile(r"(?<![^\W_])([*_\-+^~]|\?\?)(?=\S)")
_EDGES = re.compile(r"^[*_\-+^~](?=\s|$)|(?<!\\)[*_\-+^~]$")
_IMAGE = re.compile(r"!(?=[^\s!][^!\n]*!)")
_LINE_START = re.compile(r"^(\s*)(?=(?:[*#\-]+ |h[1-6]\. |bq\. |-{4,}\s*$|\|))", re.M)


def to_wiki(markdown: str) -> str:
    """Wiki markup of ``markdown``; an empty text stays empty. Read and written again it stays as it is.

    A block whose words Jira's own rules would read in another way, or in yet another one each time they go round, loses
    its marks once and keeps its words.
    """
    blocks = _parsed(markdown)
    return _joined(
        text if _keeps(text, block) else _carefully(block) for block in blocks if (text := _joined(_block(block)))
    )


def _parsed(markdown: str) -> list[Element]:
    return paragraphs(parse(markdown_to_html(markdown)).children)


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(text for text in texts if text)


def _keeps(wiki: str, block: Element) -> bool:
    """Whether ``wiki`` is read as the words of ``block``, and, written again, is read as before."""
    kept = from_wiki(wiki)
    blocks = _parsed(kept)
    if _words(*blocks) != _words(block):
        return False
    again = _joined(_blocks(blocks))
    return again == wiki or from_wiki(again) == kept


def _words(*blocks: Element) -> str:
    return "".join("".join(text_of(block) for block in blocks).split())


_SIGNS = {number: 0xE100 + number for number in range(33, 127) if not chr(number).isalnum()}
_SPELLED = {private: f"&#{number};" for number, private in _SIGNS.items()}


def _carefully(block: Element) -> str:
    """``block`` as words alone, with every sign as an entity."""
    return _joined(_block(_as_words(block))).translate(_SPELLED)


def _as_words(element: Element) -> Element:
    if element.tag == "pre":
        return element
    children: list[Element | str] = []
    for child in element.children:
        if isinstance(child, str):
            children.append(child.translate(_SIGNS))
        elif child.tag in INLINE and child.tag not in ("br", "img", "input"):
            address = child.attributes.get("href", "")
            words = _as_words(child).children
            children += words
            if address and safe_address(text_of(child)) != safe_address(address):
                children.append(f" ({address})".translate(_SIGNS))
        else:
            children.append(_as_words(child))
    return Element(element.tag, element.attributes, children)


def _blocks(elements: Iterable[Element]) -> list[str]:
    return [text for element in elements for text in _block(element)]


def _block(element: Element) -> list[str]:
    tag = element.tag
    if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
        line = _line(element).replace("\n", " ")
        return [f"{tag}. {line}"] if line else []
    if tag == "p":
        return [_LINE_START.sub(_protect, _line(element))]
    if tag == "hr":
        return ["----"]
    if tag == "pre":
        return [_code(element)]
    if tag in ("ul", "ol"):
        return _list(element, "")
    if tag == "blockquote":
        inner = _joined(_blocks(_unquoted(element)))
        return [f"{{quote}}\n{inner}\n{{quote}}"] if inner else []
    if tag == "table":
        return [_table(element)]
    return _blocks(paragraphs(element.children))


def _unquoted(element: Element) -> list[Element]:
    """The blocks of a quote; a quote inside is opened up, because {quote} closes at the next {quote}."""
    found: list[Element] = []
    for child in paragraphs(element.children):
        found += _unquoted(child) if child.tag == "blockquote" else [child]
    return found


def _protect(found: re.Match[str]) -> str:
    """A backslash in front of what would start a list, heading or table; letters are written as an entity instead."""
    following = found.string[found.end()]
    if following in "hb":
        return found.group(1) + "{anchor}"
    return found.group(1) + "\\"


def _line(element: Element) -> str:
    return _spelled(runs(element.children))


def _spelled(found: list[Run]) -> str:
    def wrap(mark: str, inner: str, href: str) -> str:
        if mark == "link":
            address = href.replace("|", "%7C").replace("]", "%5D")
            # A link stands on one line.
            lines = inner.split("\n")
            return "\n".join(
                line if not line.strip() else f"[{line}]" if line == href else f"[{line}|{address}]" for line in lines
            )
        return _marked(mark, inner)

    return _loosen(nest(found, wrap, _spell))


def _spell(run: Run) -> str:
    if run.is_break:
        return "\n"
    text = escape(run.text, is_link=bool(run.href))
    return _EDGES.sub(lambda found: "\\" + found.group(), text) if run.marks else text


_OPEN, _CLOSE = "\ue000", "\ue001"


def _marked(mark: str, inner: str) -> str:
    """``inner`` in the marks, which must touch its words and stay on one line; private signs stand for them for now."""
    if mark == "code":
        return "\n".join(f"{{{{{line}}}}}" if line.strip() else line for line in inner.split("\n"))
    sign = _WRAPS[mark]
    lines = []
    for line in inner.split("\n"):
        core = line.strip(" ")
        lead, trail = line[: len(line) - len(line.lstrip(" "))], line[len(line.rstrip(" ")) :] if core else ""
        lines.append(f"{lead}{_OPEN}{sign}{core}{_CLOSE}{sign}{trail}" if core else line)
    return "\n".join(lines)


def _loosen(text: str) -> str:
    """Marks inside a word are put in braces, the only form that Jira reads there."""
    parts = re.split(f"([{_OPEN}{_CLOSE}].)", text)
    for index in range(1, len(parts), 2):
        sign = parts[index][1]
        before = "".join(parts[:index])[-1:]
        after = parts[index + 1][:1]
        is_open = parts[index][0] == _OPEN
        is_inside = before.isalnum() or before == "\\" if is_open else after.isalnum()
        parts[index] = f"{{{sign}}}" if is_inside else sign
    return "".join(parts)


def escape(text: str, *, is_link: bool = False) -> str:
    """``text`` so that Jira shows these very characters; addresses stay as they are, because Jira links them whole."""
    if is_link:
        return text if _URL.fullmatch(text) else _escape_plain(text).replace("|", "\\|")
    parts, position = [], 0
    for found in _URL.finditer(text):
        parts += [_escape_plain(text[position : found.start()]), found.group()]
        position = found.end()
    return "".join([*parts, _escape_plain(text[position:])])


def _escape_plain(text: str) -> str:
    text = text.replace(_OPEN, "").replace(_CLOSE, "")
    text = _ENTITY.sub("&amp;", text).replace("\\", "&#92;")
    text = re.sub(r"[{}\[\]]", lambda found: "\\" + found.group(), text)
    text = _OPENS.sub(lambda found: "".join("\\" + sign for sign in found.group(1)), text)
    return _IMAGE.sub("\\!", text)


def _code(element: Element) -> str:
    inner = next((child for child in element.children if isinstance(child, Element)), element)
    names = (name for name in inner.attributes.get("class", "").split() if name.startswith("language-"))
    language = re.sub(r"[^\w+#.-]", "", next(names, "").removeprefix("language-"))
    text = text_of(element).removesuffix("\n")
    if "{code" not in text:
        return f"{{code{':' + language if language else ''}}}\n{text}\n{{code}}"
    return f"{{noformat}}\n{text.replace('{noformat', '{ noformat')}\n{{noformat}}"


def _list(element: Element, prefix: str) -> list[str]:
    """One text per run of items; code, quotes and tables inside an item follow the list that they interrupt."""
    sign = prefix + ("*" if element.tag == "ul" else "#")
    texts: list[str] = []
    lines: list[str] = []
    for item in element.children:
        if not isinstance(item, Element):
            continue
        words: list[str] = []
        nested: list[str] = []
        outside: list[str] = []
        for child in paragraphs(item.children):
            if child.tag in ("ul", "ol"):
                first, *others = _list(child, sign) or [""]
                nested += [first] if first else []
                outside += others
            elif child.tag in ("pre", "blockquote", "table"):
                outside += _block(child)
            else:
                words += [_LINE_START.sub(_protect, _line(child))]
        lines += [f"{sign} " + "\n".join(word for word in words if word), *nested]
        if outside:
            texts += ["\n".join(lines), *outside]
            lines = []
    return [*texts, *(["\n".join(lines)] if lines else [])]


def _table(element: Element) -> str:
    lines = []
    for row in _rows(element):
        cells = [child for child in row.children if isinstance(child, Element) and child.tag in ("td", "th")]
        if cells:
            lines.append("".join(_bar(cell) + (_cell(cell) or " ") for cell in cells) + _bar(cells[-1]))
    return "\n".join(lines)


def _bar(cell: Element) -> str:
    return "||" if cell.tag == "th" else "|"


def _cell(cell: Element) -> str:
    """Inline text of a cell. A bar in it becomes an entity: a backslash does not keep Jira from splitting there."""
    found = [Run(run.text.replace("|", "\ue002"), run.marks, run.href, run.is_break) for run in runs(cell.children)]
    return _spelled(found).replace("\ue002", "&#124;").replace("\n", "\\\\")


def _rows(table: Element) -> list[Element]:
    found: list[Element] = []
    for child in table.children:
        if isinstance(child, Element):
            found += [child] if child.tag == "tr" else _rows(child)
    return found
