"""Files: the upload's rules, the limits, and the way to the bytes."""

import hashlib

import aiohttp

from .site import NOBODY, JiraSite, play

TOKEN = {"X-Atlassian-Token": "no-check"}


def form(*files: tuple[str, bytes], name: str = "file") -> aiohttp.FormData:
    # The default of FormData writes a name as percent codes, and the vendor keeps them as they come.
    data = aiohttp.FormData(quote_fields=False)
    for filename, content in files:
        data.add_field(name, content, filename=filename, content_type="application/octet-stream")
    return data


def test_a_file_comes_back_byte_for_byte_by_way_of_a_signed_address():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        content = bytes(range(256)) + b"\r\n--x\r\n" + b"\n\r"
        made = await jira("POST", f"/issue/{key}/attachments", data=form(("Prüfung €.bin", content)), headers=TOKEN)
        assert made.status == 200
        entry = made.body[0]
        assert (entry["filename"], entry["size"]) == ("Prüfung €.bin", len(content))
        away = await jira("GET", entry["content"].removeprefix(jira.sandbox.origin))
        assert away.status == 303
        media = away.headers["Location"].removeprefix(jira.sandbox.origin)
        assert (await jira("GET", media, who=NOBODY)).raw == content
        digest = hashlib.sha256(content).hexdigest()
        assert jira.ticket(key)["attachments"][0]["sha256"] == digest
        assert jira.ticket(key)["log"][-1]["to"] == entry["id"]

    play(story)


def test_a_signed_address_lapses_and_cannot_be_bent():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        made = (
            await jira("POST", f"/issue/{key}/attachments", data=form(("a.txt", b"a"), ("b.txt", b"b")), headers=TOKEN)
        ).body
        away = await jira("GET", f"/attachment/content/{made[0]['id']}")
        media = away.headers["Location"].removeprefix(jira.sandbox.origin)
        assert (await jira("GET", media.replace(made[0]["id"], made[1]["id"]), who=NOBODY)).status == 403
        assert (await jira("GET", media, who=NOBODY)).status == 200
        jira.wait(600)
        assert (await jira("GET", media, who=NOBODY)).status == 403

    play(story)


def test_the_bytes_are_streamed_in_ranges_without_a_redirect():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        made = (
            await jira("POST", f"/issue/{key}/attachments", data=form(("a.txt", b"0123456789")), headers=TOKEN)
        ).body
        path = f"/attachment/content/{made[0]['id']}?redirect=false"
        assert (await jira("GET", path)).raw == b"0123456789"
        part = await jira("GET", path, headers={"Range": "bytes=2-4"})
        assert (part.status, part.raw, part.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
        assert (await jira("GET", path, headers={"Range": "bytes=20-"})).status == 416

    play(story)


def test_an_upload_without_the_token_header_is_refused_in_plain_text():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        answer = await jira("POST", f"/issue/{key}/attachments", data=form(("a.txt", b"a")))
        assert (answer.status, answer.body, answer.raw) == (403, None, b"XSRF check failed")
        assert jira.ticket(key)["attachments"] == []

    play(story)


def test_uploads_over_a_limit_or_under_another_name_are_refused_whole():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        path = f"/issue/{key}/attachments"
        cases = [
            (form(("a.txt", b"a"), ("big", b"x" * 11)), 413),
            (form(*[(f"{n}.txt", b"a") for n in range(61)]), 413),
            (form(*[(f"{n}.txt", b"a") for n in range(4)]), 413),
            (form(("a.txt", b"a"), name="attachment"), 400),
        ]
        for data, status in cases:
            assert (await jira("POST", path, data=data, headers=TOKEN)).status == status
        assert (await jira("POST", path, {"file": "a"}, headers=TOKEN)).status == 415
        assert jira.ticket(key)["attachments"] == []
        assert (await jira("GET", "/attachment/meta")).body == {"enabled": True, "uploadLimit": 10}

    play(story, upload_limit=10, attachment_limit=3)


def test_a_deleted_file_is_gone_and_the_change_log_knows_both():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        made = (await jira("POST", f"/issue/{key}/attachments", data=form(("a.txt", b"a")), headers=TOKEN)).body[0]
        assert (await jira("DELETE", f"/attachment/{made['id']}")).status == 204
        assert (await jira("GET", f"/attachment/{made['id']}")).status == 404
        items = [each["items"][0] for each in (await jira("GET", f"/issue/{key}/changelog")).body["values"]]
        assert [(item["from"], item["to"]) for item in items] == [(None, made["id"]), (made["id"], None)]

    play(story)
