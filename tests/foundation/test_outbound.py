"""The guard of outgoing requests: https and public addresses only, however they are spelled."""

import asyncio
import socket
from ipaddress import ip_address

import pytest

from apps.foundation.outbound import AddressRefused, OutboundGuard, is_public

LOOPBACK_SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.255.255.254",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "2130706433",
    "0177.0.0.1",
    "0",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[64:ff9b:1::1]",
    "[64:ff9b::a9fe:a9fe]",
    "[2001:db8::1]",
    "[2002:a00:1::]",
]
PUBLIC = ["93.184.215.14", "1.1.1.1", "[2606:4700::1111]", "[::ffff:1.1.1.1]", "[64:ff9b::101:101]"]


class TestAddressesInAUrl:
    @pytest.mark.parametrize("host", LOOPBACK_SPELLINGS + PRIVATE)
    def test_what_is_not_public_is_refused_in_every_spelling(self, host: str) -> None:
        with pytest.raises(AddressRefused):
            OutboundGuard().check_url(f"https://{host}/rest/api")

    @pytest.mark.parametrize("host", [*PUBLIC, "jira.example.org", "jira.example.org:8443", "bücher.example"])
    def test_public_addresses_and_names_pass(self, host: str) -> None:
        OutboundGuard().check_url(f"https://{host}/rest/api?x=1")

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "jira.example.org",
            "//jira.example.org",
            "https://",
            "https:///path",
            "https://john:secret@jira.example.org/",
            "https://john@jira.example.org/",
            "https://jira.example.org\\@10.0.0.1/",
            "https://jira.example.org:99999/",
            "https://jira.example.org:port/",
            "https://[::1",
            "http://jira.example.org/",
            "ftp://jira.example.org/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/",
            "javascript:alert(1)",
        ],
    )
    def test_what_is_no_plain_https_address_is_refused(self, url: str) -> None:
        with pytest.raises(AddressRefused):
            OutboundGuard().check_url(url)

    def test_the_refusal_names_the_address_and_the_remedy(self) -> None:
        with pytest.raises(AddressRefused, match=r"10\.0\.0\.5.*10\.0\.0\.5:8080.*SIAM_OUTBOUND_ALLOW"):
            OutboundGuard().check_url("https://10.0.0.5:8080/")


class TestTheOperatorsList:
    def test_opens_one_port_of_one_host(self) -> None:
        guard = OutboundGuard([" 10.0.0.5:8080 ", ""])
        guard.check_url("http://10.0.0.5:8080/")
        guard.check_url("https://10.0.0.5:8080/")
        for other in ("http://10.0.0.5:8081/", "http://10.0.0.6:8080/", "https://10.0.0.5/"):
            with pytest.raises(AddressRefused):
                guard.check_url(other)

    def test_opens_a_host_on_every_port_when_it_names_none(self) -> None:
        guard = OutboundGuard(["JIRA.internal"])
        guard.check_url("http://jira.internal/")
        guard.check_url("https://Jira.Internal:8443/")

    def test_opens_no_other_scheme(self) -> None:
        with pytest.raises(AddressRefused):
            OutboundGuard(["jira.internal"]).check_url("ftp://jira.internal/")

    def test_does_not_open_names_that_only_begin_alike(self) -> None:
        with pytest.raises(AddressRefused):
            OutboundGuard(["10.0.0.5"]).check_url("http://10.0.0.55/")


class TestNames:
    """A name says nothing: the addresses it leads to are judged, at the moment of the connection."""

    def test_a_name_that_leads_home_is_refused(self) -> None:
        with pytest.raises(AddressRefused, match="localhost"):
            self._resolve(OutboundGuard(), "localhost", 443)

    def test_a_name_that_the_operator_lists_is_resolved(self) -> None:
        found = self._resolve(OutboundGuard(["localhost:8080"]), "localhost", 8080)
        assert {result["host"] for result in found} <= {"127.0.0.1", "::1"}
        assert found

    def test_an_odd_spelling_is_judged_by_what_it_leads_to(self) -> None:
        with pytest.raises(AddressRefused):
            self._resolve(OutboundGuard(), "127.1", 443)

    def test_one_private_address_among_public_ones_spoils_the_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        guard = OutboundGuard()
        answers = [("93.184.215.14", 443), ("10.0.0.1", 443)]
        records = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in answers]

        async def resolve() -> object:
            loop = asyncio.get_running_loop()

            async def answer(*_args: object, **_options: object) -> object:
                return records

            monkeypatch.setattr(loop, "getaddrinfo", answer)
            return await guard.resolver().resolve("two.example", 443)

        with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
            asyncio.run(resolve())

    def _resolve(self, guard: OutboundGuard, host: str, port: int) -> list:
        async def resolve() -> list:
            resolver = guard.resolver()
            try:
                return await resolver.resolve(host, port)
            finally:
                await resolver.close()

        return asyncio.run(resolve())


@pytest.mark.parametrize("address", [*PRIVATE, "::1", "127.0.0.1", "::ffff:10.0.0.1", "2001:0:a00:1::f5ff:fffe"])
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address.strip("[]").replace("%25", "%")))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address.strip("[]")))
