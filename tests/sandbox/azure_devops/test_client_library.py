"""The vendor's own Python client, as it comes, works against the sandbox."""

import asyncio
import io
from typing import Any

import pytest
from azure.devops.connection import Connection
from azure.devops.exceptions import AzureDevOpsServiceError
from azure.devops.v7_1.service_hooks.models import Subscription
from azure.devops.v7_1.work_item_tracking.models import CommentCreate, JsonPatchOperation, Wiql
from msrest.authentication import BasicAuthentication

from apps.sandbox.azure_devops.seed import MARCO_PAT, SYNC_PAT

from .desk import TITLE, Desk, play
from .test_hooks import order


def connect(desk: Desk, token: str = SYNC_PAT) -> Any:
    return Connection(base_url=desk.base, creds=BasicAuthentication("", token)).clients_v7_1


def op(path: str, value: Any, kind: str = "add") -> JsonPatchOperation:
    return JsonPatchOperation(op=kind, path=path, value=value)


def work_through(tracking: Any) -> int:
    made = tracking.create_work_item([op("/fields/System.Title", "VPN drops")], project="Shop", type="User Story")
    changed = tracking.update_work_item(
        [op("/rev", made.rev, "test"), op("/fields/System.State", "Active"), op("/fields/System.Tags", "sync-1")],
        made.id,
    )
    assert (changed.rev, changed.fields["System.State"]) == (2, "Active")
    comment = tracking.add_comment(CommentCreate(text="We are on it"), "Shop", made.id)
    assert comment.text == "We are on it"
    assert tracking.get_comments("Shop", made.id).total_count == 1
    file = tracking.create_attachment(io.BytesIO(b"hello"), project="Shop", file_name="log.txt")
    relation = {"rel": "AttachedFile", "url": file.url, "attributes": {"comment": "log"}}
    assert tracking.update_work_item([op("/relations/-", relation)], made.id).rev == 4
    assert b"".join(tracking.get_attachment_content(file.id)) == b"hello"
    whole = tracking.get_work_item(made.id, expand="All")
    assert whole.relations[0].attributes["resourceSize"] == 5
    return int(made.id)


def test_it_creates_reads_updates_comments_and_attaches() -> None:
    async def scenario(desk: Desk) -> None:
        number = await asyncio.to_thread(lambda: work_through(connect(desk).get_work_item_tracking_client()))
        truth = desk.truth(number)
        assert (truth["type"], truth["fields"][TITLE]) == ("User Story", "VPN drops")
        assert [one["text"] for one in truth["comments"]] == ["We are on it"]
        assert [one["name"] for one in truth["attachments"]] == ["log.txt"]

    play(scenario)


def test_it_queries_and_follows_the_history() -> None:
    def use(tracking: Any) -> None:
        number = work_through(tracking)
        query = Wiql(query="SELECT [System.Id] FROM WorkItems WHERE [System.Tags] CONTAINS 'sync-1'")
        assert [one.id for one in tracking.query_by_wiql(query, top=5).work_items] == [number]
        assert tracking.read_reporting_revisions_get(project="Shop", include_identity_ref=True) is not None
        updates = tracking.get_updates(number)
        assert updates[1].fields["System.State"].new_value == "Active"
        types = tracking.get_work_item_types("Shop")
        assert next(one for one in types if one.name == "Bug").transitions["New"][0].to == "Active"
        assert {one.name for one in tracking.get_root_nodes("Shop", depth=2)} == {"Shop"}
        tracking.delete_work_item(number)
        assert tracking.get_deleted_work_item(number).name == "VPN drops"

    async def scenario(desk: Desk) -> None:
        await asyncio.to_thread(lambda: use(connect(desk).get_work_item_tracking_client()))

    play(scenario)


def test_it_understands_refusals_and_conflicts() -> None:
    def use(tracking: Any) -> None:
        tracking.create_work_item([op("/fields/System.Title", "VPN")], project="Shop", type="Bug")
        with pytest.raises(AzureDevOpsServiceError, match="VS403351"):
            tracking.update_work_item([op("/rev", 9, "test"), op("/fields/System.Title", "x")], 1)
        with pytest.raises(AzureDevOpsServiceError, match="TF401232"):
            tracking.get_work_item(99)
        with pytest.raises(AzureDevOpsServiceError, match="TF401320"):
            tracking.update_work_item([op("/fields/Custom.Site", "rome")], 1)

    async def scenario(desk: Desk) -> None:
        await asyncio.to_thread(lambda: use(connect(desk).get_work_item_tracking_client()))

    play(scenario)


def test_it_finds_projects_people_and_hooks() -> None:
    def use(clients: Any, url: str) -> None:
        assert [one.name for one in clients.get_core_client().get_projects()] == ["Shop", "Warehouse"]
        found = clients.get_identity_client().read_identities(search_filter="General", filter_value="Marco")
        assert found[0].provider_display_name == "Marco"
        assert len(clients.get_graph_client().list_users().graph_users) == 3
        assert clients.get_location_client().get_connection_data().authenticated_user.provider_display_name == "Marco"
        wanted = order(url)
        made = clients.get_service_hooks_client().create_subscription(
            Subscription(
                publisher_id=wanted["publisherId"],
                event_type=wanted["eventType"],
                consumer_id=wanted["consumerId"],
                consumer_action_id=wanted["consumerActionId"],
                publisher_inputs=wanted["publisherInputs"],
                consumer_inputs=wanted["consumerInputs"],
            )
        )
        assert made.status == "enabled"

    async def scenario(desk: Desk) -> None:
        await asyncio.to_thread(lambda: use(connect(desk, MARCO_PAT), "http://127.0.0.1:9/hook"))

    play(scenario)


def test_it_works_against_a_server_too() -> None:
    async def scenario(desk: Desk) -> None:
        number = await asyncio.to_thread(lambda: work_through(connect(desk).get_work_item_tracking_client()))
        assert number == 1

    play(scenario, flavor="server", latest_version="7.1")
