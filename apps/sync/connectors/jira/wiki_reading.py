"""Reading Jira's wiki markup, as people really write it, into Markdown."""

import re
from html import escape, unescape

from apps.sync.connectors.richtext import from_html

from .tree import is_safe

_MACRO = re.compile(
    r"(?<!\\)\{(?P<kind>code|noformat)(?::(?P<options>[^}\n]*))?\}(?P<body>.*?)(?<!\\)\{(?P=kind)\}"
    r"|(?<!\\)\{(?P<box>quote|panel)(?::(?P<title>[^}\n]*))?\}",
    re.S,
)
_HEADING = re.compile(r"\s*h([1-6])\.\s+(.*)")
_ITEM = re.compile(r"\s*([*#]+|-)\s+(.*)")
_RULE = re.compile(r"\s*-{4,}\s*$")
_QUOTED = re.compile(r"\s*bq\.\s+(.*)")
_LANGUAGE = re.compile(r"[\w+#.-]+$")

_INLINE = re.compile(
    r"(?P<url>(?:https?|ftp)://[^\s\\\[\]{}|<>\"]+|mailto:[^\s\\\[\]{}|<>\"]+)"
    r"|(?P<newline>\n|\\\\(?=\s|$|[^\W_]|<)|\\\\)"
    r"|\\(?P<literal>_|[^\w\s\\])"
    r"|\{\{(?P<mono>(?:\\[^\n]|[^\\\n])+?)\}\}(?!\})"
    r"|\{(?:color|anchor)(?::[^}\n]*)?\}"
    r"|\[(?P<link>(?:\\[^\n]|[^\\\[\]\n])+)\]"
    r"|!(?P<image>[^\s!|][^!|\n]*)(?:\|[^!\n]*)?!"
    r"|\{(?P<brace>[*_+^~-])\}(?P<inside>[^\n]{1,2000}?)(?:\{(?P=brace)\}|(?<=\S)(?P=brace)(?!\w))"
    r"|(?<![^\W_])(?P<mark>[*_+^~-]|\?\?)(?=\S)(?P<marked>[^\n]{1,2000}?(?<=[^\s\\]))(?:(?P=mark)(?![^\W_])|\{(?P=mark)\})"
)
_LITERAL = re.compile(r"\\(_|[^\w\s])")
_TAGS = {"*": "strong", "_": "em", "-": "del", "??": "em"}


def from_wiki(text: str | None) -> str:
    """Canonical Markdown of wiki markup. Colors, anchors and sizes have no word in Markdown and are left out."""
    return from_html(_document((text or "").replace("\r\n", "\n").replace("\r", "\n")))


def _document(text: str) -> str:
    parts: list[str] = []
    open_box = ""
    position = 0
    for found in _MACRO.finditer(text):
        parts.append(_lines(text[position : found.start()]))
        position = found.end()
        if found["kind"]:
            parts.append(_code(found["options"] or "", found["body"]))
        elif open_box == found["box"]:
            parts.append("</blockquote>")
            open_box = ""
        elif not open_box:
            open_box = found["box"]
            parts.append("<blockquote>" + _title(found["title"] or ""))
    parts.append(_lines(text[position:]))
    return "".join(parts) + ("</blockquote>" if open_box else "")


def _code(options: str, body: str) -> str:
    first = options.split("|", maxsplit=1)[0]
    mark = f' class="language-{escape(first)}"' if _LANGUAGE.match(first) and first != "none" else ""
    body = body.removeprefix("\n").removesuffix("\n")
    return f"<pre><code{mark}>{escape(body, quote=False)}\n</code></pre>"


def _title(options: str) -> str:
    titles = (option.removeprefix("title=") for option in options.split("|") if option.startswith("title="))
    title = next(titles, "")
    return f"<p><strong>{escape(title, quote=False)}</strong></p>" if title else ""


