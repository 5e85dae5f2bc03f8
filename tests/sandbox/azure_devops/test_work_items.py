"""Creating, reading and changing work items: documents, rules, conflicts."""

import asyncio
import json

import pytest

from apps.sandbox.azure_devops.seed import DAVID, SYNC

from .desk import HISTORY, STATE, TAGS, TITLE, Desk, add, at_rev, play, replace

REPRO = "Microsoft.VSTS.TCM.ReproSteps"
PRIORITY, SEVERITY = "Microsoft.VSTS.Common.Priority", "Microsoft.VSTS.Common.Severity"


def test_a_new_bug_gets_the_defaults_of_its_type() -> None:
    async def scenario(desk: Desk) -> None:
        made = (await desk.create(add(TITLE, "VPN drops"))).json
        assert (made["id"], made["rev"]) == (1, 1)
        fields = made["fields"]
        assert (fields[STATE], fields["System.Reason"], fields[PRIORITY], fields[SEVERITY]) == (
            "New",
            "New",
            2,
            "3 - Medium",
        )
        assert fields["System.CreatedBy"]["uniqueName"] == SYNC.mail
        assert fields["System.AreaPath"] == "Shop"
        assert "System.AssignedTo" not in fields
        assert made["multilineFieldsFormat"] == {}
        assert set(made["_links"]) == {
            "self",
            "workItemUpdates",
            "workItemRevisions",
            "workItemComments",
            "html",
            "workItemType",
            "fields",
        }

    play(scenario)


def test_all_fields_are_shown_only_when_asked_for() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        few, many = await desk.read(1), await desk.read(1, "&$expand=all")
        extra = set(many["fields"]) - set(few["fields"])
        assert {"System.Id", "System.Rev", "System.Watermark", "System.RevisedDate", "System.AuthorizedAs"} <= extra
        chosen = await desk.read(1, "&fields=System.Id,system.title")
        assert list(chosen["fields"]) == ["System.Id", TITLE]
        clash = await desk.get("/_apis/wit/workitems/1?fields=System.Id&$expand=relations")
        assert clash.status == 400

    play(scenario)


