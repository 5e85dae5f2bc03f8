"""Files: both ways of uploading, their facts, their content, and who may touch them."""

import hashlib
import json

import aiohttp
import pytest

from .rig import INCIDENT, Caller, Reply, on_sandbox

FILES = "/api/now/attachment"
CONTENT = bytes(range(256)) + b"\r\n--\r\n\n\r"


async def upload(caller: Caller, record: str, name: str = "log.txt", content: bytes = CONTENT) -> Reply:
    parameters = {"table_name": "incident", "table_sys_id": record, "file_name": name}
    headers = {"Content-Type": "text/plain"}
    return await caller.send("POST", f"{FILES}/file", headers, params=parameters, data=content)


@on_sandbox()
async def test_a_raw_upload_comes_back_byte_for_byte_with_its_facts(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    made = await upload(caller, row["sys_id"], "protocôle.txt")
    assert made.status == 201
    facts = made.result
    assert (facts["file_name"], facts["content_type"]) == ("protocôle.txt", "text/plain")
    assert facts["size_bytes"] == str(len(CONTENT))
    assert facts["hash"] == hashlib.sha256(CONTENT).hexdigest()
    assert made.headers["Location"] == f"{caller.sandbox.origin}{FILES}/{facts['sys_id']}"
    assert facts["download_link"] == f"{caller.sandbox.origin}{FILES}/{facts['sys_id']}/file"
    read = await caller.send("GET", f"{FILES}/{facts['sys_id']}/file", {"Accept": "*/*"})
    assert (read.body, read.headers["Content-Type"]) == (CONTENT, "text/plain")
    assert json.loads(read.headers["X-Attachment-Metadata"])["hash"] == facts["hash"]


@on_sandbox()
async def test_an_upload_does_not_touch_its_ticket(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    caller.clock.advance(60)
    await upload(caller, row["sys_id"])
    after = await caller.read(row["sys_id"])
    assert (after["sys_updated_on"], after["sys_mod_count"]) == (row["sys_updated_on"], "0")
    since = "table_name=incident^sys_created_on>=2026-11-20 09:16:00"
    assert [entry["file_name"] for entry in (await caller.get(FILES, sysparm_query=since)).result] == ["log.txt"]
    assert [entry["file_name"] for entry in await caller.find(since, "sys_attachment")] == ["log.txt"]


@on_sandbox()
async def test_a_form_upload_takes_the_file_as_its_last_part(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    form = aiohttp.FormData()
    form.add_field("table_name", "incident")
    form.add_field("table_sys_id", row["sys_id"])
    form.add_field("uploadFile", CONTENT, filename="dump.bin", content_type="application/octet-stream")
    made = await caller.send("POST", f"{FILES}/upload", data=form)
    assert (made.status, made.result["file_name"]) == (201, "dump.bin")
    assert made.result["hash"] == hashlib.sha256(CONTENT).hexdigest()


@on_sandbox()
async def test_a_form_with_the_file_first_is_refused(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    form = aiohttp.FormData()
    form.add_field("uploadFile", CONTENT, filename="dump.bin", content_type="application/octet-stream")
    form.add_field("table_name", "incident")
    form.add_field("table_sys_id", row["sys_id"])
    assert (await caller.send("POST", f"{FILES}/upload", data=form)).status == 400


@pytest.mark.parametrize("body", [b"", b"no boundary in here", b"--b\r\nContent-Disposition: form-data\r\n\r\ncut"])
def test_a_broken_form_is_400(body: bytes) -> None:
    @on_sandbox()
    async def story(caller: Caller) -> None:
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        assert (await caller.send("POST", f"{FILES}/upload", headers, data=body)).status == 400

    story()


@on_sandbox()
async def test_an_empty_file_is_kept(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    made = await upload(caller, row["sys_id"], content=b"")
    assert (made.status, made.result["size_bytes"]) == (201, "0")


@on_sandbox()
async def test_a_missing_parameter_or_record_is_refused(caller: Caller) -> None:
    headers = {"Content-Type": "text/plain"}
    nameless = await caller.send("POST", f"{FILES}/file", headers, params={"table_name": "incident"}, data=b"x")
    assert nameless.status == 400
    assert (await upload(caller, "0" * 32)).status == 404


@on_sandbox(attachment_max_bytes=10, attachment_extensions=("txt",))
async def test_size_and_extension_can_be_limited(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    assert (await upload(caller, row["sys_id"])).status == 413
    assert (await upload(caller, row["sys_id"], "tool.exe", b"MZ")).status == 403
    assert (await upload(caller, row["sys_id"], "log.txt", b"fits")).status == 201


@on_sandbox()
async def test_a_file_can_be_renamed_and_removed_and_nothing_else(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    path = f"{FILES}/{(await upload(caller, row['sys_id'])).result['sys_id']}"
    renamed = await caller.send("PATCH", path, json={"file_name": "new.txt", "hash": "forged"})
    assert renamed.result["file_name"] == "new.txt"
    assert renamed.result["hash"] == hashlib.sha256(CONTENT).hexdigest()
    assert (await caller.send("DELETE", path)).status == 204
    assert (await caller.get(path)).status == 404
    assert (await caller.get(f"{path}/file")).status == 404


@on_sandbox(hidden_rows={"incident": "u_site=paris"})
async def test_a_file_is_as_hidden_as_its_ticket(caller: Caller) -> None:
    admin = caller.as_user("admin")
    row = await admin.create(u_site="paris")
    made = await upload(admin, row["sys_id"])
    assert (await caller.get(FILES)).result == []
    assert (await caller.get(f"{FILES}/{made.result['sys_id']}")).status == 404
    assert (await upload(caller, row["sys_id"])).status == 404


@on_sandbox()
async def test_files_go_with_their_deleted_ticket(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    made = await upload(caller, row["sys_id"])
    await caller.as_user("admin").send("DELETE", f"{INCIDENT}/{row['sys_id']}")
    assert (await caller.as_user("admin").get(f"{FILES}/{made.result['sys_id']}")).status == 404
