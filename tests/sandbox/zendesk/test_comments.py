"""Comments and attachments: text forms, visibility, redaction, uploads, downloads."""

from typing import Any

import aiohttp

from apps.sandbox.zendesk import seed
from apps.sandbox.zendesk.texts import REDACTED

from .desk import Desk, at_desk

Json = dict[str, Any]


async def comments(desk: Desk, ticket_id: int, query: str = "") -> list[Json]:
    found: list[Json] = (await desk.get(f"tickets/{ticket_id}/comments{query}")).body["comments"]
    return found


async def upload(desk: Desk, content: bytes, name: str = "log.txt", query: str = "") -> Json:
    reply = await desk.post(f"uploads?filename={name}{query}", content, headers={"Content-Type": "text/plain"})
    assert reply.status == 201, reply.body
    held: Json = reply.body["upload"]
    return held


@at_desk
async def test_html_is_sanitised_and_wrapped(desk: Desk) -> None:
    markup = "<p>Hi <b>all</b></p><script>alert(1)</script><a href='javascript:x()'>link</a>"
    ticket = await desk.ticket(comment={"html_body": markup, "public": True})
    [comment] = await comments(desk, ticket["id"])
    assert comment["html_body"].startswith('<div class="zd-comment" dir="auto"><p>Hi <b>all</b></p>')
    assert "script" not in comment["html_body"]
    assert comment["plain_body"] == "Hi all\n\nlink"
    assert "**all**" in comment["body"]


@at_desk
async def test_markdown_of_agents_is_rendered_and_that_of_end_users_is_not(desk: Desk) -> None:
    ticket = await desk.ticket(comment={"body": "**bold**   and <i>tags</i>", "public": True})
    await desk.changed(ticket["id"], comment={"body": "**plain**", "author_id": seed.CUSTOMER_ID, "public": True})
    first, second = await comments(desk, ticket["id"])
    assert "<strong>bold</strong> and tags" in first["html_body"]
    assert "<p>**plain**</p>" in second["html_body"]


@at_desk
async def test_placeholders_are_expanded_unknown_ones_vanish_and_escaped_ones_stay(desk: Desk) -> None:
    body = r"No {{ticket.id}}, {{ticket.nothing}}x, \{{raw}}"
    ticket = await desk.ticket(comment={"body": body, "public": True})
    await desk.changed(ticket["id"], comment={"html_body": "<code>{{ticket.id}}</code> {{ticket.id}}", "public": True})
    first, second = await comments(desk, ticket["id"])
    assert first["plain_body"] == f"No {ticket['id']}, x, {{{{raw}}}}"
    assert second["plain_body"] == f"{{{{ticket.id}}}} {ticket['id']}"


@at_desk
async def test_text_beyond_64_kilobytes_is_cut_without_an_error(desk: Desk) -> None:
    ticket = await desk.ticket(comment={"body": "ä" * 40_000, "public": True})
    [comment] = await comments(desk, ticket["id"])
    assert comment["plain_body"] == "ä" * 32_768


@at_desk
async def test_a_ticket_takes_only_so_many_comments(desk: Desk) -> None:
    desk.sandbox.settings.comments_per_ticket = 2
    ticket = await desk.ticket()
    await desk.changed(ticket["id"], comment={"body": "two", "public": False})
    assert (await desk.change(ticket["id"], comment={"body": "three", "public": False})).status == 422


@at_desk
async def test_a_private_first_comment_hides_the_ticket_until_a_public_one(desk: Desk) -> None:
    ticket = await desk.ticket(requester_id=seed.CUSTOMER_ID, comment={"body": "internal", "public": False})
    assert ticket["is_public"] is False
    assert (await desk.get(f"requests/{ticket['id']}", by="customer")).status == 404
    await desk.changed(ticket["id"], comment={"body": "still internal"})
    assert (await comments(desk, ticket["id"]))[1]["public"] is False
    assert (await desk.changed(ticket["id"], comment={"body": "Hello", "public": True}))["is_public"] is True
    shown = (await desk.get(f"requests/{ticket['id']}/comments", by="customer")).body["comments"]
    assert [comment["plain_body"] for comment in shown] == ["Hello"]


@at_desk
async def test_the_requesters_comment_reopens_a_solved_ticket(desk: Desk) -> None:
    ticket = await desk.ticket(requester_id=seed.CUSTOMER_ID, assignee_id=seed.AGENT_ID)
    await desk.changed(ticket["id"], status="solved")
    late = {"body": "Not fixed", "public": True, "author_id": seed.CUSTOMER_ID}
    assert (await desk.changed(ticket["id"], comment=late))["status"] == "open"
    audit = (await desk.get(f"tickets/{ticket['id']}/audits")).body["audits"][-1]
    assert audit["author_id"] == seed.SYNC_ID
    assert audit["events"][0]["author_id"] == seed.CUSTOMER_ID


@at_desk
async def test_metadata_of_the_write_is_read_back_with_the_comment(desk: Desk) -> None:
    ticket = await desk.ticket()
    await desk.changed(ticket["id"], comment={"body": "x", "public": False}, metadata={"acme_op": "9a31"})
    newest = (await comments(desk, ticket["id"], "?sort=-created_at&page[size]=1"))[0]
    assert newest["metadata"]["custom"] == {"acme_op": "9a31"}


@at_desk
async def test_a_comment_is_made_private_for_good_and_the_audits_tell(desk: Desk) -> None:
    ticket = await desk.ticket()
    [comment] = await comments(desk, ticket["id"])
    assert (await desk.put(f"tickets/{ticket['id']}/comments/{comment['id']}/make_private")).status == 200
    assert (await comments(desk, ticket["id"]))[0]["public"] is False
    events = (await desk.get(f"tickets/{ticket['id']}/audits")).body["audits"][-1]["events"]
    assert (events[0]["type"], events[0]["comment_id"]) == ("CommentPrivacyChange", comment["id"])


