"""Background jobs: bulk writes, merges, imports."""

from apps.sandbox.zendesk import seed

from .desk import Desk, at_desk


@at_desk
async def test_a_bulk_update_is_queued_and_reports_each_ticket(desk: Desk) -> None:
    first, closed = await desk.ticket(), await desk.closed()
    ids = f"{first['id']},{closed['id']},999999"
    reply = await desk.put(f"tickets/update_many?ids={ids}", {"ticket": {"priority": "high"}})
    queued = reply.body["job_status"]
    assert (queued["status"], queued["total"], queued["results"]) == ("queued", 3, None)
    results = (await desk.job(reply))["results"]
    assert [entry["success"] for entry in results] == [True, False, False]
    assert results[1]["details"] == "Status closed prevents ticket update"
    assert (await desk.get(f"tickets/{first['id']}")).body["ticket"]["priority"] == "high"


@at_desk
async def test_a_batch_changes_each_ticket_its_own_way(desk: Desk) -> None:
    one, two = await desk.ticket(), await desk.ticket(tags=["a", "b"])
    batch = {"tickets": [{"id": one["id"], "status": "open"}, {"id": two["id"], "remove_tags": ["a"]}]}
    await desk.job(await desk.put("tickets/update_many", batch))
    assert (await desk.get(f"tickets/{one['id']}")).body["ticket"]["status"] == "open"
    assert (await desk.get(f"tickets/{two['id']}")).body["ticket"]["tags"] == ["b"]


@at_desk
async def test_a_job_conflicts_with_a_change_made_after_it_was_queued(desk: Desk) -> None:
    desk.sandbox.settings.job_seconds = 0.1
    ticket = await desk.ticket()
    queued = await desk.put(f"tickets/update_many?ids={ticket['id']}", {"ticket": {"priority": "high"}})
    await desk.wait(1)
    await desk.changed(ticket["id"], priority="low")
    [result] = (await desk.job(queued))["results"]
    assert (result["success"], result["error"]) == (False, "UpdateConflict")


@at_desk
async def test_a_bulk_creation_makes_every_ticket_and_takes_at_most_a_hundred(desk: Desk) -> None:
    entries = [{"subject": f"No {number}", "comment": {"body": "x"}} for number in range(3)]
    job = await desk.job(await desk.post("tickets/create_many", {"tickets": entries}))
    assert (job["status"], [entry["index"] for entry in job["results"]]) == ("completed", [0, 1, 2])
    assert (await desk.get("tickets/count")).body["count"]["value"] == 3
    assert (await desk.post("tickets/create_many", {"tickets": entries * 34})).status == 400


@at_desk
async def test_too_many_waiting_jobs_are_refused(desk: Desk) -> None:
    desk.sandbox.settings.jobs_at_once, desk.sandbox.settings.job_seconds = 1, 30
    body = {"tickets": [{"comment": {"body": "x"}}]}
    assert (await desk.post("tickets/create_many", body)).status == 200
    reply = await desk.post("tickets/create_many", body)
    assert (reply.status, reply.body["error"]) == (429, "TooManyJobs")


@at_desk
async def test_an_asynchronous_creation_gives_an_id_that_is_missing_until_the_job_ends(desk: Desk) -> None:
    reply = await desk.post("tickets?async=true", {"ticket": {"comment": {"body": "x"}}})
    number = reply.body["ticket"]["id"]
    assert reply.status == 202
    assert number not in desk.sandbox.account.tickets
    reply.status = 200
    await desk.job(reply)
    assert (await desk.get(f"tickets/{number}")).status == 200


@at_desk
async def test_merged_sources_are_closed_and_name_their_target(desk: Desk) -> None:
    target, source = await desk.ticket(), await desk.ticket(requester_id=seed.CUSTOMER_ID)
    body = {"ids": [source["id"]], "target_comment": "Combined", "source_comment": "See #{target}"}
    assert (await desk.job(await desk.post(f"tickets/{target['id']}/merge", body)))["status"] == "completed"
    merged = (await desk.get(f"tickets/{source['id']}")).body["ticket"]
    assert (merged["status"], merged["tags"]) == ("closed", ["closed_by_merge"])
    truth = desk.truth(source["id"])
    assert (truth["comments"][-1]["text"], truth["comments"][-1]["public"]) == (f"See #{target['id']}", False)
    audit = (await desk.get(f"tickets/{source['id']}/audits")).body["audits"][-1]
    assert audit["via"]["channel"] == "merge"
    assert desk.truth(target["id"])["comments"][-1]["text"] == "Combined"
    assert (await desk.post(f"tickets/{target['id']}/merge", {"ids": [source["id"]]})).status == 422


@at_desk
async def test_an_import_keeps_times_and_authors_of_its_comments(desk: Desk) -> None:
    imported = {
        "subject": "Old",
        "created_at": "2026-01-05T08:00:00Z",
        "status": "closed",
        "comments": [
            {"value": "First", "author_id": seed.CUSTOMER_ID, "created_at": "2026-01-05T08:00:00Z"},
            {"value": "Second", "author_id": seed.AGENT_ID, "created_at": "2026-01-06T08:00:00Z"},
        ],
    }
    reply = await desk.post("imports/tickets", {"ticket": imported})
    assert (reply.status, reply.body["ticket"]["created_at"]) == (201, "2026-01-05T08:00:00Z")
    truth = desk.truth(reply.body["ticket"]["id"])
    assert truth["fields"]["status"] == "closed"
    assert [(item["author"], item["at"]) for item in truth["comments"]] == [
        ("Shop Customer", "2026-01-05T08:00:00Z"),
        ("Mercuri Agent", "2026-01-06T08:00:00Z"),
    ]
