"""Finding a person by display name or address."""

from apps.sync.connectors.base import Rejected

from .client import AzureClient, Json


async def find_person(client: AzureClient, field: str, text: str) -> str:
    """The account name by which an identity field takes this person. Raises Rejected for nobody, or for several."""
    wanted = text.partition("<")[2].rstrip("> ") or text
    found = {
        account
        for identity in await client.find_identities(wanted)
        if identity.get("isActive", True)
        and wanted.casefold() in _names_of(identity)
        and (account := _account_of(identity))
    }
    if len(found) != 1:
        count = "nobody" if not found else f"{len(found)} people"
        raise Rejected(f"{count} in this organization is called {text!r}", field=field, value=text)
    return found.pop()


def _property(identity: Json, name: str) -> str:
    entry = (identity.get("properties") or {}).get(name) or {}
    return str(entry.get("$value") or "") if isinstance(entry, dict) else str(entry)


def _account_of(identity: Json) -> str:
    """Account is the sign-in name, which is what ``uniqueName`` shows."""
    shown = identity.get("customDisplayName") or identity.get("providerDisplayName") or ""
    return _property(identity, "Account") or _property(identity, "Mail") or str(shown)


def _names_of(identity: Json) -> set[str]:
    names = (
        identity.get("providerDisplayName"),
        identity.get("customDisplayName"),
        _property(identity, "Mail"),
        _property(identity, "Account"),
    )
    return {str(name).casefold() for name in names if name}