def test_a_title_is_required_and_the_refusal_names_every_field() -> None:
    async def scenario(desk: Desk) -> None:
        reply = await desk.create(add(PRIORITY, 9))
        assert (reply.status, reply.json["typeKey"]) == (400, "RuleValidationException")
        broken = [one["fieldReferenceName"] for one in reply.json["customProperties"]["RuleValidationErrors"]]
        assert broken == [TITLE, PRIORITY]
        assert reply.message.startswith("TF401320: Rule Error for field Title. Error code: Required")

    play(scenario)


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (add(TITLE, "x" * 256), "TF401324"),
        (add("Custom.HubReference", "x" * 256), "TF401324"),
        (add(REPRO, "x" * 1_048_577), "TF401324"),
        (add(TITLE, "two\nlines"), "TF401326"),
        (add(PRIORITY, "high"), "TF401326"),
        (add("Custom.Nothing", "x"), "TF51535"),
        (add("Custom.Site", "rome"), "TF401320"),
        (add("System.AreaPath", "Shop\\Nowhere"), "TF401347"),
        (add("System.AssignedTo", "nobody@global.example"), "The identity value 'nobody@global.example'"),
        (add("System.ChangedDate", "2020-01-01T00:00:00Z"), "TF401326"),
        (add(STATE, "Removed"), "TF401320"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_and_nothing_is_saved(operation: dict[str, object], code: str) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        reply = await desk.change(1, operation)
        assert reply.status == 400
        assert reply.message.startswith(code)
        assert (await desk.read(1))["rev"] == 1

    play(scenario)


def test_values_are_stored_in_their_canonical_form() -> None:
    async def scenario(desk: Desk) -> None:
        made = await desk.create(add(TITLE, " VPN "), add("Custom.Site", "BERLIN"), add(PRIORITY, "1"))
        fields = made.json["fields"]
        assert (fields[TITLE], fields["Custom.Site"], fields[PRIORITY]) == ("VPN", "berlin", 1)

    play(scenario)


def test_html_is_sanitized_on_the_way_in() -> None:
    async def scenario(desk: Desk) -> None:
        html = "<div style='color:red' onclick=steal()>5.1<br/><script>alert(1)</script><!-- mark --> &amp; more</div>"
        made = await desk.create(add(TITLE, "VPN"), add(REPRO, html))
        assert made.json["fields"][REPRO] == "<div>5.1<br> &amp; more</div>"

    play(scenario)


@pytest.mark.parametrize(
    "written", [DAVID.mail, "David", f"David <{DAVID.mail}>", {"id": DAVID.id}, {"uniqueName": DAVID.mail}]
)
def test_people_can_be_written_in_several_forms(written: object) -> None:
    async def scenario(desk: Desk) -> None:
        made = await desk.create(add(TITLE, "VPN"), add("System.AssignedTo", written))
        assert made.json["fields"]["System.AssignedTo"]["id"] == DAVID.id
        cleared = await desk.change(1, add("System.AssignedTo", ""))
        assert "System.AssignedTo" not in cleared.json["fields"]

    play(scenario)


def test_adding_tags_merges_and_replacing_them_overwrites() -> None:
    async def scenario(desk: Desk) -> None:
        made = await desk.create(add(TITLE, "VPN"), add(TAGS, "sync-7f1c9b; VPN; vpn"))
        assert made.json["fields"][TAGS] == "sync-7f1c9b; VPN"
        merged = await desk.change(1, add(TAGS, "vpn, eu"))
        assert merged.json["fields"][TAGS] == "sync-7f1c9b; VPN; eu"
        again = await desk.change(1, add(TAGS, "EU"))
        assert again.json["rev"] == merged.json["rev"]
        replaced = await desk.change(1, replace(TAGS, "eu"))
        assert replaced.json["fields"][TAGS] == "eu"
        assert (await desk.change(1, add(TAGS, "; ".join(f"t{n}" for n in range(100))))).status == 400

    play(scenario)


def test_a_stale_test_of_the_revision_is_412_and_changes_nothing() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        await desk.change(1, add(TITLE, "changed by someone"))
        reply = await desk.change(1, at_rev(1), add(TITLE, "mine"))
        assert (reply.status, reply.json["typeKey"]) == (412, "TestPatchOperationFailedException")
        assert reply.message == (
            "VS403351: Test Operation for path /rev failed, value 2 was not equal to test value 1."
        )
        assert (await desk.read(1))["fields"][TITLE] == "changed by someone"
        assert (await desk.change(1, at_rev(2), add(TITLE, "mine"))).json["rev"] == 3

    play(scenario)


def test_a_patch_without_effect_keeps_the_revision() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create(add(TITLE, "VPN"))
        reply = await desk.change(1, replace(TITLE, "VPN"), {"op": "remove", "path": "/fields/Custom.Site"})
        assert (reply.status, reply.json["rev"]) == (200, 1)
        assert len(desk.truth(1)["log"]) == len({(one["field"]) for one in desk.truth(1)["log"]})

    play(scenario)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"[]",
        b"not json",
        b'["add"]',
        b'[{"op":"upsert","path":"/fields/System.Title","value":1}]',
        b'[{"op":"copy","path":"/fields/System.Title","from":"/fields/System.State"}]',
        b'[{"op":"add","value":1}]',
        b'[{"op":"add","path":"/fields/System.Title"}]',
        b'[{"op":"add","path":"/nothing/System.Title","value":1}]',
        b'[{"op":"add","path":"/fields/System.Title","value":"x"},{"op":"test","path":"/rev","value":1}]',
        b'[{"op":"remove","path":"/relations/0"}]',
        b'[{"op":"add","path":"/relations/-","value":{"rel":"Hyperlink"}}]',
        b'[{"op":"add","path":"/multilineFieldsFormat/System.Description","value":"Markdown"}]',
    ],
)
def test_a_document_that_is_no_patch_is_400(document: bytes) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        headers = {"Content-Type": "application/json-patch+json"}
        reply = await desk.send("PATCH", "/_apis/wit/workitems/1?api-version=7.1", data=document, headers=headers)
        assert reply.status == 400
        assert reply.message

    play(scenario)


