"""Signing in: tokens, OAuth grants, scopes, roles and acting on behalf of an end user."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

from apps.sandbox.zendesk import seed

from .desk import Desk, Reply, at_desk, basic

CLIENT = {"client_id": seed.OAUTH_CLIENT_ID, "client_secret": seed.OAUTH_CLIENT_SECRET}


async def grant(desk: Desk, **members: Any) -> Reply:
    wanted = {"grant_type": "client_credentials", "scope": "read write", **CLIENT, **members}
    return await desk.send("POST", "/oauth/tokens", wanted, by=None)


async def code(desk: Desk, **members: str) -> str:
    query = {"response_type": "code", "client_id": seed.OAUTH_CLIENT_ID, "redirect_uri": "http://127.0.0.1/back",
             "scope": "read write", "state": "s1", **members}  # fmt: skip
    pairs = "&".join(f"{name}={value}" for name, value in query.items())
    reply = await desk.send("GET", f"/oauth/authorizations/new?{pairs}", by=None)
    assert reply.status == 302
    back = parse_qs(urlsplit(reply.headers["location"]).query)
    assert back["state"] == ["s1"]
    return back["code"][0]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@at_desk
async def test_an_api_token_signs_in(desk: Desk) -> None:
    me = (await desk.get("users/me")).body["user"]
    assert (me["id"], me["role"]) == (seed.SYNC_ID, "admin")


@at_desk
async def test_a_token_of_another_person_is_refused(desk: Desk) -> None:
    reply = await desk.get("tickets", headers={"Authorization": basic(seed.SYNC_EMAIL, seed.AGENT_TOKEN)})
    assert (reply.status, reply.body) == (401, {"error": "Couldn't authenticate you"})


@at_desk
async def test_bad_and_missing_credentials_see_an_anonymous_user_on_the_probe(desk: Desk) -> None:
    for headers in ({}, {"Authorization": basic(seed.SYNC_EMAIL, "wrong")}):
        reply = await desk.get("users/me", by=None, headers=headers)
        assert reply.status == 200
        assert (reply.body["user"]["id"], reply.body["user"]["role"]) == (None, "end-user")


@at_desk
async def test_the_probe_answers_401_where_the_account_does_not_know_anonymous_users(desk: Desk) -> None:
    desk.sandbox.settings.anonymous_me = False
    assert (await desk.get("users/me", by=None)).status == 401


@at_desk
async def test_retired_tokens_stop_working_and_oauth_goes_on(desk: Desk) -> None:
    desk.sandbox.settings.tokens_retired = True
    token = (await grant(desk)).body["access_token"]
    assert (await desk.get("tickets")).status == 401
    assert (await desk.get("tickets", by=None, headers=bearer(token))).status == 200


@at_desk
async def test_client_credentials_act_as_the_sync_admin(desk: Desk) -> None:
    reply = await grant(desk, expires_in=3600)
    assert (reply.status, reply.body["expires_in"], reply.body["token_type"]) == (200, 3600, "bearer")
    me = await desk.get("users/me", by=None, headers=bearer(reply.body["access_token"]))
    assert me.body["user"]["id"] == seed.SYNC_ID


@at_desk
async def test_lifetimes_outside_the_allowed_range_are_refused(desk: Desk) -> None:
    for members in ({"expires_in": 300}, {"expires_in": 172_800}, {"refresh_token_expires_in": 604_800}):
        reply = await grant(desk, **members)
        assert (reply.status, reply.body["error"]) == (400, "invalid_request")


@at_desk
async def test_a_wrong_client_secret_is_refused(desk: Desk) -> None:
    reply = await grant(desk, client_secret="guess")
    assert (reply.status, reply.body["error"]) == (401, "invalid_client")


@at_desk
async def test_an_expired_access_token_is_refused(desk: Desk) -> None:
    token = (await grant(desk, expires_in=600)).body["access_token"]
    await desk.wait(600)
    reply = await desk.get("tickets", by=None, headers=bearer(token))
    assert (reply.status, reply.body["error"]) == (401, "invalid_token")


@at_desk
async def test_a_code_is_exchanged_once_and_refreshing_deletes_the_old_pair(desk: Desk) -> None:
    exchange = {"grant_type": "authorization_code", "code": await code(desk), "redirect_uri": "http://127.0.0.1/back"}
    first = (await grant(desk, **exchange)).body
    again = await grant(desk, **exchange)
    assert (again.status, again.body["error"]) == (400, "invalid_grant")
    second = await grant(desk, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert second.status == 200
    assert (await desk.get("tickets", by=None, headers=bearer(first["access_token"]))).status == 401
    assert (await desk.get("tickets", by=None, headers=bearer(second.body["access_token"]))).status == 200
    reused = await grant(desk, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert reused.body["error"] == "invalid_grant"


@at_desk
async def test_a_code_lives_for_two_minutes(desk: Desk) -> None:
    exchange = {"grant_type": "authorization_code", "code": await code(desk), "redirect_uri": "http://127.0.0.1/back"}
    await desk.wait(120)
    assert (await grant(desk, **exchange)).body["error"] == "invalid_grant"


@at_desk
async def test_a_code_with_a_challenge_needs_its_verifier(desk: Desk) -> None:
    digest = hashlib.sha256(b"my-verifier").digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    exchange = {"grant_type": "authorization_code", "redirect_uri": "http://127.0.0.1/back"}
    challenged = {"code_challenge": challenge, "code_challenge_method": "S256"}
    refused = await grant(desk, **exchange, code=await code(desk, **challenged), code_verifier="other")
    taken = await grant(desk, **exchange, code=await code(desk, **challenged), code_verifier="my-verifier")
    assert (refused.status, taken.status) == (400, 200)


@at_desk
async def test_a_narrow_scope_is_forbidden_elsewhere(desk: Desk) -> None:
    token = (await grant(desk, scope="tickets:read")).body["access_token"]
    assert (await desk.get("tickets", by=None, headers=bearer(token))).status == 200
    for reply in (
        await desk.get("users", by=None, headers=bearer(token)),
        await desk.post("tickets", {"ticket": {"comment": {"body": "x"}}}, by=None, headers=bearer(token)),
    ):
        assert (reply.status, reply.body["error"]) == (403, "Forbidden")


@at_desk
async def test_admin_endpoints_are_forbidden_to_agents_and_tickets_to_end_users(desk: Desk) -> None:
    assert (await desk.get("incremental/tickets/cursor?start_time=1", by="agent")).status == 403
    assert (await desk.get("webhooks", by="agent")).status == 403
    assert (await desk.get("tickets", by="customer")).status == 403


@at_desk
async def test_a_suspended_user_is_forbidden(desk: Desk) -> None:
    await desk.put(f"users/{seed.AGENT_ID}", {"user": {"suspended": True}})
    assert (await desk.get("tickets", by="agent")).status == 403


@at_desk
async def test_an_admin_comments_on_behalf_of_the_customer_only_with_the_impersonate_scope(desk: Desk) -> None:
    ticket = await desk.ticket(requester_id=seed.CUSTOMER_ID)
    path, body = f"requests/{ticket['id']}", {"request": {"comment": {"body": "Still broken"}}}
    for scope, status in (("read write", 403), ("read write impersonate", 200)):
        token = (await grant(desk, scope=scope)).body["access_token"]
        headers = {**bearer(token), "X-On-Behalf-Of": seed.CUSTOMER_EMAIL}
        assert (await desk.put(path, body, by=None, headers=headers)).status == status
    comments = (await desk.get(f"tickets/{ticket['id']}/comments")).body["comments"]
    assert [comment["author_id"] for comment in comments] == [seed.SYNC_ID, seed.CUSTOMER_ID]
