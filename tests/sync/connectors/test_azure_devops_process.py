"""The way from one state to another, and the translation of work items."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sync.connectors import richtext
from apps.sync.connectors.azure_devops.process import FieldDefinition, Process, WorkItemType
from apps.sync.connectors.azure_devops.translate import (
    Reader,
    read_file_id,
    read_marker,
    read_person,
    read_tags,
    read_time,
    split_comment,
    write_comment,
    write_html,
)
from apps.sync.connectors.base import NoRoute, Rejected
from apps.sync.engine.snapshot import Value, Visibility

STRICT = WorkItemType(
    "Bug",
    frozenset({"System.Title", "System.Tags", "Custom.Site"}),
    ("New", "Active", "Resolved", "Closed", "Removed"),
    {"": ("New",), "New": ("Active",), "Active": ("Resolved", "New"), "Resolved": ("Closed", "Active"), "Closed": ()},
)
READER = Reader(
    {
        "System.Description": FieldDefinition("System.Description", "Description", "html"),
        "System.AssignedTo": FieldDefinition("System.AssignedTo", "Assigned To", "string", is_person=True),
        "Custom.Hours": FieldDefinition("Custom.Hours", "Hours", "double"),
        "Priority": FieldDefinition("Priority", "Priority", "integer"),
    },
    "https://dev.azure.com/global",
)


@pytest.mark.parametrize(
    ("start", "target", "route"),
    [
        ("New", "Active", ("Active",)),
        ("New", "Closed", ("Active", "Resolved", "Closed")),
        ("Resolved", "New", ("Active", "New")),
    ],
)
def test_a_state_is_reached_by_the_shortest_legal_way(start: str, target: str, route: tuple[str, ...]) -> None:
    assert STRICT.find_route(start, target) == route


def test_a_state_without_known_transitions_is_tried_at_once() -> None:
    assert STRICT.find_route("Removed", "Active") == ("Active",)


def test_no_way_names_both_states_and_what_is_reachable() -> None:
    with pytest.raises(NoRoute, match="no way from New to Removed for Bug; reachable: Active, Closed, Resolved"):
        STRICT.find_route("New", "Removed")


def test_a_state_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(NoRoute, match="New, Active, Resolved, Closed, Removed") as refusal:
        STRICT.find_route("New", "Done")
    assert (refusal.value.field, refusal.value.value) == ("System.State", "Done")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-20T10:02:44.91Z", datetime(2026, 11, 20, 10, 2, 44, 910_000, UTC)),
        ("2026-11-20T10:02:44.1234567Z", datetime(2026, 11, 20, 10, 2, 44, 123_456, UTC)),
        ("2026-11-20T10:02:44Z", datetime(2026, 11, 20, 10, 2, 44, tzinfo=UTC)),
    ],
)
def test_times_are_read_with_any_number_of_digits(text: str, at: datetime) -> None:
    assert read_time(text) == at


@pytest.mark.parametrize(
    ("raw", "name"),
    [({"displayName": "David", "uniqueName": "david@global.example"}, "David"),
     ("David <david@global.example>", "David"),
     ("David", "David"), (None, "")],
)  # fmt: skip
def test_a_person_is_read_from_objects_and_from_texts(raw: Any, name: str) -> None:
    assert read_person(raw) == name


def test_our_marker_is_not_a_tag() -> None:
    assert read_tags("vpn; siam-3f2a9c0d41b7; EU") == ("EU", "vpn")
    assert read_marker({"System.Tags": "vpn; siam-3f2a9c0d41b7"}, "") == "siam-3f2a9c0d41b7"
    assert read_marker({"System.Tags": "vpn; siamese"}, "") is None


def test_the_marker_may_live_in_a_field_of_its_own() -> None:
    fields = {"Custom.HubReference": "siam-3f2a9c0d41b7", "System.Tags": "siam-aaaaaaaaaaaa"}
    assert read_marker(fields, "Custom.HubReference") == "siam-3f2a9c0d41b7"


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("System.Tags", None, ()),
        ("System.Description", "", None),
        ("System.Description", "<div>One</div><div>Two</div>", richtext.from_html("<div>One</div><div>Two</div>")),
        ("System.AssignedTo", {"displayName": "David"}, "David"),
        ("Custom.Hours", 2.0, 2.0),
        ("Priority", 2, 2),
        ("Custom.Flag", True, True),
        ("Custom.Text", "a\r\nb", "a\nb"),
        ("Custom.Text", None, None),
    ],
)
def test_values_are_read_by_the_type_of_their_field(name: str, raw: Any, value: Value) -> None:
    assert READER.read_value(name, raw) == value


def test_a_field_in_markdown_is_read_as_markdown() -> None:
    assert READER.read_value("System.Description", "a **b** <i>", "markdown") == richtext.canonical("a **b** <i>")


def test_fields_without_a_value_are_none_and_plumbing_is_left_out() -> None:
    item = {
        "fields": {"System.Title": "VPN", "System.Rev": 7, "System.ChangedDate": "x", "System.BoardColumn": "Doing"}
    }
    assert READER.read_fields(item, STRICT) == {"System.Title": "VPN", "System.Tags": (), "Custom.Site": None}


@given(
    st.lists(
        st.sampled_from(["plain", "- a\n- b", "```\ncode [siam-x]\n```", "> quote", "1. one", "**b**", "[siam] x"])
    )
)
def test_a_comment_comes_back_without_its_marker(parts: list[str]) -> None:
    text = richtext.canonical("\n\n".join(parts))
    if text:
        written = write_comment(text, "siam-3f2a9c0d41b7")
        assert split_comment(richtext.from_html(written)) == (text, "siam-3f2a9c0d41b7")


def test_a_comment_that_only_quotes_a_marker_is_not_ours() -> None:
    assert split_comment("see [siam-3f2a9c0d41b7] above") == ("see [siam-3f2a9c0d41b7] above", None)


def test_a_comment_in_markdown_loses_its_marker_too() -> None:
    raw = {"id": 81, "text": "We are **on** it\n\n[siam-1a2b]", "format": "markdown",
           "createdBy": {"displayName": "David"},
           "createdDate": "2026-11-20T10:02:44Z"}  # fmt: skip
    comment = READER.read_comment(raw)
    assert (comment.body, comment.correlation) == ("We are **on** it", "siam-1a2b")
    assert comment.visibility is Visibility.PUBLIC


def test_an_empty_comment_is_refused() -> None:
    with pytest.raises(Rejected):
        write_comment(" ", "siam-1a2b")


def test_a_text_longer_than_the_field_takes_is_refused_naming_it() -> None:
    with pytest.raises(Rejected) as refusal:
        write_html("&" * 250_000, "System.Description")
    assert refusal.value.field == "System.Description"


GUID = "5e7b1f44-5a60-6c0d-9a1c-8e4f7b3d2a02"


def test_a_file_is_known_by_the_id_in_its_address() -> None:
    relation = {
        "rel": "AttachedFile",
        "url": f"https://elsewhere.example/_apis/wit/attachments/{GUID}?fileName=l%C3%B6g.txt",
        "attributes": {"resourceSize": 5, "resourceCreatedDate": "2026-11-20T09:20:00Z", "comment": "[siam-1a2b]"},
    }
    file = READER.read_attachment(relation)
    assert file is not None
    assert (file.id, file.file_name, file.size, file.correlation) == (GUID, "lög.txt", 5, "siam-1a2b")
    assert file.content_type == "text/plain"


@pytest.mark.parametrize(
    "relation", [{"rel": "Hyperlink", "url": f"https://x/attachments/{GUID}"}, {"rel": "AttachedFile"}]
)
def test_other_relations_are_no_files(relation: dict[str, Any]) -> None:
    assert read_file_id(relation) is None


class SlowClient:
    """Answers what it is asked for, after a moment."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def project_path(self, project: str) -> str:
        return f"/{project}"

    async def get_or_none(self, path: str) -> dict[str, Any]:
        self.asked.append(path)
        await asyncio.sleep(0.01)
        return {"name": "Bug"}


def test_a_definition_that_many_need_at_once_is_asked_for_once() -> None:
    client = SlowClient()

    async def need() -> None:
        process = Process(client)
        await asyncio.gather(*(process.type("Bug", "Shop") for _ in range(16)))

    asyncio.run(need())
    assert client.asked == ["/Shop/_apis/wit/workitemtypes/Bug"]
