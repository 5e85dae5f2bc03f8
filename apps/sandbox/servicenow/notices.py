"""The business rule that signals changes to other systems: signed, and sent at most once.

A target is a record of ``x_siam_notice_target`` with the address, the secret in base64 and the table to follow. The
body only says which record changed; whoever hears it reads the record itself. The vendor repeats nothing.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence

from apps.sandbox.deliveries import Delivery

from .access import Viewer
from .instance import Instance, Row, new_id


def notify(instance: Instance, viewer: Viewer, table: str, row: Row, *, operation: str, changed: Sequence[str]) -> None:
    """Send a notice about ``row`` to every active target that follows its table or one that the table extends."""
    if viewer.name == instance.settings.notices_skip_user:
        return
    followed = instance.schema.lineage(table)
    for target in instance.shelves["x_siam_notice_target"].rows.values():
        if target["active"] == "true" and target["table"] in followed:
            body = json.dumps(_signal(instance, table, row, operation, changed), separators=(",", ":")).encode()
            headers = _headers(instance, base64.b64decode(target["secret"]), body)
            instance.send(Delivery(target["url"], body, headers))


def _signal(
    instance: Instance, table: str, row: Row, operation: str, changed: Sequence[str]
) -> dict[str, str | int | list[str]]:
    return {
        "event": f"{table}.{operation}",
        "instance": instance.settings.instance_name,
        "table": table,
        "sys_id": row["sys_id"],
        "number": row.get("number", ""),
        "sys_mod_count": int(row["sys_mod_count"]),
        "sys_updated_on": row["sys_updated_on"],
        "sys_updated_by": row["sys_updated_by"],
        "changed": list(changed),
        "operation": operation,
    }


def _headers(instance: Instance, secret: bytes, body: bytes) -> Callable[[int], Mapping[str, str]]:
    event_id = new_id()

    def build(_attempt: int) -> Mapping[str, str]:
        timestamp = str(int(instance.clock().timestamp()))
        mac = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256)
        return {
            "Content-Type": "application/json",
            "X-Siam-Event-Id": event_id,
            "X-Siam-Timestamp": timestamp,
            "X-Siam-Signature": base64.b64encode(mac.digest()).decode(),
        }

    return build
