"""The people of the organization, and how the vendor names them."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SERVICE_IDENTITY = "Microsoft.IdentityModel.Claims.ClaimsIdentity"


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    name: str
    mail: str

    @property
    def descriptor(self) -> str:
        return "aad." + base64.b64encode(self.id.encode()).decode().rstrip("=")

    @property
    def combined(self) -> str:
        """The form in feeds, notices and anywhere an identity is flattened into text."""
        return f"{self.name} <{self.mail}>"

    def reference(self, base: str) -> dict[str, Any]:
        """The vendor's IdentityRef; ``base`` is the address of the organization."""
        avatar = f"{base}/_apis/GraphProfile/MemberAvatars/{self.descriptor}"
        return {
            "displayName": self.name,
            "url": f"{base}/_apis/Identities/{self.id}",
            "_links": {"avatar": {"href": avatar}},
            "id": self.id,
            "uniqueName": self.mail,
            "imageUrl": avatar,
            "descriptor": self.descriptor,
        }

    def identity(self, tenant: str) -> dict[str, Any]:
        """The vendor's full Identity, as in connection data and identity searches."""
        properties = {
            "SchemaClassName": "User",
            "Description": "",
            "Domain": tenant,
            "Account": self.mail,
            "Mail": self.mail,
        }
        return {
            "id": self.id,
            "descriptor": f"{SERVICE_IDENTITY};{tenant}\\{self.mail}",
            "subjectDescriptor": self.descriptor,
            "providerDisplayName": self.name,
            "isActive": True,
            "isContainer": False,
            "members": [],
            "memberOf": [],
            "memberIds": [],
            "resourceVersion": 2,
            "metaTypeId": 0,
            "properties": {name: {"$type": "System.String", "$value": value} for name, value in properties.items()},
        }

    def member(self, base: str, tenant: str) -> dict[str, Any]:
        """The vendor's GraphUser."""
        address = f"{base}/_apis/Graph/Users/{self.descriptor}"
        links = {
            "self": address,
            "memberships": f"{base}/_apis/Graph/Memberships/{self.descriptor}",
            "storageKey": f"{base}/_apis/Graph/StorageKeys/{self.descriptor}",
            "avatar": f"{base}/_apis/GraphProfile/MemberAvatars/{self.descriptor}",
        }
        return {
            "subjectKind": "user",
            "metaType": "member",
            "directoryAlias": self.mail.split("@")[0],
            "domain": tenant,
            "principalName": self.mail,
            "mailAddress": self.mail,
            "origin": "aad",
            "originId": self.id,
            "displayName": self.name,
            "_links": {name: {"href": href} for name, href in links.items()},
            "url": address,
            "descriptor": self.descriptor,
        }


class Directory:
    """Finds people by the many forms in which a client may write them."""

    def __init__(self, people: Iterable[Person]) -> None:
        self.people = tuple(people)

    def find(self, written: object) -> Person | None:
        if isinstance(written, dict):
            keys = ("descriptor", "id", "uniqueName", "displayName")
            return next((hit for key in keys if (hit := self.find(written.get(key)))), None)
        if not isinstance(written, str) or not written:
            return None
        text = written.strip()
        if text.endswith(">") and "<" in text:
            text = text[text.rindex("<") + 1 : -1]
        text = text.casefold()
        return next(
            (
                one
                for one in self.people
                if text
                in (
                    one.mail.casefold(),
                    one.name.casefold(),
                    one.id,
                    one.descriptor.casefold(),
                )
            ),
            None,
        )
