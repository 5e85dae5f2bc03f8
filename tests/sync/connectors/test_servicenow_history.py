"""Audit rows, comments and files fall into the order in which they happened."""

from datetime import UTC, datetime, timedelta

from apps.sync.connectors.servicenow.columns import STANDARD, Column, Columns, Kind
from apps.sync.connectors.servicenow.history import AuditEntry, as_change, group_audit, order_ties, place, referenced
from apps.sync.connectors.servicenow.settings import ServiceNowSettings
from apps.sync.connectors.servicenow.states import USUAL, StateModel, model_of
from apps.sync.engine.snapshot import Attachment, Comment

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
COLUMNS = Columns(STANDARD)
ELAINE = "681ccaf9c0a8016400b98a06818d57c7"


def audit(
    checkpoint: str, fieldname: str, before: str, after: str, stamp: str = "2026-11-20 12:00:00"
) -> dict[str, str]:
    return {
        "fieldname": fieldname,
        "oldvalue": before,
        "newvalue": after,
        "record_checkpoint": checkpoint,
        "user": "elaine",
        "sys_created_on": stamp,
    }


def entry(checkpoint: int, stamp: str = "2026-11-20 12:00:00", **fields: tuple[str, str]) -> AuditEntry:
    return AuditEntry(f"a-{checkpoint}", checkpoint, stamp, "elaine", fields or {"state": ("1", "2")})


def comment(name: str, at: datetime = NOON) -> Comment:
    return Comment(name, "text", "Elaine", at)


def file(name: str, at: datetime = NOON) -> Attachment:
    return Attachment(name, "log.txt", "text/plain", 1, at)


def test_rows_of_one_write_are_one_entry() -> None:
    entries = group_audit(
        [audit("5", "state", "1", "2"), audit("5", "urgency", "3", "2"), audit("6", "state", "2", "6")]
    )
    assert [(found.id, dict(found.fields)) for found in entries] == [
        ("a-5", {"state": ("1", "2"), "urgency": ("3", "2")}),
        ("a-6", {"state": ("2", "6")}),
    ]


def test_the_insert_and_the_delete_are_no_changes() -> None:
    assert group_audit([audit("0", "state", "", "1"), audit("9", "DELETED", "", "")]) == []


def test_a_field_that_two_rules_wrote_in_one_count_keeps_its_first_and_last_value() -> None:
    entries = group_audit([audit("5", "state", "1", "2"), audit("5", "state", "2", "3")])
    assert entries[0].fields == {"state": ("1", "3")}


def test_rows_without_a_count_are_kept_by_time_and_user() -> None:
    assert group_audit([audit("", "state", "1", "2")])[0].id == "a-2026-11-20 12:00:00-elaine"


def test_values_compare_with_those_of_a_snapshot() -> None:
    found = AuditEntry(
        "a-5",
        5,
        "2026-11-20 12:00:00",
        "elaine",
        {"assigned_to": ("", ELAINE), "description": ("old", "a*b*"), "active": ("1", "0"), "work_notes": ("", "psst")},
    )
    assert referenced([found], COLUMNS) == {"sys_user": {"", ELAINE}}
    change = as_change(found, COLUMNS, {("sys_user", ELAINE): "Elaine"}, {"elaine": "Elaine"}, "")
    assert change.fields["assigned_to"] == (None, "Elaine")
    assert change.fields["active"] == (True, False)
    assert "work_notes" not in change.fields
    assert (change.author, change.at) == ("Elaine", NOON)


def test_a_list_of_references_is_read_by_name() -> None:
    columns = Columns({"watch_list": Column("watch_list", Kind.LIST, target="sys_user")})
    found = entry(5, watch_list=("", f"{ELAINE},b"))
    change = as_change(found, columns, {("sys_user", ELAINE): "Elaine", ("sys_user", "b"): "David"}, {}, "")
    assert change.fields["watch_list"] == (None, ("David", "Elaine"))


