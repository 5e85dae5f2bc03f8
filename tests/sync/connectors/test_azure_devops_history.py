"""The updates feed and the comments as one ordered change log."""

from typing import Any

from apps.sync.connectors.azure_devops.history import list_changes
from apps.sync.connectors.azure_devops.process import FieldDefinition
from apps.sync.connectors.azure_devops.translate import Reader

READER = Reader({"System.Description": FieldDefinition("System.Description", "Description", "html")}, "https://x")
GUID = "5e7b1f44-5a60-6c0d-9a1c-8e4f7b3d2a02"


def at(second: int) -> str:
    return f"2026-11-20T10:00:{second:02d}Z"


def update(number: int, second: int | None, *, comments: int = 0, **fields: Any) -> dict[str, Any]:
    changed = {name.replace("_", "."): {"oldValue": old, "newValue": new} for name, (old, new) in fields.items()}
    if second is not None:
        changed["System.ChangedDate"] = {"newValue": at(second)}
    if comments:
        changed["System.CommentCount"] = {"oldValue": comments - 1, "newValue": comments}
    return {"id": number, "rev": number, "revisedBy": {"displayName": "David"}, "revisedDate": "9999-01-01T00:00:00Z",
            "fields": changed}  # fmt: skip


def comment(number: int, second: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "text": f"<div>text {number}</div>", "createdBy": {"displayName": "Marco"},
            "createdDate": at(second), **more}  # fmt: skip


def ids(updates: list[dict[str, Any]], comments: list[dict[str, Any]], since: str | None = None) -> list[str]:
    return [change.id for change in list_changes(updates, comments, READER, since)]


CREATED = update(1, 0, System_Title=(None, "VPN"))
ACTIVE = update(2, 5, System_State=("New", "Active"))
SAID = update(3, 7, comments=1)
SOLVED = update(4, 9, System_State=("Active", "Resolved"))


def test_creation_is_not_a_change() -> None:
    assert ids([CREATED], []) == []


def test_comments_stand_where_the_count_says() -> None:
    assert ids([CREATED, ACTIVE, SAID, SOLVED], [comment(81, 7)]) == ["2", "c81", "4"]


def test_a_comment_made_together_with_a_state_follows_it() -> None:
    together = update(2, 5, comments=1, System_State=("New", "Active"))
    assert ids([CREATED, together, update(3, 5, System_State=("Active", "New"))], [comment(81, 5)]) == ["2", "c81", "3"]


def test_comments_stand_by_their_time_where_nothing_is_counted() -> None:
    assert ids([CREATED, ACTIVE, SOLVED], [comment(81, 7), comment(82, 11)]) == ["2", "c81", "4", "c82"]


def test_a_backdated_import_does_not_move_an_update() -> None:
    backdated = update(3, 1, System_Title=("VPN", "VPN down"))
    assert ids([CREATED, ACTIVE, backdated, SOLVED], []) == ["2", "3", "4"]


def test_only_what_follows_since_is_listed() -> None:
    everything = [CREATED, ACTIVE, SAID, SOLVED]
    assert ids(everything, [comment(81, 7)], "2") == ["c81", "4"]
    assert ids(everything, [comment(81, 7)], "c81") == ["4"]
    assert ids(everything, [comment(81, 7)], "4") == []


def test_since_may_name_an_update_that_shows_nothing() -> None:
    assert ids([CREATED, ACTIVE, SAID, SOLVED], [comment(81, 7)], "3") == ["c81", "4"]


def test_since_may_name_a_deleted_comment() -> None:
    deleted = comment(81, 7, isDeleted=True, text="")
    assert ids([CREATED, ACTIVE, SAID, SOLVED], [deleted], "c81") == ["4"]
    assert ids([CREATED, ACTIVE, SAID, SOLVED], [deleted]) == ["2", "4"]


def test_an_unknown_since_shows_everything_rather_than_nothing() -> None:
    assert ids([CREATED, ACTIVE], [], "c99") == ["2"]


def test_a_file_follows_the_fields_of_its_update() -> None:
    relation = {
        "rel": "AttachedFile",
        "url": f"https://x/_apis/wit/attachments/{GUID}",
        "attributes": {"name": "a.txt"},
    }
    attached = {**update(3, None), "relations": {"added": [relation]}}
    before = {**ACTIVE, "revisedDate": at(8)}
    changes = list_changes([CREATED, before, attached], [], READER, None)
    assert [change.id for change in changes] == ["2", f"3/{GUID}"]
    assert changes[1].attachment is not None
    assert changes[1].at.second == 8


def test_long_texts_are_read_as_in_a_snapshot() -> None:
    edited = update(2, 5, System_Description=("<div>old</div>", "<div><b>new</b></div>"))
    changes = list_changes([CREATED, edited], [], READER, None)
    assert changes[0].fields == {"System.Description": ("old", "**new**")}


def test_a_text_that_only_looks_different_is_no_change() -> None:
    assert ids([CREATED, update(2, 5, System_Description=("<div>same</div>", "<p>same</p>"))], []) == []


def test_our_marker_tag_is_no_change() -> None:
    assert ids([CREATED, update(2, 5, System_Tags=("eu", "eu; siam-3f2a9c0d41b7"))], []) == []