def _lines(text: str) -> str:
    parts: list[str] = []
    paragraph: list[str] = []
    items: list[tuple[str, str]] = []
    rows: list[str] = []

    def flush() -> None:
        if paragraph:
            parts.append("<p>" + _inline("\n".join(paragraph)) + "</p>")
        if items:
            parts.append(_list(items))
        if rows:
            parts.append("<table>" + "".join(_row(row) for row in rows) + "</table>")
        paragraph.clear()
        items.clear()
        rows.clear()

    for line in text.split("\n"):
        if not line.strip():
            flush()
            continue
        if block := _single(line):
            flush()
            parts.append(block)
        elif found := _ITEM.match(line):
            if not items:
                flush()
            items.append((found[1], found[2]))
        elif line.lstrip().startswith("|"):
            if not rows:
                flush()
            rows.append(line.strip())
        elif items:
            items[-1] = (items[-1][0], items[-1][1] + "\n" + line)
        elif rows and not rows[-1].endswith("|"):
            rows[-1] += "\\\\" + line.strip()
        else:
            if rows:
                flush()
            paragraph.append(line)
    flush()
    return "".join(parts)


def _single(line: str) -> str:
    """The block that one line makes by itself, or nothing."""
    if found := _HEADING.match(line):
        return f"<h{found[1]}>{_inline(found[2])}</h{found[1]}>"
    if _RULE.match(line):
        return "<hr>"
    if found := _QUOTED.match(line):
        return f"<blockquote><p>{_inline(found[1])}</p></blockquote>"
    return ""


def _list(items: list[tuple[str, str]]) -> str:
    """Nested lists from lines such as ``*#  text``: one sign a level."""
    parts: list[str] = []
    open_tags: list[str] = []
    for signs, text in items:
        wanted = ["ol" if sign == "#" else "ul" for sign in signs]
        common = 0
        while common < min(len(wanted), len(open_tags)) and wanted[common] == open_tags[common]:
            common += 1
        while len(open_tags) > common:
            parts.append(f"</li></{open_tags.pop()}>")
        if common == len(wanted):
            parts.append("</li>")
        else:
            for tag in wanted[common:-1]:
                parts.append(f"<{tag}><li>")
                open_tags.append(tag)
            parts.append(f"<{wanted[-1]}>")
            open_tags.append(wanted[-1])
        parts.append(f"<li>{_inline(text)}")
    parts += [f"</li></{tag}>" for tag in reversed(open_tags)]
    return "".join(parts)


_CELL = re.compile(r"(\|\|?)((?:\{\{.*?\}\}|\[[^\]\n]*\]|\\.|[^|\\])*)", re.S)


def _row(row: str) -> str:
    cells = [(found[1], found[2]) for found in _CELL.finditer(row)]
    if cells and not cells[-1][1].strip():
        cells.pop()
    written = []
    for bar, text in cells:
        tag = "th" if bar == "||" else "td"
        written.append(f"<{tag}>{_inline(text.strip())}</{tag}>")
    return f"<tr>{''.join(written)}</tr>"


def _plain(text: str) -> str:
    return escape(unescape(text), quote=False)


def _inline(text: str) -> str:
    parts: list[str] = []
    position = 0
    for found in _INLINE.finditer(text):
        parts += [_plain(text[position : found.start()]), _read(found)]
        position = found.end()
    return "".join([*parts, _plain(text[position:])])


def _read(found: re.Match[str]) -> str:
    if found["url"]:
        return escape(found["url"], quote=False)
    if found["newline"]:
        return "<br>"
    if found["literal"]:
        return escape(found["literal"], quote=False)
    if found["mono"]:
        return "<code>" + _plain(_LITERAL.sub(r"\1", found["mono"])) + "</code>"
    if found["link"]:
        return _link(found["link"])
    if found["image"]:
        return escape(f"[{found['image']}]", quote=False)
    sign, inner = (found["brace"], found["inside"]) if found["brace"] else (found["mark"], found["marked"])
    if not sign:
        return ""
    tag = _TAGS.get(sign)
    return f"<{tag}>{_inline(inner)}</{tag}>" if tag else _inline(inner)


def _link(inner: str) -> str:
    parts = re.split(r"(?<!\\)\|", inner)
    target = parts[1].strip() if len(parts) > 1 else parts[0].strip()
    if target.startswith("~"):
        return escape("@" + target.removeprefix("~").removeprefix("accountid:"), quote=False)
    if target.startswith("^"):
        return escape(f"[{target[1:]}]", quote=False)
    if is_safe(target):
        label = _inline(parts[0]) if len(parts) > 1 else escape(target, quote=False)
        return f'<a href="{escape(target)}">{label}</a>'
    return _inline(parts[0]) if len(parts) > 1 else escape(f"[{inner}]", quote=False)
