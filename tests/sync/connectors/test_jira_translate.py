"""Jira's JSON as plain values and back, and its log in the values of a snapshot."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sync.connectors.base import Rejected
from apps.sync.connectors.jira.history import LogReader, Place, after
from apps.sync.connectors.jira.reading import marked_file
from apps.sync.connectors.jira.translate import (
    FieldKind,
    Shape,
    describe,
    read_fields,
    read_kinds,
    read_moment,
    read_value,
    split_mark,
    with_mark,
    without_marks,
    write_value,
)
from apps.sync.connectors.jira.wiki import from_wiki, to_wiki
from apps.sync.connectors.richtext import canonical
from apps.sync.engine.snapshot import RemoteChange, Value

KINDS = read_kinds(
    [
        {"id": "customfield_1", "name": "Office", "schema": {"type": "option"}},
        {"id": "customfield_2", "name": "Notes", "schema": {"type": "string", "custom": "x:textarea"}},
        {"id": "customfield_3", "name": "Teams", "schema": {"type": "array", "items": "option"}},
        {"id": "customfield_4", "name": "Place", "schema": {"type": "option-with-child"}},
        {"id": "customfield_5", "name": "Points", "schema": {"type": "number"}},
        {"id": "customfield_6", "name": "Time to resolution", "schema": {"type": "sd-servicelevelagreement"}},
        {"id": "summary", "name": "Zusammenfassung", "schema": {"type": "string", "system": "summary"}},
    ]
)


@pytest.mark.parametrize(
    ("shape", "raw", "value"),
    [
        (Shape.TEXT, "VPN", "VPN"),
        (Shape.NUMBER, 5.0, 5),
        (Shape.NAME, {"id": "2", "name": "High"}, "High"),
        (Shape.OPTION, {"id": "10200", "value": "Berlin"}, "Berlin"),
        (Shape.CASCADE, {"value": "Berlin", "child": {"value": "Mitte"}}, "Berlin / Mitte"),
        (Shape.CASCADE, {"value": "Berlin"}, "Berlin"),
        (Shape.PERSON, {"accountId": "5f0c-1", "displayName": "Elaine"}, "Elaine"),
        (Shape.WORDS, ["vpn", "eu"], ("eu", "vpn")),
        (Shape.NAMES, [{"name": "API"}, {"name": "2.0"}], ("2.0", "API")),
        (Shape.OPTIONS, [{"value": "b"}, {"value": "a"}], ("a", "b")),
        (Shape.MOMENT, "2026-11-20T10:15:02.123+0100", "2026-11-20T09:15:02.123000+00:00"),
        (Shape.NAME, None, None),
        (Shape.WORDS, None, ()),
    ],
)
def test_a_value_is_read_plain(shape: Shape, raw: Any, value: Value) -> None:
    assert read_value(shape, raw) == value


@pytest.mark.parametrize(
    ("field", "value", "raw"),
    [
        ("priority", "High", {"name": "High"}),
        ("customfield_1", "Berlin", {"value": "Berlin"}),
        ("customfield_3", ("a", "b"), [{"value": "a"}, {"value": "b"}]),
        ("customfield_4", "Berlin / Mitte", {"value": "Berlin", "child": {"value": "Mitte"}}),
        ("customfield_5", "2.5", 2.5),
        ("duedate", "2026-12-01T00:00:00", "2026-12-01"),
        ("labels", None, []),
        ("priority", "", None),
        ("description", "", None),
        ("parent", "OPS-1", {"key": "OPS-1"}),
    ],
)
def test_a_value_is_written_as_jira_takes_it(field: str, value: Value, raw: Any) -> None:
    assert write_value(KINDS[field], value, is_cloud=True) == raw


@pytest.mark.parametrize(("field", "value"), [("customfield_5", "many"), ("duedate", "soon"), ("priority", ("a", "b"))])
def test_a_value_of_another_shape_is_refused_by_name(field: str, value: Value) -> None:
    with pytest.raises(Rejected) as refused:
        write_value(KINDS[field], value, is_cloud=True)
    assert (refused.value.field, refused.value.value) == (field, value)


def test_long_text_is_rich_where_jira_keeps_it_so() -> None:
    assert KINDS["customfield_2"].shape is Shape.RICH
    assert KINDS["summary"] == FieldKind("summary", "Zusammenfassung", Shape.TEXT)
    assert "customfield_6" not in KINDS


def test_a_field_of_an_unexpected_shape_is_absent_and_the_rest_is_read() -> None:
    raw = {"summary": {"odd": 1}, "priority": {"name": "High"}, "labels": ["a", "siam-3f2a9c0d41b7"], "unknown": 1}
    assert read_fields(raw, KINDS) == {"priority": "High", "labels": ("a",)}


def test_only_our_own_labels_are_hidden() -> None:
    assert without_marks(("siam", "siam-portal", "siam-3f2a9c0d41b7", "siamese-3f2a9c")) == (
        "siam",
        "siam-portal",
        "siamese-3f2a9c",
    )


@given(st.text(alphabet="ab\n *()-", max_size=30))
def test_a_mark_line_is_taken_off_as_it_was_put_on(body: str) -> None:
    body = canonical(body)
    assert split_mark(with_mark(body, "siam-3f2a9c0d41b7")) == (body, "siam-3f2a9c0d41b7")


@pytest.mark.parametrize("body", ["```\nls -l", "> ```\n> ls", "~~~\nls"])
def test_a_code_block_that_nobody_closed_does_not_swallow_the_mark(body: str) -> None:
    stored = to_wiki(with_mark(body, "siam-3f2a9c0d41b7"))
    assert split_mark(from_wiki(stored))[1] == "siam-3f2a9c0d41b7"
    assert split_mark(body) == (body, None)


@pytest.mark.parametrize(
    "text", ["2026-11-20T09:15:02.123+0000", "2026-11-20T10:15:02.123+01:00", "2026-11-20T09:15:02.123Z"]
)
def test_each_spelling_of_a_time_is_one_moment(text: str) -> None:
    assert read_moment(text) == datetime(2026, 11, 20, 9, 15, 2, 123000, UTC)


def test_a_field_is_described_with_its_values_and_limits() -> None:
    meta = {"required": True, "operations": ["set"], "allowedValues": [{"value": "Berlin"}, {"value": "Paris"}]}
    found = describe(KINDS["customfield_1"], meta)
    assert (found.type, found.values, found.is_required, found.is_writable) == (
        "choice",
        ("Berlin", "Paris"),
        True,
        True,
    )
    assert not describe(KINDS["summary"], {"operations": []}).is_writable


def entry(*items: dict[str, Any]) -> dict[str, Any]:
    return {"id": "1", "items": list(items)}


def test_versions_logged_one_by_one_are_one_change_of_the_whole_list() -> None:
    reader = LogReader(KINDS, {"fixVersions": ("1.1", "2.0")})
    later = entry(
        {
            "field": "Fix Version",
            "fieldId": "fixVersions",
            "from": "9",
            "fromString": "1.0",
            "to": None,
            "toString": None,
        },
        {
            "field": "Fix Version",
            "fieldId": "fixVersions",
            "from": None,
            "fromString": None,
            "to": "8",
            "toString": "1.1",
        },
    )
    first = entry({"field": "Fix Version", "fieldId": "fixVersions", "from": None, "to": "7", "toString": "2.0"})
    assert reader.read(later) == {"fixVersions": (("1.0", "2.0"), ("1.1", "2.0"))}
    assert reader.read(first) == {"fixVersions": (("1.0",), ("1.0", "2.0"))}


def test_a_long_text_in_the_log_becomes_what_the_snapshot_says_when_the_words_agree() -> None:
    reader = LogReader(KINDS, {"description": "Client **5.1**"})
    newest = entry({"field": "description", "fromString": "*Old*", "toString": "Client 5.1"})
    older = entry({"field": "description", "fromString": None, "toString": "Old"})
    assert reader.read(newest) == {"description": ("**Old**", "Client **5.1**")}
    assert reader.read(older) == {"description": (None, "**Old**")}


def test_a_field_without_identifier_is_known_by_its_name() -> None:
    reader = LogReader(KINDS, {})
    item = {"field": "Office", "from": "10200", "fromString": "Berlin", "to": "10201", "toString": "Paris"}
    assert reader.read(entry(item)) == {"customfield_1": ("Berlin", "Paris")}
    assert reader.read(entry({"field": "Rank", "fromString": "", "toString": "Ranked higher"})) == {}


def place(hour: int, rank: int, number: int, minute: int = 7) -> tuple[Place, RemoteChange]:
    at = datetime(2026, 11, 20, hour, minute, tzinfo=UTC)
    return Place(at, rank, number), RemoteChange(f"{rank}:{number}", at, "Elaine")


def test_only_later_changes_follow_a_known_one() -> None:
    found = [place(9, 0, 1), place(10, 1, 5), place(11, 0, 2)]
    assert [change.id for change in after(found, "1:5")] == ["0:2"]
    assert [change.id for change in after(found, None)] == ["0:1", "1:5", "0:2"]
    assert [change.id for change in after(found, "1:404")] == ["0:1", "1:5", "0:2"]


def test_a_change_stamped_with_the_day_only_is_not_lost_behind_a_comment() -> None:
    found = [place(9, 0, 1, minute=0), place(9, 0, 2, minute=0), place(16, 1, 5)]
    assert "0:2" in [change.id for change in after(found, "1:5")]
    assert [change.id for change in after(found, "0:1")] == ["0:2", "1:5"]


def test_an_announced_file_is_the_new_one_of_ours() -> None:
    def file(number: str, author: str, size: int = 3) -> dict[str, Any]:
        return {"id": number, "filename": "a.txt", "size": size, "author": {"accountId": author}}

    rows = [file("1", "bot"), file("2", "elaine"), file("3", "bot", 4), file("4", "bot")]
    mark = {"name": "a.txt", "size": 3, "before": ["1"]}
    assert marked_file(rows, mark, "bot") == "4"
    assert marked_file(rows[:3], mark, "bot") is None
    assert marked_file(rows, mark | {"id": "1"}, "bot") == "1"
