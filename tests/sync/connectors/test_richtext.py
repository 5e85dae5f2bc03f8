"""Rich text comes to rest: the laws of the conversions, by generated documents, hostile input and real tickets."""

import csv
import gzip
import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.sync.connectors.base import Rejected
from apps.sync.connectors.richtext import (
    LONGEST_HTML,
    LONGEST_TEXT,
    canonical,
    from_html,
    from_plain,
    to_html,
    to_plain,
)

SHARED = Path(__file__).resolve().parents[4] / "shared"
NAUGHTY = SHARED / "vectors" / "blns.json"
REAL_TICKETS = SHARED / "data" / "jira_texts"

_MARKDOWN = st.sampled_from(
    [
        "*",
        "**",
        "_",
        "__",
        "~~",
        "~",
        "`",
        "``",
        "```",
        "```py\n",
        "[",
        "]",
        "(",
        ")",
        "](https://x.example/y)",
        "\\",
        "<https://a.example/b_c>",
        "http://q.example/?a=1&copy=2;",
        "mailto:john@x.example",
        "![i](https://i.example/j)",
        "!",
        "#",
        "# ",
        "## ",
        ">",
        "> ",
        "- ",
        "* ",
        "+ ",
        "1. ",
        "2) ",
        "10. ",
        "\n",
        "\n\n",
        "\n\n\n",
        "  \n",
        "\\\n",
        "|",
        "| a | b |\n|---|---|\n| c | d |\n",
        "---",
        "===",
        "[x]: https://z.example\n",
        "<b>",
        "</b>",
        "<!--",
        "-->",
        "&amp;",
        "&nbsp;",
        "&",
        "&#9;",
        "&#10;",
        "&#x2028;",
        "a",
        "b",
        "word",
        "Ä",
        "1",
        "·",
        "👩\u200d👩\u200d👧",
        "ש",
        "\u200f",
        " ",
        "  ",
        "    ",
        "\t",
        "\xa0",
        "\u2003",
        "́",
        "\x85",
        "\x0c",
        "\r\n",
        ".",
        "-",
        ":",
        "'",
        '"',
        "{{x}}",
    ]
)
DOCUMENTS = st.lists(_MARKDOWN | st.text(max_size=3), max_size=25).map("".join)
_HTML = st.sampled_from(
    [
        f"<{slash}{tag}>"
        for tag in [
            "p",
            "b",
            "i",
            "s",
            "div",
            "span",
            "ul",
            "ol",
            "li",
            "code",
            "pre",
            "table",
            "tr",
            "td",
            "th",
            "h2",
            "blockquote",
            "a",
        ]
        for slash in ("", "/")
    ]
    + [
        "<a href='https://x.example'>",
        "<img src='https://i.example' alt='k'>",
        "<ol start=3>",
        "<br>",
        "<hr>",
        "&nbsp;",
    ]
    + [
        "<script>x</script>",
        "<a href='mailto:q@r.example'>q@r.example</a>",
        "<a href='https://h.example/'>https://h.example</a>",
    ]
    + [
        "&lt;",
        "&amp;",
        " ",
        "  ",
        "\n",
        "a",
        "b",
        "*",
        "_",
        "`",
        "#",
        "|",
        "1.",
        "-",
        "\\",
        "!",
        "[",
        "](",
        ")",
        "<style>",
    ]
)
PAGES = st.lists(_HTML | st.text(max_size=2), max_size=25).map("".join)

KNOWN_TAGS = "p|h[1-6]|pre|code|hr|br|blockquote|ul|ol|li|table|thead|tbody|tr|th|td|strong|em|del|a"

laws = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def plain_form(text: str) -> str:
    """What plain text may lose: kinds of line ends, invisible characters, space at line ends, empty lines around it."""
    text = re.sub("\r\n|[\r\x0c\x85\u2028\u2029]", "\n", text)
    text = re.sub("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef\ufffe\uffff]", "", text)
    text = "".join(c for c in text if ord(c) & 0xFFFE != 0xFFFE)
    return "\n".join(line.rstrip().expandtabs(4) for line in text.split("\n")).strip("\n").replace("\u00a0", " ")


