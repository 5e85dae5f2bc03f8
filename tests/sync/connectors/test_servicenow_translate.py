"""Strings of the instance become plain values and come back unchanged."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sync.connectors import richtext
from apps.sync.connectors.base import Rejected
from apps.sync.connectors.servicenow.client import Cell
from apps.sync.connectors.servicenow.columns import (
    STANDARD,
    Column,
    Columns,
    Kind,
    read_choices,
    read_column,
)
from apps.sync.connectors.servicenow.translate import (
    MARK_LENGTH,
    mark_file_name,
    read_cell,
    read_file_name,
    read_journal,
    read_time,
    read_value,
    write_journal,
    write_time,
    write_value,
)
from apps.sync.engine.snapshot import Value

MARK = "siam-3f2a9c0d41b7"


def test_times_are_utc_both_ways() -> None:
    at = datetime(2026, 11, 20, 10, 2, 44, tzinfo=UTC)
    assert read_time("2026-11-20 10:02:44") == at
    assert write_time(at) == "2026-11-20 10:02:44"


def test_a_time_that_cannot_be_read_is_never_now() -> None:
    assert read_time("20/11/2026 10:02") == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.TEXT, "VPN drops", "VPN drops"),
        (Kind.CHOICE, "2", "2"),
        (Kind.STATUS, "6", "6"),
        (Kind.NUMBER, "12", 12),
        (Kind.NUMBER, "1.5", 1.5),
        (Kind.BOOLEAN, "true", True),
        (Kind.BOOLEAN, "false", False),
        (Kind.DATE, "2026-12-01", "2026-12-01"),
        (Kind.DATETIME, "2026-11-20 10:02:44", "2026-11-20T10:02:44Z"),
        (Kind.LINES, "plain words", "plain words"),
    ],
)
def test_a_value_goes_there_and_back(kind: Kind, text: str, value: Value) -> None:
    column = Column("f", kind)
    assert read_value(column, text) == value
    assert write_value(column, value) == text


@pytest.mark.parametrize("kind", list(Kind))
def test_empty_is_none_for_every_kind(kind: Kind) -> None:
    assert read_value(Column("f", kind), "") is None
    assert write_value(Column("f", kind), None) == ""


def test_audit_rows_spell_booleans_as_digits() -> None:
    assert read_value(Column("f", Kind.BOOLEAN), "1") is True
    assert read_value(Column("f", Kind.BOOLEAN), "0") is False


def test_a_reference_is_what_people_read() -> None:
    assert read_value(STANDARD["caller_id"], "681ccaf9c0a8016400b98a06818d57c7", "Elaine") == "Elaine"


def test_a_reference_without_dictionary_is_known_by_its_link() -> None:
    assert read_cell("u_owner", Cell("681ccaf9c0a8016400b98a06818d57c7", "Elaine", True), None) == "Elaine"
    assert read_cell("u_code", Cell("2", "In Progress"), None) == "2"


def test_a_list_is_sorted_words() -> None:
    column = Column("watch_list", Kind.LIST, target="sys_user")
    assert read_value(column, "id2,id1", "John, Elaine") == ("Elaine", "John")


def test_a_list_whose_names_hold_commas_keeps_its_ids() -> None:
    column = Column("watch_list", Kind.LIST, target="sys_user")
    assert read_value(column, "id2", "Elaine, project manager") == ("id2",)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        (Column("u_site", Kind.CHOICE, values=("berlin", "paris")), "rome", "berlin, paris"),
        (Column("short_description", max_length=10), "x" * 11, "10 characters"),
        (Column("due_date", Kind.DATETIME), "tomorrow", "a time"),
        (Column("on", Kind.DATE), "2026-13-01", "a date"),
        (Column("count", Kind.NUMBER), "many", "a number"),
        (Column("active", Kind.BOOLEAN), "maybe", "true or false"),
        (Column("state", Kind.STATUS), ("1", "2"), "one value"),
    ],
)
def test_a_value_that_the_column_does_not_take_is_rejected_by_name(column: Column, value: Value, reason: str) -> None:
    with pytest.raises(Rejected, match=reason) as refusal:
        write_value(column, value)
    assert (refusal.value.field, refusal.value.value) == (column.name, value)


def test_a_time_with_a_zone_is_written_in_utc() -> None:
    assert write_value(Column("due_date", Kind.DATETIME), "2026-12-01T10:00:00+01:00") == "2026-12-01 09:00:00"


def test_the_mark_is_the_last_line_and_is_taken_off_again() -> None:
    text = write_journal("We are on it", MARK, "plain")
    assert text == f"We are on it\n\n[sync:{MARK}]"
    assert read_journal(text.replace("\n", "\r\n"), "plain") == ("We are on it", MARK)
    assert len(text) - len("We are on it") <= MARK_LENGTH


def test_a_mark_inside_the_text_is_text() -> None:
    body, mark = read_journal(f"see [sync:{MARK}] above", "plain")
    assert mark is None
    assert MARK in body


def test_html_between_code_tags_is_read_as_html() -> None:
    body, _ = read_journal("Hello [code]<b>you</b><script>alert(1)</script>[/code]\nbye <b>", "plain")
    assert "**you**" in body
    assert "alert" not in body
    assert body.startswith("Hello")
    assert richtext.to_plain(body).endswith("bye <b>")


@pytest.mark.parametrize("comment_format", ["plain", "code", "html"])
def test_code_tags_of_a_person_never_reach_the_instance_whole(comment_format: str) -> None:
    text = write_journal("look: [/code] and [CODE]<b>x</b>[/code]", MARK, comment_format)
    inner = text.removeprefix("[code]").replace(f"[/code]\n\n[sync:{MARK}]", "")
    assert "[code]" not in inner.lower()
    assert "[/code]" not in inner.lower()
    assert "[/code]" in richtext.to_plain(read_journal(text, comment_format)[0])


DOCUMENTS = [
    "plain",
    "two\\\nlines",
    "**bold** and `code`",
    "- one\n- two\n    - three",
    "1. first\n2. second",
    "```python\nprint('x')\n```",
    "> quoted\n\nanswer",
    "| a | b |\n| --- | --- |\n| 1 | 2 |",
    "[text](https://infinity.example/x)",
    "👩‍👩‍👧 שלום <b>no html</b> & co",
    "[code]x[/code]",
]


@pytest.mark.parametrize("comment_format", ["plain", "code", "html"])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_comment_comes_to_rest_after_one_pass(document: str, comment_format: str) -> None:
    once = read_journal(write_journal(richtext.canonical(document), MARK, comment_format), comment_format)
    again = read_journal(write_journal(once[0], MARK, comment_format), comment_format)
    assert once == again
    assert once[1] == MARK


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=80))
def test_any_line_of_text_comes_to_rest_after_one_pass(text: str) -> None:
    once = read_journal(write_journal(richtext.canonical(text), MARK, "plain"), "plain")[0]
    assert read_journal(write_journal(once, MARK, "plain"), "plain")[0] == once


@pytest.mark.parametrize("name", ["log.txt", "no-ending", "two.dots.tar", "Übersicht 1.pdf", ".hidden", "a~b.txt"])
def test_a_file_name_carries_the_mark_and_gives_it_back(name: str) -> None:
    assert read_file_name(mark_file_name(name, MARK)) == (name, MARK)


def test_a_person_s_file_name_has_no_mark() -> None:
    assert read_file_name("backup~1.txt") == ("backup~1.txt", None)


def test_a_dictionary_row_becomes_a_column() -> None:
    row = {"element": "description", "internal_type": "string", "max_length": "4000", "column_label": "Description"}
    assert read_column(row, ()) == Column("description", Kind.LINES, "Description", max_length=4000)


def test_a_choice_list_makes_a_choice_of_an_integer_column() -> None:
    row = {"element": "impact", "internal_type": "integer", "choice": "1", "mandatory": "true"}
    schema = read_column(row, ("1", "2", "3")).as_schema()
    assert (schema.type, schema.values, schema.is_required) == ("choice", ("1", "2", "3"), True)


def test_the_child_table_s_choices_replace_those_of_its_parent() -> None:
    rows = [
        {"name": "task", "element": "state", "value": "-5"},
        {"name": "incident", "element": "state", "value": "1"},
        {"name": "task", "element": "impact", "value": "1"},
    ]
    assert read_choices(rows, ("incident", "task")) == {"state": ("1",), "impact": ("1",)}


@pytest.mark.parametrize("name", ["sys_id", "comments", "locked", "u_nope"])
def test_columns_that_cannot_be_written_are_rejected_by_name(name: str) -> None:
    columns = Columns(
        {
            "sys_id": Column("sys_id", is_writable=False),
            "comments": Column("comments", Kind.JOURNAL),
            "locked": Column("locked", is_writable=False),
        },
        is_complete=True,
    )
    with pytest.raises(Rejected) as refusal:
        columns.writable(name)
    assert refusal.value.field == name


def test_without_a_dictionary_a_custom_column_is_taken_as_text() -> None:
    assert Columns(STANDARD).writable("u_custom").kind is Kind.TEXT


def test_labels_of_a_data_policy_become_column_names() -> None:
    columns = Columns({"close_code": Column("close_code", label="Lösungscode")})
    assert columns.named(("Lösungscode", "Resolution notes", "Odd")) == ("close_code", "close_notes", "Odd")
