"""Making a connector for a connection: settings, secrets, the outbound guard, and a record of every call."""

import time
from collections.abc import Callable, Mapping
from functools import partial

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections, transaction

from apps.foundation.outages import OUTAGES
from apps.foundation.outbound import OutboundGuard

from ..connectors.base import Connector
from ..connectors.catalog import CONNECTORS
from ..connectors.http import Context, ExchangeRecord, Gate, OpenGate
from ..crashpoints import reached
from ..models import Connection
from .renewing import renewal_of

NOTICE_SECRETS = ("notice_secret", "former_notice_secret")
KEEPING_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


def _forget(_record: ExchangeRecord) -> None:
    """For calls that nobody keeps."""


def connector_for(
    connection: Connection, record: Callable[[ExchangeRecord], None] = _forget, gate: Gate | None = None
) -> Connector:
    """A connector, to be used as an async context. Raises pydantic's ValidationError for unusable settings."""
    own = {name: value for name, value in connection.secrets.items() if name not in NOTICE_SECRETS}
    context = Context(
        base_url=connection.base_url,
        settings=connection.settings,
        secrets=own,
        guard=OutboundGuard(settings.SIAM_OUTBOUND_ALLOW),
        record=record,
        save_secrets=partial(sync_to_async(_keep_secrets), connection),
        renewal=partial(renewal_of, connection),
        gate=gate or OpenGate(),
    )
    return CONNECTORS[connection.connector](context)


def _keep_secrets(connection: Connection, renewed: Mapping[str, str]) -> None:
    """Store renewed tokens before they are used: the old ones are already void (INV-36).

    A database that is away for a moment must not lose them: only a person could get others.
    """
    reached("token granted")
    for pause in (*KEEPING_PAUSES, None):
        # This thread outlives every task; its connection to the database may have ended long ago.
        close_old_connections()
        try:
            _store_secrets(connection, renewed)
            break
        except OUTAGES:
            if pause is None:
                raise
            time.sleep(pause)
    reached("token kept")


@transaction.atomic
def _store_secrets(connection: Connection, renewed: Mapping[str, str]) -> None:
    fresh = Connection.objects.select_for_update().get(pk=connection.pk)
    Connection.objects.filter(pk=connection.pk).update(secrets={**fresh.secrets, **renewed})
