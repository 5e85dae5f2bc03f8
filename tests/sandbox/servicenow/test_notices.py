"""Signed notices to registered targets, sent at most once."""

import base64
import json
from typing import Any

import pytest

from .rig import SECRET, Caller, Listener, on_sandbox, user_id

TARGETS = "x_siam_notice_target"


async def register(caller: Caller, url: str, table: str = "incident") -> dict[str, Any]:
    return await caller.create(TARGETS, url=url, secret=base64.b64encode(SECRET).decode(), table=table)


@on_sandbox()
async def test_a_change_is_signaled_with_a_signature_over_time_and_body(caller: Caller) -> None:
    async with Listener() as listener:
        await register(caller, listener.url)
        row = await caller.create(short_description="VPN")
        caller.clock.advance(60)
        await caller.as_user("john").patch(row["sys_id"], state="2", comments="We are on it")
        created, changed = await listener.all_sent(caller.sandbox)
    assert changed.is_signed_with(SECRET)
    assert not changed.is_signed_with(b"another secret")
    assert changed.headers["X-Siam-Timestamp"] == str(int(caller.clock().timestamp()))
    assert changed.headers["X-Siam-Event-Id"] != created.headers["X-Siam-Event-Id"]
    assert json.loads(created.body)["event"] == "incident.insert"
    assert json.loads(changed.body) == {
        "event": "incident.update",
        "instance": "infinityprojects",
        "table": "incident",
        "sys_id": row["sys_id"],
        "number": "INC0010001",
        "sys_mod_count": 1,
        "sys_updated_on": "2026-11-20 09:16:02",
        "sys_updated_by": "john",
        "changed": ["state", "incident_state", "comments"],
        "operation": "update",
    }


@on_sandbox()
async def test_only_the_followed_table_and_those_that_extend_it_are_signaled(caller: Caller) -> None:
    async with Listener() as tasks, Listener() as problems:
        await register(caller, tasks.url, "task")
        await register(caller, problems.url, "problem")
        await caller.create(short_description="VPN")
        await tasks.all_sent(caller.sandbox)
    assert [json.loads(notice.body)["table"] for notice in tasks.received] == ["incident"]
    assert problems.received == []


@on_sandbox()
async def test_a_refused_write_and_an_equal_write_signal_nothing(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    async with Listener() as listener:
        await register(caller, listener.url)
        await caller.patch(row["sys_id"], state="6")
        await caller.patch(row["sys_id"], short_description="VPN")
        assert await listener.all_sent(caller.sandbox) == []


@on_sandbox()
async def test_a_failed_notice_is_not_repeated(caller: Caller) -> None:
    async with Listener(status=503) as listener:
        await register(caller, listener.url)
        await caller.create(short_description="VPN")
        assert len(await listener.all_sent(caller.sandbox)) == 1


@on_sandbox()
async def test_a_target_that_cannot_be_reached_does_not_disturb_the_write(caller: Caller) -> None:
    async with Listener() as listener:
        closed = listener.url
    await register(caller, closed)
    assert (await caller.create(short_description="VPN"))["number"] == "INC0010001"


@pytest.mark.parametrize(("kind", "copies"), [("notice_duplicated", 2), ("notice_lost", 0)])
def test_a_notice_can_come_twice_or_not_at_all(kind: str, copies: int) -> None:
    @on_sandbox()
    async def story(caller: Caller) -> None:
        async with Listener() as listener:
            await register(caller, listener.url)
            caller.sandbox.faults.add(kind=kind, times=1)
            await caller.create(short_description="VPN")
            received = await listener.all_sent(caller.sandbox)
        assert len(received) == copies
        assert len({notice.headers["X-Siam-Event-Id"] for notice in received}) == min(copies, 1)

    story()


@on_sandbox(notices_skip_user="siam.sync")
async def test_the_rule_can_leave_out_the_accounts_own_writes(caller: Caller) -> None:
    async with Listener() as listener:
        await register(caller, listener.url)
        row = await caller.create(short_description="VPN")
        await caller.as_user("john").patch(row["sys_id"], urgency="1")
        received = await listener.all_sent(caller.sandbox)
    assert [json.loads(notice.body)["sys_updated_by"] for notice in received] == ["john"]


@on_sandbox()
async def test_a_target_is_switched_off_and_removed_by_its_record(caller: Caller) -> None:
    async with Listener() as listener:
        target = await register(caller, listener.url)
        await caller.patch(target["sys_id"], TARGETS, active=False)
        await caller.create(short_description="VPN")
        assert (await caller.send("DELETE", f"/api/now/v2/table/{TARGETS}/{target['sys_id']}")).status == 204
        assert await listener.all_sent(caller.sandbox) == []


@on_sandbox()
async def test_the_secret_is_never_read_back_and_registering_needs_a_role(caller: Caller) -> None:
    target = await register(caller, "http://127.0.0.1:9/notices")
    assert "secret" not in target
    assert "secret" not in await caller.read(target["sys_id"], TARGETS)
    refused = await caller.as_user("john").send("POST", f"/api/now/v2/table/{TARGETS}", json={"url": "http://x"})
    assert refused.status == 403


@pytest.mark.parametrize("target", [{"url": "ftp://x", "secret": "c2VjcmV0"}, {"url": "http://x", "secret": "%%"}])
def test_a_target_without_a_web_address_or_a_base64_secret_is_refused(target: dict[str, str]) -> None:
    @on_sandbox()
    async def story(caller: Caller) -> None:
        refused = await caller.send("POST", f"/api/now/v2/table/{TARGETS}", json={**target, "table": "incident"})
        assert (refused.status, "aborted by Business Rule" in refused.detail) == (403, True)

    story()


@on_sandbox()
async def test_files_have_a_table_that_can_be_followed_too(caller: Caller) -> None:
    row = await caller.create(short_description="VPN", caller_id=user_id("john"))
    async with Listener() as listener:
        await register(caller, listener.url, "sys_attachment")
        parameters = {"table_name": "incident", "table_sys_id": row["sys_id"], "file_name": "log.txt"}
        headers = {"Content-Type": "text/plain"}
        await caller.send("POST", "/api/now/attachment/file", headers, params=parameters, data=b"line")
        received = await listener.all_sent(caller.sandbox)
    assert [json.loads(notice.body)["event"] for notice in received] == ["sys_attachment.insert"]
