"""ADF and wiki markup: what was written comes to rest after one pass, and ADF is what Jira's schema takes."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.sync.connectors.jira.adf import from_adf, to_adf
from apps.sync.connectors.jira.wiki import from_wiki, to_wiki
from apps.sync.connectors.richtext import canonical

BESIDE = Path(__file__).resolve().parents[4] / "shared"
SCHEMA = BESIDE / "vectors" / "adf" / "adf-schema-57.7.22-full.json"
TEXTS = BESIDE / "data" / "jira_texts"

KEPT_BY_BOTH = [
    "VPN drops\\\nevery hour",
    "# Title _x_\n\ntext `co*de` **b** ~~del~~",
    "- a\n  - b\n    1. c\n- d",
    "> quoted\n>\n> - item",
    "| a | b |\n| --- | --- |\n| `x` | **y** |",
    "---",
    "a*b snake_case_word 5*3*2 a**b",
    "```python\nx = {'a': 1}\n```",
    "```\n{code}\n```",
    "C:\\dir\\file &amp; x",
    "`{{` and `}}` and `a|b`",
    "👩‍👩‍👧 é \u200frtl שלום",
    "h1. not a heading",
    "bq. not a quote",
    "(siam-3f2a9c0d41b7)",
    "1. one\n2. two",
    "{quote} [a] !image.png! {{x}} ??c??",
]


def wiki_round(markdown: str) -> str:
    return from_wiki(to_wiki(markdown))


def adf_round(markdown: str) -> str:
    return from_adf(to_adf(markdown))


@pytest.mark.parametrize("text", KEPT_BY_BOTH)
@pytest.mark.parametrize("there_and_back", [wiki_round, adf_round])
def test_what_both_formats_hold_comes_back_as_it_was(there_and_back: Callable[[str], str], text: str) -> None:
    assert there_and_back(canonical(text)) == canonical(text)


WORDS = st.sampled_from(
    [
        "vpn",
        "*",
        "_",
        "-",
        "**b**",
        "_i_",
        "`c`",
        "[l](http://x.y/a_b)",
        "{code}",
        "|",
        "!x!",
        "\\",
        "~~s~~",
        "h1. x",
        "#",
        "{",
        "}}",
        "[",
        "]",
        "&amp;",
        "é",
        "👩\u200d👧",
        "http://x.y/_z_",
        "\xa0",
        "1.",
        "+",
        "^",
        "??",
        "bq. y",
        "<b>",
        "a_b_c",
    ]
)
LINES = st.lists(WORDS, max_size=6).map(" ".join) | st.lists(WORDS, max_size=5).map("".join)
BLOCKS = st.sampled_from(["", "- ", "  - ", "1. ", "> ", "# ", "| ", "    ", "```\n", "> - ", "- > ", "---\n"])
MARKDOWN = st.lists(st.tuples(BLOCKS, LINES).map("".join), max_size=7).map("\n".join) | st.text(max_size=60)


@settings(max_examples=150, deadline=None)
@given(MARKDOWN)
def test_any_text_comes_to_rest_after_one_pass(text: str) -> None:
    for there_and_back in (wiki_round, adf_round):
        once = there_and_back(canonical(text))
        assert there_and_back(once) == once
        assert canonical(once) == once


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab *_-+^~{}[]|!\\#&;:/.\n?h1bq()", max_size=50))
def test_any_wiki_text_comes_to_rest_after_one_pass(text: str) -> None:
    once = from_wiki(text)
    twice = wiki_round(once)
    assert wiki_round(twice) == twice


@pytest.fixture(scope="module")
def check_adf() -> Callable[[Any], None]:
    jsonschema = pytest.importorskip("jsonschema")
    if not SCHEMA.exists():
        pytest.skip("the ADF schema is not beside the project")
    schema = json.loads(SCHEMA.read_text())
    del schema["$schema"]
    validator: Callable[[Any], None] = jsonschema.Draft4Validator(schema).validate
    return validator


@settings(max_examples=60, deadline=None)
@given(MARKDOWN)
def test_written_adf_is_what_jira_takes(check_adf: Callable[[Any], None], text: str) -> None:
    document = to_adf(text)
    if document is not None:
        check_adf(document)


@pytest.mark.parametrize(
    "text", ["> # h\n> > q\n>\n> ---", "- # h\n- | a |\n  | --- |\n  | b |", "- ---\n- > q", "***`c`***"]
)
def test_nesting_that_jira_refuses_is_flattened(check_adf: Callable[[Any], None], text: str) -> None:
    document = to_adf(text)
    check_adf(document)
    assert from_adf(document)


def test_real_jira_descriptions_come_to_rest_and_are_valid_adf(check_adf: Callable[[Any], None]) -> None:
    files = sorted(TEXTS.glob("*.csv.gz"))
    if not files:
        pytest.skip("no recorded texts beside the project")
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8", errors="replace") as lines:
            rows = list(csv.DictReader(lines))
        for row in rows[:: len(rows) // 12]:
            markdown = from_wiki(row["description"])
            assert canonical(markdown) == markdown
            assert wiki_round(wiki_round(markdown)) == wiki_round(markdown)
            assert adf_round(adf_round(markdown)) == adf_round(markdown)
            if (document := to_adf(markdown)) is not None:
                check_adf(document)


def test_an_empty_text_is_no_document() -> None:
    assert to_adf("") is None
    assert to_adf("  \n") is None
    assert from_adf(None) == "" == from_wiki(None)


def doc(*content: Any) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": list(content)}


def paragraph(*content: Any) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(content)}


def test_what_markdown_has_no_word_for_is_kept_as_text() -> None:
    document = doc(
        paragraph(
            {"type": "mention", "attrs": {"id": "5f0c-1", "text": "@Elaine"}},
            {"type": "text", "text": " on "},
            {"type": "date", "attrs": {"timestamp": "1763596800000"}},
            {"type": "text", "text": " "},
            {"type": "emoji", "attrs": {"shortName": ":smile:", "text": "😄"}},
            {"type": "status", "attrs": {"text": "OPEN", "color": "red"}},
        ),
        {"type": "panel", "attrs": {"panelType": "info"}, "content": [paragraph({"type": "text", "text": "Note"})]},
        {"type": "expand", "attrs": {"title": "More"}, "content": [paragraph({"type": "text", "text": "inside"})]},
        {"type": "mediaSingle", "content": [{"type": "media", "attrs": {"id": "x", "alt": "shot.png"}}]},
        {"type": "somethingNew", "content": [paragraph({"type": "text", "text": "still here"})]},
    )
    assert from_adf(document) == (
        "@Elaine on 2025-11-20 😄OPEN\n\n> Note\n\n**More**\n\ninside\n\n\\[shot.png\\]\n\nstill here"
    )


def test_a_script_address_never_becomes_a_link() -> None:
    link = {"type": "link", "attrs": {"href": "javascript:alert(1)"}}
    assert from_adf(doc(paragraph({"type": "text", "text": "x", "marks": [link]}))) == "x"
    assert "](" not in from_wiki("[x|javascript:alert(1)]")
    assert "link" not in json.dumps(to_adf("[x](javascript:alert(1))"))


def test_wiki_as_people_write_it_is_read() -> None:
    text = (
        "h2. Steps\r\n# open {{vpn.exe}}\r\n## as *admin*\r\n# fail\r\n\r\n||Host||State||\r\n|a|_down_|\r\n\r\n"
        "{quote}He said {color:red}no{color}{quote}\r\n{noformat}raw *x*{noformat} see [docs|https://x.y/z] [~jdoe]"
    )
    assert from_wiki(text) == (
        "## Steps\n\n1. open `vpn.exe`\n   1. as **admin**\n2. fail\n\n| Host | State |\n| --- | --- |\n"
        "| a | _down_ |\n\n"
        "> He said no\n\n```\nraw *x*\n```\n\nsee [docs](https://x.y/z) @jdoe"
    )


def test_hostile_markup_is_read_in_bounded_time_and_depth() -> None:
    assert from_wiki("*a" * 8000)
    assert from_wiki("{code:x}" * 2000)
    nested: dict[str, Any] = paragraph({"type": "text", "text": "deep"})
    for _ in range(60):
        nested = {"type": "blockquote", "content": [nested]}
    assert "deep" in from_adf(doc(nested))