def test_validate_only_checks_the_rules_and_saves_nothing() -> None:
    async def scenario(desk: Desk) -> None:
        good = await desk.create(add(TITLE, "VPN"), query="&validateOnly=true")
        assert (good.status, good.json["fields"][TITLE]) == (200, "VPN")
        assert (await desk.create(add(PRIORITY, 1), query="&validateOnly=true")).status == 400
        assert desk.sandbox.true_state()["tickets"] == []

    play(scenario)


def test_bypassing_rules_needs_the_permission() -> None:
    async def scenario(desk: Desk) -> None:
        past = [
            add(TITLE, "Old"),
            add("System.CreatedDate", "2020-05-01T08:00:00Z"),
            add("System.CreatedBy", DAVID.mail),
        ]
        closed = [add(STATE, "Closed"), add("System.ChangedDate", "2020-06-01T08:00:00Z")]
        assert (await desk.create(*past, query="&bypassRules=true")).status == 403
        desk.sandbox.settings.bypass_accounts = [SYNC.mail]
        made = (await desk.create(*past, *closed, query="&bypassRules=true")).json
        assert made["fields"]["System.CreatedBy"]["id"] == DAVID.id
        assert (made["fields"]["System.ChangedDate"], made["fields"][STATE]) == ("2020-06-01T08:00:00Z", "Closed")
        backwards = await desk.change(1, add("System.ChangedDate", "2019-01-01T00:00:00Z"), query="&bypassRules=true")
        assert backwards.message.startswith("VS402625")

    play(scenario)


def test_states_follow_the_transitions_and_set_who_and_when() -> None:
    async def scenario(desk: Desk) -> None:
        assert (await desk.create(add(TITLE, "Story"), add(STATE, "Active"), kind="User%20Story")).status == 400
        await desk.create()
        active = (await desk.change(1, add(STATE, "active"))).json["fields"]
        assert (active[STATE], active["System.Reason"]) == ("Active", "Approved")
        assert active["Microsoft.VSTS.Common.ActivatedBy"]["id"] == SYNC.id
        resolved = (await desk.change(1, add(STATE, "Resolved"), add("System.Reason", "duplicate"))).json["fields"]
        assert (resolved["System.Reason"], resolved["Microsoft.VSTS.Common.ResolvedReason"]) == (
            "Duplicate",
            "Duplicate",
        )
        illegal = await desk.change(1, add(STATE, "New"))
        assert illegal.json["customProperties"]["FieldReferenceName"] == STATE
        assert (await desk.change(1, add(STATE, "Active"), add("System.Reason", "no such"))).status == 400
        again = (await desk.change(1, add(STATE, "Active"))).json["fields"]
        assert "Microsoft.VSTS.Common.ResolvedDate" not in again

    play(scenario)


def test_an_inherited_process_may_allow_any_transition() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create(kind="Task")
        await desk.change(1, add(STATE, "Closed"))
        assert (await desk.change(1, add(STATE, "New"))).status == 200
        moves = (await desk.get("/Shop/_apis/wit/workitemtypes/Task")).json["transitions"]
        assert {one["to"] for one in moves["Closed"]} == {"New", "Active", "Removed"}

    play(scenario, any_transition=True)


