"""Zendesk's tickets, comments and audits as the engine's values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sync.connectors import richtext
from apps.sync.connectors.base import Rejected
from apps.sync.connectors.zendesk.directory import split_address
from apps.sync.connectors.zendesk.fields import FieldBook
from apps.sync.connectors.zendesk.translate import (
    Reader,
    cut_after,
    is_shown,
    join_audits,
    make_version,
    read_body,
    read_external_id,
    read_merge_target,
    write_body,
)
from apps.sync.engine.snapshot import RemoteChange, Visibility


class Names:
    """A directory in which everybody is called by number."""

    def name(self, kind: str, raw: Any) -> str:
        return f"{kind}/{raw}"

    def name_of(self, field: str, raw: Any) -> str:
        return f"{field}/{raw}"


READER = Reader(FieldBook([{"id": 27642, "type": "text", "title": "Site"}]), Names(), "https://m.example")  # type: ignore[arg-type]
AT = "2026-11-20T10:00:00Z"


def comment(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "type": "Comment", "author_id": 7, "html_body": f"<p>text {number}</p>", "public": True,
            "attachments": [], "created_at": AT, **more}  # fmt: skip


def audit(number: int, *events: dict[str, Any], op: str = "") -> dict[str, Any]:
    custom = {"siam_op": op} if op else {}
    return {"id": number, "author_id": 7, "created_at": AT, "metadata": {"custom": custom}, "events": list(events)}


def change(field: str, before: Any, after: Any, **more: Any) -> dict[str, Any]:
    return {"id": 1, "type": "Change", "field_name": field, "previous_value": before, "value": after, **more}


BY_RULE = {"via": {"channel": "rule", "source": {"from": {"id": 1, "title": "Escalate"}, "rel": "trigger"}}}


def shown(number: dict[str, Any], comments: dict[str, Any] | None = None) -> list[RemoteChange]:
    return [one for one in READER.read_audit(number, comments or {}) if is_shown(one)]


@pytest.mark.parametrize("public", [False, None, "yes", "true"])
def test_a_visibility_that_is_not_clearly_public_is_internal(public: Any) -> None:
    assert READER.read_comment(comment(1, public=public)).visibility is Visibility.INTERNAL


def test_the_body_is_read_without_zendesks_wrapping() -> None:
    raw = comment(1, html_body='<div class="zd-comment" dir="auto"><p>We <strong>see</strong> it</p></div>')
    assert READER.read_comment(raw).body == "We **see** it"


def test_a_comment_without_html_is_read_as_plain_text() -> None:
    assert read_body({"plain_body": "2 * 3 * 4"}) == richtext.from_plain("2 * 3 * 4")


@given(st.lists(st.sampled_from(["**bold**", "{{ticket.id}}", "- a\n- b", "`{%x%}`", "> q", "plain {", "\n\n"])))
def test_a_written_body_reads_back_the_same(parts: list[str]) -> None:
    text = richtext.canonical("\n\n".join(parts))
    if text:
        assert (
            read_body({"html_body": f'<div class="zd-comment" dir="auto">{write_body(text, "comment")}</div>'}) == text
        )


def test_a_text_longer_than_zendesk_keeps_is_refused_before_it_is_cut() -> None:
    with pytest.raises(Rejected) as refusal:
        write_body("ü" * 40_000, "description")
    assert refusal.value.field == "description"


def test_an_empty_comment_is_refused() -> None:
    with pytest.raises(Rejected):
        write_body("  \n", "comment")


def test_two_writes_within_a_second_differ_in_their_version() -> None:
    ticket = {"updated_at": AT}
    assert make_version(ticket, [audit(1)]) != make_version(ticket, [audit(1), audit(2)])


def test_an_external_id_of_another_tool_is_not_our_marker() -> None:
    assert read_external_id({"external_id": "jira:10042"}) is None
    assert read_external_id({"external_id": "siam-3f2a9c0d41b7"}) == "siam-3f2a9c0d41b7"


def test_an_audit_is_one_change_with_its_fields_and_its_comment() -> None:
    found = shown(audit(5, change("status", "new", "open"), change("27642", None, "berlin"), comment(9), op="siam-1a"))
    assert [one.id for one in found] == ["5"]
    assert found[0].fields == {"status": ("new", "open"), "27642": (None, "berlin")}
    assert found[0].comment is not None
    assert found[0].comment.correlation == found[0].correlation == "siam-1a"


def test_a_rules_change_in_our_audit_is_not_ours() -> None:
    found = shown(audit(5, change("status", "new", "open"), change("priority", None, "high", **BY_RULE), op="siam-1a"))
    assert [(one.id, one.correlation) for one in found] == [("5", "siam-1a"), ("5/rule", None)]
    assert found[1].author == "Escalate"


def test_a_field_changed_twice_goes_from_its_first_to_its_last_value() -> None:
    found = shown(audit(5, change("status", "new", "open"), change("status", "open", "pending")))
    assert found[0].fields == {"status": ("new", "pending")}


def test_a_change_that_changes_nothing_is_not_shown() -> None:
    assert shown(audit(5, change("status", "open", "open"), {"id": 2, "type": "Notification", "body": "x"})) == []


def test_the_comment_that_carries_our_file_is_not_a_comment() -> None:
    file = {"id": 31, "file_name": "log.txt", "content_type": "text/plain", "size": 3}
    found = shown(audit(5, comment(9, attachments=[file], public=False), op="siam-1a"))
    assert [one.id for one in found] == ["5/31"]
    assert found[0].attachment is not None
    assert found[0].attachment.visibility is Visibility.INTERNAL
    assert found[0].attachment.correlation == "siam-1a"


def test_a_persons_comment_with_a_file_is_both() -> None:
    file = {"id": 31, "file_name": "log.txt", "content_type": "text/plain", "size": 3}
    assert [one.id for one in shown(audit(5, comment(9, attachments=[file])))] == ["5", "5/31"]


def test_a_comment_made_private_since_is_shown_as_it_is_today() -> None:
    found = shown(audit(5, comment(9, public=True)), {"9": comment(9, public=False)})
    assert found[0].comment is not None
    assert found[0].comment.visibility is Visibility.INTERNAL


def test_comments_get_the_marker_of_the_audit_that_brought_them() -> None:
    joined = join_audits([comment(9), comment(10)], [audit(5, comment(9), op="siam-1a"), audit(6, comment(10))])
    assert [READER.read_comment(raw).correlation for raw in joined] == ["siam-1a", None]


def test_the_first_comment_is_the_description() -> None:
    ticket = {"id": 35436, "status": "closed", "created_at": AT, "updated_at": AT, "type": None, "custom_fields": None}
    snapshot = READER.read_snapshot(ticket, [comment(1), comment(2)], "v")
    assert snapshot.fields["description"] == "text 1"
    assert [one.id for one in snapshot.comments] == ["2"]
    assert snapshot.is_closed_for_good
    assert snapshot.type == "ticket"


def changes(*ids: str) -> list[RemoteChange]:
    return [RemoteChange(number, READER.read_comment(comment(1)).at, "x") for number in ids]


@pytest.mark.parametrize(
    ("since", "rest"),
    [("5", ["5/31", "7"]), ("5/31", ["7"]), ("7", []), ("6", ["7"]), ("5/99", ["7"]), ("1", ["5", "5/31", "7"])],
)
def test_what_follows_a_change_is_found_even_when_it_is_gone(since: str, rest: list[str]) -> None:
    assert [one.id for one in cut_after(changes("5", "5/31", "7"), since)] == rest


@pytest.mark.parametrize(
    "merged",
    [
        {**audit(8), "via": {"channel": "merge", "source": {"to": {"ticket_id": 35500}}}},
        audit(8, comment(3, body="Closed and merged into #35500", via={"channel": "web", "source": {"rel": "merge"}})),
    ],
)
def test_a_merge_tells_where_the_ticket_went(merged: dict[str, Any]) -> None:
    assert read_merge_target([audit(7), merged], []) == "35500"


def test_a_ticket_that_was_not_merged_has_no_target() -> None:
    assert read_merge_target([audit(7)], [comment(1, body="no number here")]) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [("David <david@global.example>", ("David", "david@global.example")),
     ("d@global.example", ("", "d@global.example")),
     ("David", ("", "")), ("David at home", ("", ""))],
)  # fmt: skip
def test_an_address_is_told_from_a_name(text: str, parts: tuple[str, str]) -> None:
    assert split_address(text) == parts