def test_a_write_with_a_mark_is_known_as_ours() -> None:
    change = as_change(entry(5, u_hub_reference=("", "siam-1")), COLUMNS, {}, {}, "u_hub_reference")
    assert change.correlation == "siam-1"


def test_time_decides_first() -> None:
    later = NOON + timedelta(seconds=1)
    placed = place([entry(2, "2026-11-20 12:00:01")], [comment("c1")], [file("f1", later)], {})
    assert [found.id for found in placed] == ["c1", "a-2", "f1"]


def test_inside_a_second_a_missing_count_is_a_comment_s() -> None:
    placed = place([entry(1), entry(3)], [comment("c1"), comment("c2")], [file("f1")], {})
    assert [found.id for found in placed] == ["a-1", "c1", "a-3", "c2", "f1"]


def test_counts_taken_in_earlier_seconds_are_not_given_again() -> None:
    before = NOON - timedelta(seconds=1)
    placed = place([entry(1, "2026-11-20 11:59:59"), entry(3)], [comment("c1", before), comment("c2")], [], {})
    assert [found.id for found in placed] == ["a-1", "c1", "a-3", "c2"]


def test_audited_journals_tell_a_comment_s_place() -> None:
    entries = [entry(1), entry(2, comments=("", "text"))]
    raw = {"c1": {"element": "comments", "value": "text"}, "c2": {"element": "work_notes", "value": "other"}}
    placed = place([*entries, entry(4)], [comment("c2"), comment("c1")], [], raw)
    assert [found.id for found in placed] == ["a-1", "a-2", "c1", "c2", "a-4"]


def journal(name: str, value: str, stamp: str = "2026-11-20 12:00:00") -> dict[str, str]:
    return {"sys_id": name, "value": value, "sys_created_on": stamp}


def test_comments_of_one_second_stand_as_in_the_transcript() -> None:
    head = "2026-11-20 12:00:00 - Elaine (Additional comments)\r\n"
    transcript = (
        "\r\n\r\n".join(head + text for text in ("one", "one more", "same", "one\r\nand two", "same")) + "\r\n\r\n"
    )
    rows = [
        journal("raced", "not there yet"),
        journal("e", "one"),
        journal("b", "one\nand two"),
        journal("c", "same"),
        journal("d", "one more"),
        journal("a", "same"),
        journal("before", "same", "2026-11-20 11:59:59"),
    ]
    placed = [row["sys_id"] for row in order_ties(rows, transcript)]
    assert placed[0] == "before"
    assert {placed[1], placed[3]} == {"a", "c"}
    assert [placed[2], *placed[4:]] == ["b", "d", "e", "raced"]


def test_without_a_transcript_rows_keep_the_order_in_which_they_came() -> None:
    rows = [journal("b", "x"), journal("a", "y"), journal("c", "z", "2026-11-20 11:00:00")]
    assert [row["sys_id"] for row in order_ties(rows, "")] == ["c", "b", "a"]


def test_a_route_is_the_shortest_walk() -> None:
    assert USUAL["change_request"].route("-5", "0") == ("-4", "-3", "-2", "-1", "0")
    assert USUAL["incident"].route("1", "7") == ("6", "7")
    assert USUAL["incident"].route("7", "2") == ()
    assert USUAL["incident"].route("2", "2") == ()
    assert StateModel(steps={"a": ("b", "c"), "b": ("d",), "c": ("e",), "e": ("d",)}).route("a", "d") == ("b", "d")
    assert StateModel(steps={"a": ("c", "b"), "b": ("d",), "c": ("e",), "e": ("d",)}).route("a", "d") == ("b", "d")


def test_settings_may_replace_the_usual_model() -> None:
    settings = ServiceNowSettings.model_validate({"closed_states": ["9"], "steps": {"1": ["9"]}})
    assert model_of(settings) == StateModel(frozenset({"9"}), {"1": ("9",)})


def test_a_table_of_the_customer_s_own_has_no_model() -> None:
    assert model_of(ServiceNowSettings(table="u_ticket")) == StateModel()