@at_desk
async def test_redacted_text_is_gone_from_every_form(desk: Desk) -> None:
    ticket = await desk.ticket(comment={"html_body": "<p>Card <b>4711</b></p>", "public": True})
    [comment] = await comments(desk, ticket["id"])
    path = f"tickets/{ticket['id']}/comments/{comment['id']}/redact"
    assert (await desk.put(path, {"text": "absent"})).status == 422
    redacted = (await desk.put(path, {"text": "4711"})).body["comment"]
    assert redacted["plain_body"] == f"Card {REDACTED * 4}"
    everything = str((await desk.get(f"tickets/{ticket['id']}/audits")).body) + str(await comments(desk, ticket["id"]))
    assert "4711" not in everything


@at_desk
async def test_an_upload_becomes_an_attachment_of_the_comment_and_is_read_back(desk: Desk) -> None:
    content = bytes(range(256)) * 10
    held = await upload(desk, content, "crash ä.log")
    comment = {"body": "Log", "public": True, "uploads": [held["token"]]}
    ticket = await desk.ticket(comment=comment)
    [attachment] = (await comments(desk, ticket["id"]))[0]["attachments"]
    assert (attachment["file_name"], attachment["size"]) == ("crash ä.log", 2560)
    assert attachment["content_url"].startswith(f"{desk.sandbox.origin}/attachments/token/")
    read = await desk.send("GET", attachment["content_url"], by=None)
    assert (read.status, read.body) == (200, content)
    truth = desk.truth(ticket["id"])
    assert [entry["field"] for entry in truth["log"]] == ["comment", "attachment"]
    assert truth["attachments"][0]["size"] == 2560


@at_desk
async def test_a_token_collects_several_files_and_is_used_up_by_its_comment(desk: Desk) -> None:
    held = await upload(desk, b"one")
    both = await upload(desk, b"two", "b.txt", f"&token={held['token']}")
    assert [item["file_name"] for item in both["attachments"]] == ["log.txt", "b.txt"]
    ticket = await desk.ticket(comment={"body": "Both", "uploads": [held["token"]]})
    again = await desk.change(ticket["id"], comment={"body": "Again", "uploads": [held["token"]]})
    assert again.status == 422


@at_desk
async def test_an_upload_token_ends_after_an_hour_and_needs_a_text(desk: Desk) -> None:
    ticket = await desk.ticket()
    held = await upload(desk, b"x")
    assert (await desk.change(ticket["id"], comment={"uploads": [held["token"]]})).status == 422
    await desk.wait(3_600)
    assert (await desk.change(ticket["id"], comment={"body": "Log", "uploads": [held["token"]]})).status == 422
    assert (await desk.get(f"attachments/{held['attachment']['id']}")).status == 404


@at_desk
async def test_files_too_big_or_of_refused_types_are_not_taken(desk: Desk) -> None:
    desk.sandbox.settings.attachment_bytes, desk.sandbox.settings.refused_extensions = 3, ["exe"]
    headers = {"Content-Type": "application/octet-stream"}
    assert (await desk.post("uploads?filename=a.txt", b"four", headers=headers)).status == 413
    assert (await desk.post("uploads?filename=a.exe", b"x", headers=headers)).status == 422
    assert (await desk.post("uploads", b"x", headers=headers)).status == 400


@at_desk
async def test_inline_images_are_listed_only_on_request(desk: Desk) -> None:
    held = await upload(desk, b"\x89PNG", "shot.png")
    markup = f"<p>See <img src='{held['attachment']['content_url']}'></p>"
    ticket = await desk.ticket(comment={"html_body": markup, "uploads": [held["token"]]})
    assert (await comments(desk, ticket["id"]))[0]["attachments"] == []
    shown = (await comments(desk, ticket["id"], "?include_inline_images=true"))[0]["attachments"]
    assert [item["inline"] for item in shown] == [True]


@at_desk
async def test_malware_is_marked_and_not_handed_out(desk: Desk) -> None:
    marked = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE" + b"!$H+H*"
    held = await upload(desk, marked, "eicar.com")
    assert held["attachment"]["malware_scan_result"] == "malware_found"
    assert (await desk.send("GET", held["attachment"]["content_url"])).status == 403


@at_desk
async def test_private_attachments_need_signing_in_and_the_storage_host_takes_no_credentials(desk: Desk) -> None:
    desk.sandbox.settings.private_attachments = desk.sandbox.settings.redirected_attachments = True
    address = (await upload(desk, b"secret"))["attachment"]["content_url"]
    assert (await desk.send("GET", address, by=None)).status == 401
    hop = await desk.send("GET", address)
    assert (hop.status, hop.headers["location"].startswith("http://localhost:")) == (302, True)
    stored = hop.headers["location"].replace("localhost", "127.0.0.1")
    assert (await desk.send("GET", stored)).status == 400
    async with aiohttp.ClientSession() as stranger, stranger.get(stored) as answer:
        assert await answer.read() == b"secret"


@at_desk
async def test_a_redacted_attachment_is_replaced(desk: Desk) -> None:
    held = await upload(desk, b"secret")
    ticket = await desk.ticket(comment={"body": "Log", "uploads": [held["token"]]})
    [comment] = await comments(desk, ticket["id"])
    path = f"tickets/{ticket['id']}/comments/{comment['id']}/attachments/{held['attachment']['id']}/redact"
    assert (await desk.put(path)).body["attachment"]["file_name"] == "redacted.txt"
    assert (await desk.send("GET", held["attachment"]["content_url"])).body == b""
