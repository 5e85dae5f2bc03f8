"""Ticket fields: values between Zendesk's JSON and plain values, and the coupling of options and tags."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sync.connectors.base import Rejected
from apps.sync.connectors.zendesk.fields import FieldBook
from apps.sync.connectors.zendesk.placeholders import guard, unguard
from apps.sync.engine.snapshot import Value


def name_of(_field: str, raw: Any) -> Value:
    return f"name of {raw}"


def option(value: str) -> dict[str, Any]:
    return {"id": 1, "name": value.title(), "value": value}


SITE, STAGE, HOURS, PRICE, URGENT, TEAMS, DAY = 27642, 27643, 31, 32, 33, 34, 35
ROWS: list[dict[str, Any]] = [
    {"id": 1, "type": "status", "title": "Status", "active": True,
     "system_field_options": [option("open"), option("pending"), option("solved")]},
    {"id": SITE, "type": "tagger", "title": "Site", "required": True,
     "custom_field_options": [option("berlin"), option("paris")]},
    {"id": STAGE, "type": "text", "title": "Stage"},
    {"id": HOURS, "type": "integer", "title": "Hours"},
    {"id": PRICE, "type": "decimal", "title": "Price"},
    {"id": URGENT, "type": "checkbox", "title": "Escalated", "tag": "escalated"},
    {"id": TEAMS, "type": "multiselect", "title": "Teams", "custom_field_options": [option("red"), option("blue")]},
    {"id": DAY, "type": "date", "title": "Day"},
    {"id": 99, "type": "text", "title": "Retired", "active": False},
]  # fmt: skip
BOOK = FieldBook(ROWS)


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        (SITE, "berlin", "berlin"),
        (SITE, "", None),
        (SITE, None, None),
        (HOURS, "12", 12),
        (HOURS, 12, 12),
        (PRICE, "1.5", 1.5),
        (URGENT, "1", True),
        (URGENT, False, False),
        (TEAMS, ["red", "blue"], ("blue", "red")),
        (TEAMS, "red blue", ("blue", "red")),
        (TEAMS, None, ()),
        (DAY, "2026-11-20", "2026-11-20"),
        (STAGE, "two\r\nlines", "two\nlines"),
    ],
)
def test_reads_tickets_and_audits_alike(field: int, raw: Any, value: Value) -> None:
    assert BOOK.read(str(field), raw, name_of) == value


def test_ids_are_read_as_names() -> None:
    assert BOOK.read("assignee_id", "235323", name_of) == "name of 235323"
    assert BOOK.read("assignee_id", None, name_of) is None


@pytest.mark.parametrize(
    ("field", "value", "raw"),
    [(SITE, "paris", "paris"), (SITE, None, None), (HOURS, 3, 3), (HOURS, "4", 4), (PRICE, 1.25, 1.25),
     (URGENT, True, True), (TEAMS, ("red",), ["red"]), (TEAMS, None, []), (DAY, "2026-11-20", "2026-11-20")],
)  # fmt: skip
def test_writes_what_zendesk_reads(field: int, value: Value, raw: Any) -> None:
    assert BOOK.write(str(field), value) == raw


@pytest.mark.parametrize(
    ("name", "value"),
    [(str(SITE), "rome"), (str(TEAMS), ("red", "green")), (str(HOURS), "many"), (str(HOURS), 1.5),
     (str(STAGE), ("two", "words")), ("status", "done"), ("priority", "P1"), ("type", "bug"), ("99", "x"),
     ("external_id", "x"), ("nothing", "x")],
)  # fmt: skip
def test_refuses_what_zendesk_would_drop_and_names_the_field(name: str, value: Value) -> None:
    with pytest.raises(Rejected) as refusal:
        BOOK.write(name, value)
    assert refusal.value.field == name


def test_a_refused_option_is_answered_with_the_legal_ones() -> None:
    with pytest.raises(Rejected, match="berlin, paris"):
        BOOK.write(str(SITE), "rome")


def test_tags_that_are_options_belong_to_their_fields() -> None:
    assert BOOK.plain_tags(["vpn", "berlin", "escalated", "red", "eu"]) == ("eu", "vpn")


def test_written_tags_keep_the_tags_of_present_fields() -> None:
    ticket = {"custom_fields": [{"id": SITE, "value": "berlin"}, {"id": URGENT, "value": True}]}
    assert BOOK.all_tags(("VPN down",), ticket, {}) == ["berlin", "escalated", "vpn_down"]


def test_written_tags_follow_a_field_written_with_them() -> None:
    ticket = {"custom_fields": [{"id": SITE, "value": "berlin"}, {"id": TEAMS, "value": ["red"]}]}
    assert BOOK.all_tags(("eu",), ticket, {str(SITE): "paris", str(TEAMS): None}) == ["eu", "paris"]


def test_the_schema_tells_types_values_and_what_solving_requires() -> None:
    schema = BOOK.schema({"group_id": ("Support",)})
    assert schema[str(SITE)].values == ("berlin", "paris")
    assert schema[str(SITE)].is_required
    assert schema[str(TEAMS)].type == "words"
    assert schema["group_id"].values == ("Support",)
    assert schema["status"].values == ("new", "open", "pending", "solved", "closed")
    assert not schema["external_id"].is_writable
    assert "99" not in schema


@given(st.text(alphabet="{}%a \u2060", max_size=30).filter(lambda text: "{\u2060{" not in text))
def test_guarded_text_holds_nothing_to_expand(text: str) -> None:
    guarded = guard(text)
    assert "{{" not in guarded
    assert "{%" not in guarded


@given(st.text(alphabet="{}%ab ", max_size=30))
def test_guarding_is_undone_on_reading(text: str) -> None:
    assert unguard(guard(text)) == text
