"""Telling the workers that something is there, without knowing who works.

A call means "look now" and carries an id, never content. It is sent after the commit, as a Celery task named after the
topic. When the broker does not answer nothing is lost: the workers sweep the rows on their own (design 3.6).
"""

import logging

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)


def ring(topic: str, *keys: str) -> None:
    """After the commit, ask for task ``wake.<topic>`` with ``keys``."""
    transaction.on_commit(lambda: _send(topic, keys))


def _send(topic: str, keys: tuple[str, ...]) -> None:
    try:
        current_app.send_task(f"wake.{topic}", args=list(keys), ignore_result=True, retry=False)
    except Exception:  # noqa: BLE001  the broker's client raises its own kinds; the sweep finds the rows anyway
        log.warning("no broker to wake %s; the next sweep will look", topic)
