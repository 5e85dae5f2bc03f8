"""The Batch and the Aggregate API."""

import base64
import json
from typing import Any

from .rig import INCIDENT, Caller, Reply, on_sandbox

HEADERS = [{"name": "Content-Type", "value": "application/json"}, {"name": "Accept", "value": "application/json"}]


def item(number: str, method: str, url: str, body: Any = None, **more: Any) -> dict[str, Any]:
    made = {"id": number, "method": method, "url": url, "headers": HEADERS, **more}
    return made if body is None else made | {"body": base64.b64encode(json.dumps(body).encode()).decode()}


async def run_batch(caller: Caller, *items: dict[str, Any]) -> Reply:
    return await caller.send("POST", "/api/now/v1/batch", json={"batch_request_id": 7, "rest_requests": list(items)})


def content(served: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(served["body"]))


@on_sandbox()
async def test_a_batch_is_200_while_its_items_have_their_own_status(caller: Caller) -> None:
    answer = await run_batch(
        caller,
        item("1", "POST", INCIDENT, {"short_description": "made in a batch"}),
        item("2", "GET", f"{INCIDENT}?sysparm_query=short_description%3Dmade%20in%20a%20batch&sysparm_fields=number"),
        item("3", "GET", f"{INCIDENT}/{'0' * 32}", exclude_response_headers=True),
    )
    assert (answer.status, answer.content["batch_request_id"]) == (200, "7")
    created, found, missing = answer.content["serviced_requests"]
    assert [served["status_code"] for served in (created, found, missing)] == [201, 200, 404]
    assert content(found) == {"result": [{"number": "INC0010001"}]}
    assert (missing["error_message"], "headers" in missing) == ("No Record found", False)
    assert "Location" in {header["name"] for header in created["headers"]}
    assert answer.content["unserviced_requests"] == []


@on_sandbox(batch_capacity=1)
async def test_items_for_which_the_time_did_not_suffice_are_listed_and_not_done(caller: Caller) -> None:
    answer = await run_batch(caller, item("1", "POST", INCIDENT, {}), item("2", "POST", INCIDENT, {}))
    assert answer.content["unserviced_requests"] == ["2"]
    assert len(await caller.find("")) == 1


@on_sandbox()
async def test_an_item_that_leaves_the_instance_or_is_broken_fails_alone(caller: Caller) -> None:
    answer = await run_batch(
        caller,
        item("1", "GET", "https://elsewhere.example/api/now/table/incident"),
        item("2", "POST", "/api/now/v1/batch", {"rest_requests": []}),
        {"id": "3", "method": "POST", "url": INCIDENT, "headers": HEADERS, "body": "not base64!"},
        item("4", "GET", INCIDENT),
    )
    assert [served["status_code"] for served in answer.content["serviced_requests"]] == [400, 400, 400, 200]


@on_sandbox()
async def test_a_batch_without_requests_is_400(caller: Caller) -> None:
    assert (await caller.send("POST", "/api/now/v1/batch", json={"batch_request_id": "1"})).status == 400


@on_sandbox()
async def test_records_are_counted_and_grouped(caller: Caller) -> None:
    for impact in ("1", "1", "3"):
        await caller.create(impact=impact, u_site="berlin")
    path = "/api/now/stats/incident"
    counted = await caller.get(path, sysparm_count="true", sysparm_query="u_site=berlin")
    assert counted.content == {"result": {"stats": {"count": "3"}}}
    grouped = await caller.get(path, sysparm_count="true", sysparm_group_by="impact", sysparm_avg_fields="urgency")
    assert grouped.result == [
        {"stats": {"count": "2", "avg": {"urgency": "3"}}, "groupby_fields": [{"field": "impact", "value": "1"}]},
        {"stats": {"count": "1", "avg": {"urgency": "3"}}, "groupby_fields": [{"field": "impact", "value": "3"}]},
    ]


@on_sandbox(disabled_apis=("batch", "stats"))
async def test_an_interface_can_be_switched_off(caller: Caller) -> None:
    assert (await run_batch(caller, item("1", "GET", INCIDENT))).status == 403
    assert (await caller.get("/api/now/stats/incident")).status == 403
    assert (await caller.get(INCIDENT)).status == 200