class TestLaws:
    @given(DOCUMENTS)
    @example("# &nbsp;*")
    @example("# _&#x2028;*")
    @example("\\\u00a0*")
    @laws
    def test_the_canonical_form_is_a_fixpoint(self, text: str) -> None:
        once = canonical(text)
        assert canonical(once) == once

    @given(DOCUMENTS)
    @laws
    def test_a_round_trip_through_html_changes_nothing(self, text: str) -> None:
        once = canonical(text)
        assert from_html(to_html(once)) == once
        assert to_html(text) == to_html(once)

    @given(PAGES)
    @example("<b>a <i>b</i></b><i> c</i>")
    @laws
    def test_any_html_comes_to_rest_after_one_pass(self, html: str) -> None:
        once = from_html(html)
        assert canonical(once) == once
        assert from_html(to_html(once)) == once

    @given(DOCUMENTS)
    @laws
    def test_plain_text_comes_back(self, text: str) -> None:
        once = from_plain(text)
        assert canonical(once) == once
        assert to_plain(once).replace("\u00a0", " ") == plain_form(text)

    @given(DOCUMENTS)
    @laws
    def test_plain_text_of_a_document_comes_to_rest(self, text: str) -> None:
        plain = to_plain(text)
        assert to_plain(from_plain(plain)) == to_plain(from_plain(to_plain(from_plain(plain))))

    @given(PAGES | DOCUMENTS)
    @laws
    def test_html_has_only_known_tags_and_safe_addresses(self, text: str) -> None:
        html = to_html(text)
        assert all(re.fullmatch(KNOWN_TAGS, tag) for tag in re.findall(r"</?([^\s>/]*)", html))
        assert all(re.match("https?://|mailto:", address) for address in re.findall(r'href="([^"]*)"', html))


