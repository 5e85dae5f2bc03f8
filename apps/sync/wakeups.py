"""When a wake-up was sent: whoever has begun to look since then has answered it."""

import time

from celery import current_task

SENT_AT = "sent_at"
"""The header of a task's message that tells when it was sent, in seconds since 1970."""


def sent_at() -> float:
    """When the task at work was asked for; now, where no message did."""
    told = getattr(current_task.request, SENT_AT, None) if current_task else None
    return float(told) if told is not None else time.time()
