"""Plain values as the members of a ticket that is written to Zendesk."""

from typing import Any

from apps.sync.engine.snapshot import Fields

from .directory import DIRECTORY_OF_FIELD, Directory, split_address
from .fields import FieldBook

Json = dict[str, Any]


async def write_fields(fields: Fields, ticket: Json, book: FieldBook, directory: Directory) -> Json:
    """``fields`` as members of ``ticket``; what a name means is looked up by Zendesk's own search.

    Raises Rejected naming the field, the value, and what would be legal.
    """
    body: Json = {}
    custom: list[Json] = []
    for name in sorted(fields):
        value = fields[name]
        raw = book.write(name, value)
        if name.isdigit():
            custom.append({"id": int(name), "value": raw})
        elif name == "tags":
            words = value if isinstance(value, tuple) else tuple(str(value or "").split())
            body["tags"] = book.all_tags(words, ticket, fields)
        elif name == "requester_id" and raw is not None and split_address(str(raw))[1]:
            body["requester"] = write_requester(str(raw))
        elif name in DIRECTORY_OF_FIELD and raw is not None:
            body[name] = await directory.find(name, split_address(str(raw))[1] or str(raw))
        else:
            body[name] = raw
    if custom:
        body["custom_fields"] = custom
    return body


def write_requester(text: str) -> Json:
    """A requester by address: Zendesk finds the user, or creates an end user."""
    name, email = split_address(text)
    return {"name": name or email, "email": email}
