"""The vendor's own Python client works with the sandbox as it is: over TLS, for it speaks nothing else."""

import asyncio
import ipaddress
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysnc
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pysnc.auth import ServiceNowPasswordGrantFlow

from apps.sandbox.servicenow.sandbox import ServiceNowSandbox
from apps.sandbox.servicenow.seed import CLIENT_ID, CLIENT_SECRET, SYNC_PASSWORD, SYNC_USER

from .rig import user_id

Use = Callable[[pysnc.ServiceNowClient], None]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).add_extension(address, critical=False)
    signed = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = signed.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    path = tmp_path_factory.mktemp("tls") / "sandbox.pem"
    path.write_bytes(
        made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture(autouse=True)
def trust(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client lets these variables go before the certificate that it was given."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


async def serve(certificate: Path, use: Callable[[str], None]) -> ServiceNowSandbox:
    sandbox = ServiceNowSandbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    runner = web.AppRunner(sandbox.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    sandbox.origin = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        await asyncio.to_thread(use, sandbox.origin)
    finally:
        await runner.cleanup()
    return sandbox


def with_password(certificate: Path, use: Use) -> ServiceNowSandbox:
    def run(origin: str) -> None:
        use(pysnc.ServiceNowClient(origin, (SYNC_USER, SYNC_PASSWORD), verify=str(certificate)))

    return asyncio.run(serve(certificate, run))


def test_it_creates_reads_updates_and_comments(certificate: Path) -> None:
    def use(client: pysnc.ServiceNowClient) -> None:
        made = client.GlideRecord("incident")
        made.initialize()
        made.short_description = "VPN drops every hour"
        made.caller_id = user_id("john")
        assert made.insert() is not None
        read = client.GlideRecord("incident")
        assert read.get(str(made.sys_id))
        assert read.get_display_value("caller_id") == "John"
        read.state = "2"
        read.comments = "We are on it"
        assert read.update() is not None
        assert read.get_display_value("state") == "In Progress"
        entries = client.GlideRecord("sys_journal_field")
        entries.add_query("element_id", str(made.sys_id))
        entries.query()
        assert [str(entry.value) for entry in entries] == ["We are on it"]

    (ticket,) = with_password(certificate, use).true_state()["tickets"]
    assert ticket["fields"]["state"] == "2"
    assert [comment["text"] for comment in ticket["comments"]] == ["We are on it"]


def test_it_pages_through_a_long_list(certificate: Path) -> None:
    def use(client: pysnc.ServiceNowClient) -> None:
        for number in range(7):
            made = client.GlideRecord("incident")
            made.initialize()
            made.short_description = f"ticket {number}"
            made.insert()
        found = client.GlideRecord("incident", batch_size=3)
        found.add_query("short_description", "STARTSWITH", "ticket")
        found.order_by("short_description")
        found.query()
        assert [str(row.short_description) for row in found] == [f"ticket {number}" for number in range(7)]

    with_password(certificate, use)


def test_it_attaches_a_file_and_reads_it_back(certificate: Path) -> None:
    def use(client: pysnc.ServiceNowClient) -> None:
        made = client.GlideRecord("incident")
        made.initialize()
        made.short_description = "VPN"
        made.insert()
        address = made.add_attachment("log.bin", bytes(range(256)), "application/octet-stream")
        attachment = client.Attachment("incident")
        assert attachment.get(address.rpartition("/")[2])
        assert attachment.read() == bytes(range(256))
        listed = client.Attachment("incident")
        listed.add_query("table_sys_id", str(made.sys_id))
        listed.query()
        assert [str(entry.file_name) for entry in listed] == ["log.bin"]

    with_password(certificate, use)


def test_it_runs_a_batch_of_updates(certificate: Path) -> None:
    def use(client: pysnc.ServiceNowClient) -> None:
        for number in range(3):
            made = client.GlideRecord("incident")
            made.initialize()
            made.short_description = f"ticket {number}"
            made.insert()
        found = client.GlideRecord("incident")
        found.query()
        while found.next():
            found.urgency = "1"
        found.update_multiple()

    tickets = with_password(certificate, use).true_state()["tickets"]
    assert [ticket["fields"]["urgency"] for ticket in tickets] == ["1", "1", "1"]


def test_it_is_told_of_refusals(certificate: Path) -> None:
    def use(client: pysnc.ServiceNowClient) -> None:
        made = client.GlideRecord("incident")
        made.initialize()
        made.short_description = "VPN"
        made.insert()
        made.state = "6"
        with pytest.raises(pysnc.exceptions.RoleException, match="Resolution code, Resolution notes"):
            made.update()
        assert not client.GlideRecord("incident").get("0" * 32)

    with_password(certificate, use)


def test_it_signs_in_by_token(certificate: Path) -> None:
    def run(origin: str) -> None:
        flow = ServiceNowPasswordGrantFlow(SYNC_USER, SYNC_PASSWORD, CLIENT_ID, CLIENT_SECRET)
        client = pysnc.ServiceNowClient(origin, flow, verify=str(certificate))
        people = client.GlideRecord("sys_user")
        assert people.get("user_name", "john")
        assert str(people.sys_id) == user_id("john")

    asyncio.run(serve(certificate, run))
