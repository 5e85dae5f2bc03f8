"""A connection proves itself: settings, ways to sign in, and what the account may see."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from apps.sandbox.servicenow import seed
from apps.sync.connectors.base import (
    Draft,
    Rejected,
    SignInFailed,
)
from apps.sync.connectors.servicenow.connector import ServiceNowConnector
from apps.sync.engine.snapshot import ExternalRef

from .servicenow_instance import SECRETS, Instance, on_instance

MARK = "siam-3f2a9c0d41b7"
DRAFT = Draft("incident", {"short_description": "VPN drops", "description": "Client **5.1**", "u_site": "berlin"})


class TestCheck:
    def test_tells_product_version_and_account(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            card = await connector.check()
            assert (card.product, card.version, card.deployment) == (
                "ServiceNow",
                "australia patch4",
                "infinityprojects",
            )
            assert (card.account_name, card.warnings) == ("SIAM Sync", ())

        on_instance(play)

    def test_fails_with_a_wrong_password(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            with pytest.raises(SignInFailed):
                await connector.check()

        on_instance(play, secrets=SECRETS | {"password": "wrong"})

    @pytest.mark.parametrize(
        ("settings", "field"),
        [
            ({"table": "u_nope"}, "table"),
            ({"correlation_field": "u_nope"}, "correlation_field"),
            ({"write_mark_field": "u_nope"}, "write_mark_field"),
            ({"query": "active=true^u_nope=1"}, "query"),
            ({"instance_name": "infinityprojectstest"}, "instance_name"),
        ],
    )
    def test_names_the_setting_that_is_wrong(self, settings: dict[str, Any], field: str) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            with pytest.raises(Rejected) as refusal:
                await connector.check()
            assert refusal.value.field == field

        on_instance(play, settings=settings)

    def test_finds_out_that_the_change_log_is_closed_to_the_account(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            sys_id = await instance.report()
            for word in ("one", "two", "three"):
                await instance.edit(sys_id, short_description=word)
            assert connector.capabilities.has_change_log
            card = await connector.check()
            assert not connector.capabilities.has_change_log
            assert any("sys_audit" in warning for warning in card.warnings)
            assert await connector.changes(ExternalRef(sys_id), None) == ()

        on_instance(play, audit_readable=False)

    def test_warns_about_a_time_zone_other_than_gmt(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            card = await connector.check()
            assert any("time zone" in warning for warning in card.warnings)

        on_instance(play, secrets={"username": seed.JOHN, "password": seed.JOHN_PASSWORD})

    def test_goes_on_without_the_dictionary_and_says_so(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            card = await connector.check()
            assert any("sys_dictionary" in warning for warning in card.warnings)
            ref = (await connector.create(DRAFT, MARK)).ref
            await instance.edit(ref.id, assigned_to=seed.seeded_id("sys_user", seed.ELAINE))
            fields = (await connector.fetch(ref)).fields
            assert (fields["assigned_to"], fields["state"], fields["active"]) == ("Elaine", "1", True)

        on_instance(play, denied_tables=("sys_dictionary",))


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "secrets"),
        [
            ({"table": "incident^ORactive=true"}, SECRETS),
            ({"tabel": "incident"}, SECRETS),
            ({"page_size": 0}, SECRETS),
            ({"sign_in": "oauth_password"}, SECRETS),
            ({}, {"username": "john"}),
        ],
    )
    def test_are_refused_at_once_when_wrong(self, settings: dict[str, Any], secrets: dict[str, str]) -> None:
        async def play(instance: Instance, _: ServiceNowConnector) -> None:
            with pytest.raises(ValidationError):
                instance.connector(secrets, **settings)

        on_instance(play)


class TestSignIn:
    CLIENT = {"client_id": seed.CLIENT_ID, "client_secret": seed.CLIENT_SECRET}

    @pytest.mark.parametrize(
        ("method", "secrets"),
        [
            ("oauth_password", CLIENT | SECRETS),
            ("oauth_client_credentials", CLIENT),
            ("api_key", {"api_key": seed.SYNC_API_KEY}),
        ],
    )
    def test_works_by_every_method(self, method: str, secrets: dict[str, str]) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            assert (await connector.check()).account_name == "SIAM Sync"

        on_instance(play, secrets=secrets, settings={"sign_in": method})

    def test_stores_a_renewed_token_and_goes_on(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            instance.sandbox.faults.add(kind="expired_token", times=1)
            assert (await connector.fetch(ref)).fields["short_description"] == "VPN drops"
            kept = instance.saved[-1]
            async with instance.connector({**kept}, sign_in="oauth_refresh") as later:
                assert (await later.fetch(ref)).correlation == MARK

        on_instance(play, secrets=self.CLIENT | SECRETS, settings={"sign_in": "oauth_password"})

    def test_asks_for_one_token_however_many_calls_wait(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            await asyncio.gather(*(connector.find(f"siam-{n:012x}") for n in range(6)))
            assert instance.requests("POST").count("/oauth_token.do") == 1

        on_instance(play, secrets=self.CLIENT, settings={"sign_in": "oauth_client_credentials"})

    @pytest.mark.parametrize("method", ["oauth_refresh", "oauth_client_credentials"])
    def test_fails_when_the_grant_is_revoked(self, method: str) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            with pytest.raises(SignInFailed):
                await connector.check()

        wrong = {"client_id": seed.CLIENT_ID, "client_secret": "wrong", "refresh_token": "revoked"}
        on_instance(play, secrets=wrong, settings={"sign_in": method})
