"""How the connector signs in, and that a rotated OAuth grant is stored before it is used."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace

import pytest
from aiohttp import web

from apps.sync.connectors.base import SignInFailed
from apps.sync.connectors.http import Context
from apps.sync.connectors.jira.connector import JiraConnector
from apps.sync.connectors.jira.settings import JiraSecrets
from apps.sync.connectors.jira.sign_in import SignIn

from .jira_site import context, run

OAUTH = {"client_id": "app", "client_secret": "app-secret", "access_token": "old", "refresh_token": "r1"}


class Server:
    """Jira and its token resource: each refresh token works once, each access token until the next."""

    def __init__(self) -> None:
        self.access, self.refresh, self.renewals = "expired-long-ago", "r1", 0
        self.seen: list[str] = []
        self.stored: list[Mapping[str, str]] = []

    async def token(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if asked["refresh_token"] != self.refresh or asked["client_secret"] != "app-secret":
            return web.json_response({"error": "unauthorized_client"}, status=403)
        self.renewals += 1
        self.access, self.refresh = f"a{self.renewals}", f"r{self.renewals + 1}"
        return web.json_response({"access_token": self.access, "refresh_token": self.refresh, "expires_in": 3600})

    async def info(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"version": "1001", "deploymentType": "Cloud"})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.headers.get("Authorization", ""))
        if request.headers.get("Authorization") != f"Bearer {self.access}":
            return web.json_response({"message": "no", "status-code": 401}, status=401)
        if request.path.endswith("/field"):
            return web.json_response([])
        if request.path.endswith("/search/jql"):
            return web.json_response({"issues": [], "isLast": True})
        return web.json_response({"accountId": "bot", "displayName": "Bot", "projectTypeKey": "software"})

    async def keep(self, secrets: Mapping[str, str]) -> None:
        assert secrets["access_token"] not in "".join(self.seen), "used before it was stored"
        self.stored.append(secrets)

    async def start(self) -> tuple[web.AppRunner, Context]:
        app = web.Application()
        app.router.add_post("/oauth/token", self.token)
        app.router.add_get("/rest/api/2/serverInfo", self.info)
        app.router.add_route("*", "/rest/api/3/{rest:.*}", self.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        made = context(base, OAUTH, flavour="cloud", token_url=f"{base}/oauth/token")
        return runner, replace(made, save_secrets=self.keep)


def test_many_calls_with_an_expired_token_renew_it_once_and_store_it_first() -> None:
    server = Server()

    async def work() -> None:
        runner, made = await server.start()
        try:
            async with JiraConnector(made) as jira:
                await jira.check()
                server.access = "expired-by-the-site"
                await asyncio.gather(*(jira.changed_since(None) for _ in range(8)))
        finally:
            await runner.cleanup()

    run(work())
    assert server.renewals == 2
    assert [stored["refresh_token"] for stored in server.stored] == ["r2", "r3"]
    assert server.stored[0]["client_id"] == "app"


def test_a_grant_without_an_access_token_is_renewed_at_the_first_call() -> None:
    server = Server()

    async def work() -> None:
        runner, made = await server.start()
        try:
            async with JiraConnector(replace(made, secrets={**OAUTH, "access_token": ""})) as jira:
                await jira.check()
        finally:
            await runner.cleanup()

    run(work())
    assert server.seen[0] == "Bearer a1"


def test_a_revoked_grant_is_a_failed_sign_in() -> None:
    server = Server()
    server.refresh = "another"

    async def work() -> None:
        runner, made = await server.start()
        try:
            async with JiraConnector(made) as jira:
                with pytest.raises(SignInFailed, match="connect the account again"):
                    await jira.check()
        finally:
            await runner.cleanup()

    run(work())
    assert server.stored == []


@pytest.mark.parametrize(
    ("secrets", "header"),
    [
        ({"email": "siam-sync@infinity.example", "api_token": "t:é"}, "siam-sync@infinity.example:t:é"),
        ({"username": "siam-sync", "password": "p"}, "siam-sync:p"),
        ({"personal_token": "pat"}, None),
    ],
)
def test_each_way_to_sign_in_has_its_header(secrets: dict[str, str], header: str | None) -> None:
    async def work() -> None:
        sign_in = SignIn(context("https://acme.example", secrets), JiraSecrets.model_validate(secrets), "")
        sent = (await sign_in.authorize())["Authorization"]
        if header is None:
            assert sent == "Bearer pat"
        else:
            assert base64.b64decode(sent.removeprefix("Basic ")).decode() == header

    run(work())


def test_secrets_do_not_show_in_words() -> None:
    assert "app-secret" not in repr(JiraSecrets.model_validate(OAUTH))