def test_a_field_can_be_required_by_type_and_by_state() -> None:
    async def scenario(desk: Desk) -> None:
        refused = await desk.create(add(TITLE, "VPN"))
        assert refused.json["customProperties"]["FieldReferenceName"] == "Custom.Site"
        await desk.create(add(TITLE, "VPN"), add("Custom.Site", "paris"))
        closing = await desk.change(1, add(STATE, "Closed"))
        assert closing.json["customProperties"]["FieldReferenceName"] == "Custom.Category"
        assert (await desk.change(1, add(STATE, "Closed"), add("Custom.Category", "bug"))).status == 200

    play(scenario, required_fields={"Bug": ["Custom.Site"]}, required_in_state={"Closed": ["Custom.Category"]})


def test_state_and_comment_are_written_in_one_revision() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        changed = (await desk.change(1, at_rev(1), add(STATE, "Resolved"), add(HISTORY, "Fixed <b>it</b>"))).json
        assert (changed["rev"], changed["fields"]["System.CommentCount"]) == (2, 1)
        assert changed["commentVersionRef"]["commentId"] == 81
        assert (await desk.comments(1))["comments"][0]["text"] == "Fixed <b>it</b>"
        after = (await desk.change(1, add(TITLE, "New title"))).json
        assert HISTORY not in after["fields"]

    play(scenario)


def test_a_work_item_moves_to_another_project_only_with_paths_that_exist_there() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        assert (await desk.change(1, add("System.TeamProject", "Warehouse"))).message.startswith("TF401347")
        there = [add(name, "Warehouse") for name in ("System.TeamProject", "System.AreaPath", "System.IterationPath")]
        moved = (await desk.change(1, *there)).json
        assert (moved["id"], moved["fields"]["System.TeamProject"]) == (1, "Warehouse")
        assert (await desk.get("/Shop/_apis/wit/workitems/1")).status == 404

    play(scenario)


def test_many_are_read_at_once_up_to_two_hundred() -> None:
    async def scenario(desk: Desk) -> None:
        for number in range(3):
            await desk.create(add(TITLE, f"Bug {number}"))
        path = "/_apis/wit/workitemsbatch?api-version=7.1"
        body = {"ids": [3, 99, 1], "fields": ["System.Id"], "errorPolicy": "Omit"}
        found = (await desk.send("POST", path, json=body)).json
        assert found["count"] == 3
        assert [one and one["fields"]["System.Id"] for one in found["value"]] == [3, None, 1]
        assert (await desk.send("POST", path, json={**body, "errorPolicy": "Fail"})).message.startswith("TF401232")
        many = await desk.send("POST", path, json={"ids": list(range(1, 202))})
        assert many.message == "VS403474: You requested 201 work items which exceeds the limit of 200."
        assert (await desk.get("/_apis/wit/workitems?ids=1,2&api-version=7.1")).json["count"] == 2

    play(scenario)


def test_each_request_of_a_batch_stands_for_itself() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        headers = {"Content-Type": "application/json-patch+json"}

        def one(uri: str, *operations: object) -> dict[str, object]:
            return {"method": "PATCH", "uri": uri, "headers": headers, "body": operations}

        requests = [
            one("/_apis/wit/workitems/1?api-version=7.1", at_rev(7), add(TITLE, "stale")),
            one("/Shop/_apis/wit/workitems/$Task?api-version=7.1", add(TITLE, "new task")),
            one("/_apis/wit/workitems/1?api-version=7.1", add(TITLE, "second")),
        ]
        answer = (await desk.send("PATCH", "/_apis/wit/$batch?api-version=7.1", json=requests)).json
        assert [one["code"] for one in answer["value"]] == [412, 200, 200]
        assert json.loads(answer["value"][1]["body"])["fields"][TITLE] == "new task"
        assert desk.truth(1)["fields"][TITLE] == "second"

    play(scenario)


