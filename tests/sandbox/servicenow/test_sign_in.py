"""Passwords, tokens, keys and cookies, and the 401 for everything else."""

import json

from apps.sandbox.servicenow.seed import CLIENT_ID, CLIENT_SECRET, MFA_CODE, SYNC_API_KEY, SYNC_PASSWORD, SYNC_USER

from .rig import INCIDENT, Caller, Reply, basic, on_sandbox, user_id

PASSWORD_GRANT = {
    "grant_type": "password",
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
    "username": SYNC_USER,
    "password": SYNC_PASSWORD,
}


async def grant(caller: Caller, **form: str) -> Reply:
    return await caller.send("POST", "/oauth_token.do", data=form)


async def bearer(caller: Caller, token: str) -> Reply:
    return await caller.send("GET", INCIDENT, {"Authorization": f"Bearer {token}"})


@on_sandbox()
async def test_a_wrong_password_is_told_in_the_vendors_words(caller: Caller) -> None:
    refused = await caller.send("GET", INCIDENT, basic(SYNC_USER, "guess"))
    assert refused.status == 401
    assert refused.content == {
        "error": {"message": "User Not Authenticated", "detail": "Required to provide Auth information"},
        "status": "failure",
    }
    assert refused.headers["WWW-Authenticate"] == 'BASIC realm="Service-now"'


@on_sandbox()
async def test_the_probe_finds_the_callers_own_account(caller: Caller) -> None:
    found = await caller.find(
        "user_name=javascript:gs.getUserName()", "sys_user", sysparm_fields="sys_id,user_name,time_zone"
    )
    assert found == [{"sys_id": user_id(SYNC_USER), "user_name": SYNC_USER, "time_zone": "GMT"}]


@on_sandbox()
async def test_an_access_token_works_until_it_expires_and_is_renewed_by_the_refresh_token(caller: Caller) -> None:
    issued = (await grant(caller, **PASSWORD_GRANT)).content
    assert (issued["token_type"], issued["scope"], issued["expires_in"]) == ("Bearer", "useraccount", 1799)
    assert (await bearer(caller, issued["access_token"])).status == 200
    caller.clock.advance(1800)
    assert (await bearer(caller, issued["access_token"])).status == 401
    form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": issued["refresh_token"]}
    renewed = (await grant(caller, grant_type="refresh_token", **form)).content
    assert (await bearer(caller, renewed["access_token"])).status == 200


@on_sandbox()
async def test_retired_tokens_open_nothing_and_cannot_be_refreshed(caller: Caller) -> None:
    issued = (await grant(caller, **PASSWORD_GRANT)).content
    caller.sandbox.settings.tokens_retired = True
    assert (await bearer(caller, issued["access_token"])).status == 401
    form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": issued["refresh_token"]}
    assert (await grant(caller, grant_type="refresh_token", **form)).status == 401


@on_sandbox()
async def test_client_credentials_act_as_the_mapped_account(caller: Caller) -> None:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    token = (await grant(caller, **form)).content["access_token"]
    created = await caller.send(
        "POST", INCIDENT, {"Authorization": f"Bearer {token}"}, json={"short_description": "VPN drops"}
    )
    assert created.result["sys_created_by"] == SYNC_USER


@on_sandbox()
async def test_the_token_endpoint_refuses_json_and_wrong_secrets(caller: Caller) -> None:
    as_json = await caller.send("POST", "/oauth_token.do", json=PASSWORD_GRANT)
    wrong_secret = await grant(caller, **{**PASSWORD_GRANT, "client_secret": "guess"})
    wrong_password = await grant(caller, **{**PASSWORD_GRANT, "password": "guess"})
    for refused in (as_json, wrong_secret, wrong_password):
        assert refused.status == 401
        assert set(refused.content) == {"error", "error_description"}


@on_sandbox()
async def test_an_api_key_signs_in_only_while_the_plugin_is_on(caller: Caller) -> None:
    caller.signed_in = {"x-sn-apikey": SYNC_API_KEY}
    assert (await caller.get(INCIDENT)).status == 200
    caller.sandbox.settings.api_keys_on = False
    assert (await caller.get(INCIDENT)).status == 401


@on_sandbox()
async def test_the_session_cookie_signs_in_without_a_password(caller: Caller) -> None:
    cookie = (await caller.get(INCIDENT)).headers.getall("Set-Cookie")
    session = next(entry.partition(";")[0] for entry in cookie if entry.startswith("JSESSIONID="))
    caller.signed_in = {"Cookie": session}
    assert (await caller.get(INCIDENT)).status == 200
    caller.signed_in = {"Cookie": "JSESSIONID=0123"}
    assert (await caller.get(INCIDENT)).status == 401


@on_sandbox(mfa_users=(SYNC_USER,))
async def test_an_account_with_a_second_factor_needs_its_code(caller: Caller) -> None:
    assert (await caller.get(INCIDENT)).status == 401
    assert (await caller.send("GET", INCIDENT, {"X-MFA_TOKEN": MFA_CODE})).status == 200
    assert (await caller.send("GET", INCIDENT, basic(SYNC_USER, SYNC_PASSWORD + MFA_CODE))).status == 200


@on_sandbox()
async def test_a_changed_password_or_a_deactivated_account_is_401(caller: Caller) -> None:
    admin = caller.as_user("admin")
    await admin.patch(user_id(SYNC_USER), "sys_user", user_password="changed")
    assert (await caller.get(INCIDENT)).status == 401
    caller.signed_in = basic(SYNC_USER, "changed")
    assert (await caller.get(INCIDENT)).status == 200
    await admin.patch(user_id(SYNC_USER), "sys_user", active=False)
    assert (await caller.get(INCIDENT)).status == 401


@on_sandbox()
async def test_nobody_reads_a_password_back(caller: Caller) -> None:
    rows = await caller.as_user("admin").find("user_name=john", "sys_user")
    assert "user_password" not in json.dumps(rows)
