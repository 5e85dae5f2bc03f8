"""The one guard for requests that the portal sends to addresses people typed in (requirement T65, reliability 4.6).

Addresses must be https and public, unless the installation's operator names ``host`` or ``host:port`` in the setting
``SIAM_OUTBOUND_ALLOW``. Every address a name resolves to is judged, and the connection goes to the judged address.
"""

import ipaddress
import socket
from collections.abc import Iterable

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NEVER_PUBLIC = [
    ipaddress.ip_network(block)
    for block in ("100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "64:ff9b:1::/48", "fec0::/10")
]


class AddressRefused(ValueError):
    """The guard does not let the portal talk to this address. The text names the address and the remedy."""


class OutboundGuard:
    """Judges outgoing addresses. ``allowed`` holds ``host`` or ``host:port`` entries that are exempt."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(entry.strip().lower() for entry in allowed if entry.strip())

    def is_allowed(self, host: str, port: int) -> bool:
        host = host.lower()
        return host in self._allowed or f"{host}:{port}" in self._allowed

    def check_url(self, url: str) -> None:
        """Raise AddressRefused when ``url`` must not be called. Names are judged again when they are resolved.

        It reads the address as the client will (yarl): a guard with another reading can be led past by one spelling.
        """
        try:
            parts = URL(url)
            host, port = parts.raw_host or "", parts.port or 0
        except ValueError as problem:
            raise AddressRefused(f"{url!r} is no address: write https://host or https://host:port") from problem
        if not host or parts.user or parts.password:
            raise AddressRefused(f"the address {url!r} must have a host and no user name or password in it")
        remedy = f"let the operator name {host}:{port} in SIAM_OUTBOUND_ALLOW"
        if self.is_allowed(host, port):
            if parts.scheme not in ("http", "https"):
                raise AddressRefused(f"the address {url!r} must begin with https://")
            return
        if parts.scheme != "https":
            raise AddressRefused(f"the address {url!r} is not https; use https, or {remedy}")
        literal = _as_literal(host)
        if literal is not None and not is_public(literal):
            raise AddressRefused(f"{host} is not a public address; {remedy} if it is meant")

    def resolver(self) -> AbstractResolver:
        """A resolver for aiohttp that refuses names leading to addresses that are not public."""
        return _GuardedResolver(self)


class _GuardedResolver(AbstractResolver):
    def __init__(self, guard: OutboundGuard) -> None:
        self._guard = guard
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if self._guard.is_allowed(host, port):
            return found
        for result in found:
            if not is_public(ipaddress.ip_address(result["host"])):
                raise AddressRefused(
                    f"{host} leads to {result['host']}, which is not a public address; "
                    f"let the operator name {host}:{port} in SIAM_OUTBOUND_ALLOW if it is meant"
                )
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _as_literal(host: str) -> IPAddress | None:
    """The address that ``host`` spells, in the odd ways too that the system's resolver takes (127.1, 0x7f000001)."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def is_public(address: IPAddress) -> bool:
    """Whether ``address`` is reachable for everyone; mapped, 6to4, Teredo and NAT64 addresses are unwrapped first.

    Python 3.12.1 calls ``::ffff:127.0.0.1`` not loopback and 192.0.0.8 global, so neither flag is trusted alone.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    if any(address.version == block.version and address in block for block in _NEVER_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_loopback)