def test_markdown_fields_need_version_7_2_and_are_kept_as_written() -> None:
    async def scenario(desk: Desk) -> None:
        form = {"op": "add", "path": "/multilineFieldsFormat/System.Description", "value": "Markdown"}
        text = add("System.Description", "**bold** <script>")
        path = "/Shop/_apis/wit/workitems/$Task?api-version=7.2-preview.3"
        headers = {"Content-Type": "application/json-patch+json"}
        document = json.dumps([add(TITLE, "x"), text, form]).encode()
        made = (await desk.send("POST", path, data=document, headers=headers)).json
        assert made["multilineFieldsFormat"] == {"System.Description": "markdown"}
        assert made["fields"]["System.Description"] == "**bold** <script>"
        wrong = json.dumps([{**form, "path": "/multilineFieldsFormat/System.Title"}]).encode()
        reply = await desk.send("PATCH", "/_apis/wit/workitems/1?api-version=7.2-preview", data=wrong, headers=headers)
        assert reply.message == "Operation of changing value type is not supported for the field System.Title"

    play(scenario)


def test_the_past_can_be_read() -> None:
    async def scenario(desk: Desk) -> None:
        first = (await desk.create(add(TITLE, "first"))).json["fields"]["System.ChangedDate"]
        await desk.change(1, add(TITLE, "second"))
        assert (await desk.read(1, f"&asOf={first}"))["fields"][TITLE] == "first"
        assert (await desk.get("/_apis/wit/workitems/1?asOf=2020-01-01T00:00:00Z")).status == 404

    play(scenario)


def test_a_work_item_with_too_many_revisions_takes_no_more() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        await desk.change(1, add(TITLE, "two"))
        assert (await desk.change(1, add(TITLE, "three"))).status == 400
        assert (await desk.read(1))["fields"][TITLE] == "two"

    play(scenario, revision_limit=2)


@pytest.mark.parametrize(
    "title", ["Ångström ☕ 日本語", "👩‍👩‍👧 family", "مرحبا", "Robert'); DROP TABLE", "<b>not markup</b>", "a\u00a0b"]
)
def test_a_title_comes_back_as_it_was_written(title: str) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create(add(TITLE, title))
        assert (await desk.read(1))["fields"][TITLE] == title
        assert await desk.found("[System.Title] = '" + title.replace("'", "''") + "'") == [1]

    play(scenario)


def test_a_title_is_measured_in_utf_16_units() -> None:
    async def scenario(desk: Desk) -> None:
        assert (await desk.create(add(TITLE, "☕" * 255))).status == 200
        assert (await desk.create(add(TITLE, "😀" * 128))).message.startswith("TF401324")

    play(scenario)


@pytest.mark.parametrize(
    "value", ["NaN", "1e999", '"half \\ud800 character"', "[" * 10_000 + "]" * 10_000, "99999999999", '{"a": 1}']
)
def test_json_that_is_none_is_400_and_never_500(value: str) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        document = '[{"op":"add","path":"/fields/Microsoft.VSTS.Common.Priority","value":' + value + "}]"
        headers = {"Content-Type": "application/json-patch+json"}
        reply = await desk.send(
            "PATCH", "/_apis/wit/workitems/1?api-version=7.1", data=document.encode(), headers=headers
        )
        assert reply.status == 400

    play(scenario)


def test_two_writers_without_a_test_overwrite_only_their_own_fields() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        one, other = await asyncio.gather(
            desk.change(1, add("Custom.Site", "paris")), desk.change(1, add("Custom.DeploymentStage", "pilot"))
        )
        assert {one.json["rev"], other.json["rev"]} == {2, 3}
        fields = desk.truth(1)["fields"]
        assert (fields["Custom.Site"], fields["Custom.DeploymentStage"]) == ("paris", "pilot")

    play(scenario)


def test_of_two_writers_that_test_the_same_revision_one_is_refused() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        replies = await asyncio.gather(*(desk.change(1, at_rev(1), add(TITLE, f"writer {n}")) for n in range(5)))
        assert sorted(one.status for one in replies) == [200, 412, 412, 412, 412]
        winner = next(one for one in replies if one.status == 200)
        assert desk.truth(1)["fields"][TITLE] == winner.json["fields"][TITLE]

    play(scenario)