class TestCanonicalMarkdown:
    @pytest.mark.parametrize(
        ("written", "spelled"),
        [
            ("*a* __b__ ~~c~~ `d`", "_a_ **b** ~~c~~ `d`"),
            ("Title\n=====", "# Title"),
            ("* a\n* b\n    * c", "- a\n- b\n  - c"),
            ("3) a\n4) b", "3. a\n4. b"),
            ("- a\n\n\n- b", "- a\n- b"),
            ("- [ ] open\n- [x] done", "- [ ] open\n- [x] done"),
            ("> a\n> b", "> a\\\n> b"),
            ("    code", "```\ncode\n```"),
            ("~~~py\nx = '```'\n~~~", "````py\nx = '```'\n````"),
            ("a  \nb\\\nc\nd", "a\\\nb\\\nc\\\nd"),
            ("***", "___"),
            ("a|b\n-|-\n1|2", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
            ("![a cat](https://i.example/c.png)", "[a cat](https://i.example/c.png)"),
            ("see https://x.example/a_b.", "see <https://x.example/a_b>."),
            ("[https://x.example](https://x.example)", "<https://x.example>"),
            ("[x](javascript:alert(1)) [y](data:text/html,z) [z](/relative)", "x y z"),
            ("<b>bold</b> &lt;i&gt;", "\\<b>bold\\</b> \\<i>"),
            ("snake_case_name C:\\temp [INFO] 5*3", "snake_case_name C:\\temp [INFO] 5\\*3"),
            ("`` a`b ``", "``a`b``"),
            ("**a.**&#x62; x_y_zz", "**a.**&#98; x_y_zz"),
        ],
    )
    def test_has_one_spelling(self, written: str, spelled: str) -> None:
        assert canonical(written) == spelled
        assert from_html(to_html(spelled)) == spelled

    def test_of_nothing_is_nothing(self) -> None:
        assert canonical("") == canonical(" \n\t\n") == from_html("<p> </p><div><br></div>") == from_plain("\n") == ""

    def test_numbers_of_two_lists_in_a_row_begin_anew(self) -> None:
        once = from_html("<ol><li>a</li><li>b</li></ol><ol><li>c</li></ol>")
        assert once == "1. a\n2. b\n\n1) c"
        assert to_html(once) == "<ol><li>a</li><li>b</li></ol><ol><li>c</li></ol>"


class TestHtml:
    @pytest.mark.parametrize(
        ("html", "markdown"),
        [
            ("<div>one</div><div>two</div>", "one\n\ntwo"),
            ("<p>a<script>alert(1)</script><style>p{}</style>b</p>", "ab"),
            ("<span style='color:red'>red</span> <font>x</font>", "red x"),
            ("<b>a <i>b</i></b><i> c</i>", "**a _b_** _c_"),
            ("<p><b> padded </b>x</p>", "**padded** x"),
            ("<b>a.</b>b", "**a.**&#98;"),
            ("un<i>fri</i>able", "u&#110;_fri_&#97;ble"),
            ("a&nbsp;&nbsp; b", "a &nbsp; b"),
            ("10&nbsp;km", "10&nbsp;km"),
            ("<pre>a\n  b<br>c</pre>", "```\na\n  b\nc\n```"),
            ("<ul><li>a</li><ul><li>b</li></ul></ul>", "- a\n  - b"),
            ("<table><tr><td>a|b</td><td><p>c</p><p>d</p></td></tr></table>", "| a\\|b | c d |\n| --- | --- |"),
            ("<a href='https://x.example' onclick='y()'><img src=x onerror=z()>t</a>", "[t](https://x.example)"),
            ("<a href='JaVaScRiPt:alert(1)'>t</a>", "t"),
            ("<h2>Head<br>line</h2>", "## Head line"),
            ("<x-unknown>kept</x-unknown>", "kept"),
            ("<p>unclosed <b>bold", "unclosed **bold**"),
            ("<li>stray</li>", "stray"),
        ],
    )
    def test_means_the_same_as_its_markdown(self, html: str, markdown: str) -> None:
        assert from_html(html) == markdown

    def test_links_neither_tell_where_readers_come_from_nor_rank(self) -> None:
        html = to_html('[t](https://x.example/?a="b"&c)')
        assert html == '<p><a href="https://x.example/?a=%22b%22&amp;c" rel="noopener noreferrer nofollow">t</a></p>'


class TestPlainText:
    def test_shows_markup_characters_as_they_are(self) -> None:
        text = "# no head\n- no list\n1. nor this\n> nor a quote\n*a* _b_ `c` <d> &amp; [e](f)\n---\n| x |"
        assert to_plain(from_plain(text)) == text
        assert to_html(from_plain("- a <b>")) == "<p>- a &lt;b&gt;</p>"

    def test_keeps_lines_and_columns(self) -> None:
        text = "  indented\nname      value\n\n\nafter two empty lines\n\nafter one"
        assert to_plain(from_plain(text)) == text

    def test_of_a_document_reads_well(self) -> None:
        text = "# Head\n\nSee [the page](https://x.example).\n\n1. **a**\n   - b\n2. c\n\n> q\n\n|k|v|\n|-|-|\n|1|2|"
        assert to_plain(text) == (
            "Head\n\nSee the page (https://x.example).\n\n1. a\n   - b\n2. c\n\n> q\n\nk | v\n1 | 2"
        )


HTML_UNITS = ["<div>", "<b>", "<", "<a ", "<!--", "<script>", "&", "<table><tr><td>", "<ul><li>", "<p><b>x"]
MARKDOWN_UNITS = [">", "[", "![", "[a](", "*a ", "**_", "- ", "https://a.example/?", "`", "a_", "\\", "<", "| a ", "&"]


class TestHostileInput:
    """Each of these took from seconds to minutes in the libraries when they were asked without limits."""

    @pytest.mark.parametrize("unit", HTML_UNITS)
    def test_work_grows_with_the_size_of_html_and_not_with_its_square(self, unit: str) -> None:
        small, large = (_count_calls(lambda size=size: from_html(unit * size)) for size in (1500, 6000))
        assert large < 6 * small + 10_000

    @pytest.mark.parametrize("unit", MARKDOWN_UNITS)
    def test_work_grows_with_the_size_of_markdown_and_not_with_its_square(self, unit: str) -> None:
        small, large = (_count_calls(lambda size=size: canonical(unit * size)) for size in (1500, 6000))
        assert large < 6 * small + 10_000

    @pytest.mark.parametrize("unit", HTML_UNITS)
    def test_what_is_broken_still_comes_to_rest(self, unit: str) -> None:
        once = from_html(unit * 300 + "x")
        assert from_html(to_html(once)) == once

    def test_text_nested_too_deep_keeps_its_letters(self) -> None:
        assert to_plain(canonical(">" * 1000 + "x")) == ">" * 1000 + "x"
        assert from_html("<div>" * 500 + "a <b>b</b><script>c</script>" + "</div>" * 500) == "a b"

    def test_quotes_beyond_the_depth_are_unwrapped(self) -> None:
        once = canonical("> " * 40 + "deep")
        assert once == "> " * 12 + "deep"
        assert from_html("<blockquote>" * 40 + "deep" + "</blockquote>" * 40) == once

    def test_texts_beyond_the_limits_are_rejected_and_never_cut(self) -> None:
        for convert in (canonical, to_html, to_plain, from_plain):
            with pytest.raises(Rejected, match=str(LONGEST_TEXT + 1)):
                convert("x" * (LONGEST_TEXT + 1))
        with pytest.raises(Rejected, match=str(LONGEST_HTML)):
            from_html("x" * (LONGEST_HTML + 1))


def _count_calls(act) -> int:
    """How many Python functions ``act`` calls: a measure of work that no busy machine disturbs."""
    calls = 0

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.skipif(not NAUGHTY.exists(), reason="the list of naughty strings is not at hand")
def test_nothing_visible_of_naughty_strings_is_lost() -> None:
    for text in json.loads(NAUGHTY.read_text()):
        shown = from_plain(text)
        assert to_plain(shown).replace("\u00a0", " ") == plain_form(text)
        assert from_html(to_html(shown)) == shown
        once = canonical(text)
        assert from_html(to_html(once)) == once == canonical(once)


@pytest.mark.skipif(not REAL_TICKETS.exists(), reason="the texts of real tickets are not at hand")
@pytest.mark.parametrize("project", ["bamboo", "mesos", "moodle", "springxd"])
def test_real_tickets_come_to_rest(project: str) -> None:
    csv.field_size_limit(10_000_000)
    with gzip.open(REAL_TICKETS / f"{project}.csv.gz", "rt", errors="replace") as lines:
        texts = [row["description"] or "" for row, _ in zip(csv.DictReader(lines), range(50), strict=False)]
    for text in texts:
        once = canonical(text)
        assert from_html(to_html(once)) == once == canonical(once)
        assert to_plain(from_plain(text)).replace("\u00a0", " ") == plain_form(text)
