"""Records are created and changed as asked, or the refusal names the field."""

from typing import Any

import pytest

from apps.sync.connectors.base import (
    Draft,
    NoRoute,
    Note,
    Rejected,
    StaleVersion,
    TicketClosed,
    VendorFault,
)
from apps.sync.connectors.servicenow.connector import ServiceNowConnector
from apps.sync.engine.snapshot import ExternalRef, Visibility

from .servicenow_instance import Instance, on_instance

MARK = "siam-3f2a9c0d41b7"
OTHER = "siam-000000000002"
RESOLUTION = {"close_code": "Solution provided", "close_notes": "Restarted"}
DRAFT = Draft("incident", {"short_description": "VPN drops", "description": "Client **5.1**", "u_site": "berlin"})


async def resolved(connector: ServiceNowConnector, state: str = "6") -> ExternalRef:
    ref = (await connector.create(DRAFT, MARK)).ref
    await connector.update(ref, {"state": "6", **RESOLUTION}, expected=None, correlation=OTHER)
    if state != "6":
        await connector.update(ref, {"state": state}, expected=None, correlation=OTHER)
    return ref


class TestCreate:
    def test_stores_the_fields_and_the_mark(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            draft = Draft(
                "incident", {**DRAFT.fields, "caller_id": "John", "impact": "1", "urgency": "2", "due_date": None}
            )
            receipt = await connector.create(draft, MARK)
            assert receipt.stored["caller_id"] == "John"
            snapshot = await connector.fetch(receipt.ref)
            assert {name: snapshot.fields[name] for name in receipt.stored} == receipt.stored
            assert (snapshot.correlation, snapshot.version, snapshot.ref) == (MARK, receipt.version, receipt.ref)
            assert snapshot.fields["priority"] == "2"
            assert instance.sandbox.true_state()["tickets"][0]["fields"]["correlation_display"] == "siam"

        on_instance(play)

    def test_is_found_again_by_its_mark_and_by_no_other(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            assert await connector.find(MARK) is None
            await instance.report(correlation_id="jira:10042", correlation_display="other")
            receipt = await connector.create(DRAFT, MARK)
            found = await connector.find(MARK)
            assert found is not None
            assert (found.ref, found.stored["short_description"]) == (receipt.ref, "VPN drops")
            assert await connector.find("siam-3f2a9c0d41b8") is None
            assert await connector.find("x^ORnumberISNOTEMPTY") is None

        on_instance(play)

    def test_a_foreign_correlation_id_is_not_ours(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            sys_id = await instance.report(correlation_id="jira:10042", correlation_display="other")
            assert (await connector.fetch(ExternalRef(sys_id))).correlation is None

        on_instance(play)

    def test_may_carry_the_mark_in_a_column_of_the_customer_s_own(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            receipt = await connector.create(DRAFT, MARK)
            snapshot = await connector.fetch(receipt.ref)
            assert (snapshot.correlation, snapshot.fields["correlation_id"]) == (MARK, None)
            assert await connector.find(MARK) is not None

        on_instance(play, settings={"correlation_field": "u_hub_reference"})

    def test_never_adopts_a_ticket_when_the_search_was_ignored(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            await instance.report()
            with pytest.raises(VendorFault, match="ignored the condition"):
                await connector.find(MARK)

        on_instance(play, settings={"correlation_field": "u_nope"})

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"short_description": "x" * 161}, "short_description"),
            ({"u_site": "rome"}, "u_site"),
            ({"caller_id": "Nobody"}, "caller_id"),
            ({"caller_id": "javascript:gs.getUserID()"}, "caller_id"),
            ({"assignment_group": "nobody@infinity.example"}, "assignment_group"),
            ({"u_nope": "1"}, "u_nope"),
            ({"comments": "hello"}, "comments"),
            ({"sys_created_on": "2026-01-01T00:00:00Z"}, "sys_created_on"),
        ],
    )
    def test_names_the_field_that_is_not_taken(self, fields: dict[str, str], field: str) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            with pytest.raises(Rejected) as refusal:
                await connector.create(Draft("incident", {**DRAFT.fields, **fields}), MARK)
            assert refusal.value.field == field
            assert instance.sandbox.true_state()["tickets"] == []

        on_instance(play)

    def test_links_a_follow_up_to_its_first_ticket(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            first = await connector.create(DRAFT, MARK)
            second = await connector.create(Draft("incident", DRAFT.fields, follow_up_of=first.ref), OTHER)
            assert (await connector.fetch(second.ref)).fields["parent_incident"] == first.ref.key

        on_instance(play)

    def test_takes_a_name_that_two_people_share_for_nobody(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            twin = {"user_name": "john2", "name": "John", "email": "john2@infinity.example", "active": "true"}
            await instance.as_admin("POST", "/api/now/v2/table/sys_user", json=twin)
            with pytest.raises(Rejected, match="2 records"):
                await connector.create(Draft("incident", {"caller_id": "John"}), MARK)
            receipt = await connector.create(Draft("incident", {"caller_id": "john2@infinity.example"}), MARK)
            assert receipt.stored["caller_id"] == "John"

        on_instance(play)

    def test_takes_a_name_for_the_one_who_still_works_here(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            twin = {"user_name": "john2", "name": "John", "active": "false"}
            await instance.as_admin("POST", "/api/now/v2/table/sys_user", json=twin)
            receipt = await connector.create(Draft("incident", {"caller_id": "John"}), MARK)
            assert receipt.stored["caller_id"] == "John"

        on_instance(play)


class TestUpdate:
    def test_writes_state_and_fields_in_one_call(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            created = await connector.create(DRAFT, MARK)
            receipt = await connector.update(
                created.ref, {"state": "2", "assigned_to": "Elaine"}, expected=created.version, correlation=OTHER
            )
            snapshot = await connector.fetch(created.ref)
            assert receipt.stored == {"state": "2", "assigned_to": "Elaine"}
            assert (receipt.version, receipt.change_ids) == (snapshot.version, ("a-1",))
            assert len(instance.requests("PATCH")) == 1

        on_instance(play)

    def test_sends_nothing_when_nothing_differs(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            created = await connector.create(DRAFT, MARK)
            receipt = await connector.update(created.ref, {"u_site": "berlin"}, expected=None, correlation=OTHER)
            assert (receipt.version, receipt.stored) == (created.version, {"u_site": "berlin"})
            assert instance.requests("PATCH") == []

        on_instance(play)

    def test_refuses_a_stale_version_and_leaves_the_ticket(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            created = await connector.create(DRAFT, MARK)
            await instance.edit(created.ref.id, urgency="1")
            with pytest.raises(StaleVersion):
                await connector.update(created.ref, {"u_site": "paris"}, expected=created.version, correlation=OTHER)
            assert (await connector.fetch(created.ref)).fields["u_site"] == "berlin"

        on_instance(play)

    def test_clears_a_field(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            receipt = await connector.update(ref, {"description": None}, expected=None, correlation=OTHER)
            assert receipt.stored == {"description": None}

        on_instance(play)

    def test_names_the_field_that_resolving_needs(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            fields = {"state": "6", "close_code": "Solution provided"}
            with pytest.raises(Rejected) as refusal:
                await connector.update(ref, fields, expected=None, correlation=OTHER)
            assert refusal.value.field == "close_notes"
            assert "close_notes" in refusal.value.detail

        on_instance(play)

    @pytest.mark.parametrize("state", ["7", "8"])
    def test_refuses_a_closed_ticket(self, state: str) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            ref = await resolved(connector, state) if state == "7" else (await connector.create(DRAFT, MARK)).ref
            if state == "8":
                await connector.update(ref, {"state": "8"}, expected=None, correlation=OTHER)
            assert (await connector.fetch(ref)).is_closed_for_good
            with pytest.raises(TicketClosed):
                await connector.update(ref, {"u_site": "paris"}, expected=None, correlation=OTHER)
            with pytest.raises(TicketClosed):
                await connector.add_comment(ref, Note("late", Visibility.PUBLIC), OTHER)

        on_instance(play)

    def test_reopens_a_resolved_ticket(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            ref = await resolved(connector)
            receipt = await connector.update(ref, {"state": "2"}, expected=None, correlation=OTHER)
            assert receipt.stored["state"] == "2"

        on_instance(play)

    def test_walks_a_change_through_its_states(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            created = await connector.create(Draft("change_request", {"short_description": "New firewall"}), MARK)
            receipt = await connector.update(
                created.ref, {"state": "-2", "u_site": "paris"}, expected=created.version, correlation=OTHER
            )
            snapshot = await connector.fetch(created.ref)
            assert (snapshot.fields["state"], snapshot.fields["u_site"]) == ("-2", "paris")
            assert receipt.version == snapshot.version
            walked = [change.fields["state"][1] for change in await connector.changes(created.ref, None)]
            assert walked == ["-4", "-3", "-2"]
            assert set(receipt.change_ids) == {change.id for change in await connector.changes(created.ref, None)}

        on_instance(play, settings={"table": "change_request"})

    def test_marks_every_step_of_a_walk_for_itself(self) -> None:
        """The log names what a step changed: a walk whose answer is lost halfway is found by its first step alone."""

        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(Draft("change_request", {"short_description": "New firewall"}), MARK)).ref
            client = connector._client
            patch, patches = client.patch, []

            async def cut_off(*args: Any, **rest: Any) -> Any:
                after = await patch(*args, **rest)
                patches.append(after)
                if len(patches) == 1:
                    raise VendorFault("answered 502", is_unknown=True)
                return after

            client.patch = cut_off  # type: ignore[method-assign]
            with pytest.raises(VendorFault):
                await connector.update(ref, {"state": "-2"}, expected=None, correlation=OTHER)
            found = await connector.find(OTHER, ref)
            assert found is not None
            assert found.change_ids == tuple(change.id for change in await connector.changes(ref, None))
            await connector.update(ref, {"state": "-2"}, expected=None, correlation=OTHER)
            walked = {change.fields["state"][1]: change.correlation for change in await connector.changes(ref, None)}
            assert walked == {"-4": OTHER, "-3": OTHER, "-2": OTHER}

        on_instance(play, settings={"table": "change_request", "write_mark_field": "u_hub_reference"})

    def test_names_where_it_stands_when_no_route_leads_on(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(Draft("change_request", {"short_description": "x"}), MARK)).ref
            with pytest.raises(NoRoute, match="from state -5 to 0; reachable from -5: -4"):
                await connector.update(ref, {"state": "0"}, expected=None, correlation=OTHER)

        on_instance(play, settings={"table": "change_request", "steps": {"-5": ["-4"]}})

    def test_a_business_rule_s_refusal_is_shown_as_it_is(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            instance.sandbox.settings.abort_rules["incident"] = "u_site=paris"
            with pytest.raises(Rejected, match="aborted by Business Rule"):
                await connector.update(ref, {"u_site": "paris"}, expected=None, correlation=OTHER)

        on_instance(play)

    def test_a_value_that_a_rule_puts_back_shows_in_the_receipt(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            receipt = await connector.update(ref, {"urgency": "1"}, expected=None, correlation=OTHER)
            assert receipt.stored == {"urgency": "3"}

        on_instance(play, frozen_fields=("incident.urgency",))

    def test_a_person_s_edit_in_the_gap_is_left_to_be_seen(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            client = connector._client
            patch = client.patch

            async def overtaken(*args: Any, **rest: Any) -> Any:
                await instance.edit(ref.id, urgency="1")
                return await patch(*args, **rest)

            client.patch = overtaken  # type: ignore[method-assign]
            receipt = await connector.update(ref, {"u_site": "paris"}, expected="0", correlation=OTHER)
            assert (receipt.version, (await connector.fetch(ref)).version) == ("1", "2")

        on_instance(play)

    def test_carries_a_mark_where_a_column_is_set_aside_for_it(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            await connector.update(ref, {"u_site": "paris"}, expected=None, correlation=OTHER)
            await instance.edit(ref.id, u_hub_reference="", urgency="1")
            found = await connector.find(OTHER, ref)
            assert found is not None
            assert found.change_ids == ("a-1",)
            changes = await connector.changes(ref, None)
            assert [change.correlation for change in changes] == [OTHER, None]
            assert await connector.find("siam-000000000009", ref) is None

        on_instance(play, settings={"write_mark_field": "u_hub_reference"})
