"""Alerts on their way out: one message a rule, by mail or signed webhook, tried again until it is taken (F64).

Nothing of the sync waits for any of this: alerts are rows, and who sends them is a task of its own.
"""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Any

import aiohttp
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F, Q
from django.urls import reverse

from apps.ecosystem.selectors import principal_of
from apps.foundation.outbound import AddressRefused, OutboundGuard

from ..models import Alert, AlertKind, AlertRule
from ..selectors import connections
from .alerting import zone_of

log = logging.getLogger(__name__)
CLAIM = timedelta(minutes=5)
FIRST_RETRY, LONGEST_RETRY = 60, 3600
MOST_IN_ONE = 50
DEADLINE = 10
SIGNATURE = "X-Siam-Signature"


class NotTaken(Exception):
    """The message could not be delivered; the text says why, in the words of whoever refused it."""


class MailServerDown(NotTaken):
    """No mail can be sent at present: the other mails need not be tried now."""


def send_alerts(*, now: datetime) -> int:
    """Send what is due, rule by rule; how many messages left. What does not get through stays due, later."""
    due = Alert.objects.filter(due_at__lte=now, rule__is_active=True).values_list("rule", flat=True)
    sent, is_mail_down = 0, False
    for rule in AlertRule.objects.filter(pk__in=set(due)).select_related("user").order_by("pk"):
        if rule.channel == AlertRule.Channel.MAIL and is_mail_down:
            continue
        if not _claim(rule, now):
            continue
        try:
            sent += _send_for(rule, now)
        except MailServerDown:
            is_mail_down = True
        finally:
            AlertRule.objects.filter(pk=rule.pk).update(claimed_until=None)
    return sent


def _claim(rule: AlertRule, now: datetime) -> bool:
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    return AlertRule.objects.filter(free, pk=rule.pk).update(claimed_until=now + CLAIM) == 1


def _send_for(rule: AlertRule, now: datetime) -> int:
    alerts = list(rule.alerts.filter(due_at__lte=now).select_related("connection").order_by("raised_at")[:MOST_IN_ONE])
    # A right may have been withdrawn since the alert was raised; what one may not know any more is not told.
    seen = set(connections(seen_by=principal_of(rule.user)).values_list("pk", flat=True))
    gone = [alert.pk for alert in alerts if alert.connection_id not in seen]
    Alert.objects.filter(pk__in=gone).update(due_at=None)
    told = [alert for alert in alerts if alert.connection_id in seen]
    if not told:
        return 0
    ids = [alert.pk for alert in told]
    rows = Alert.objects.filter(pk__in=ids)
    try:
        deliver(rule, told)
    except NotTaken as problem:
        wait = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(10, max(alert.attempts for alert in told)))
        rows.update(due_at=now + timedelta(seconds=wait), attempts=F("attempts") + 1, last_failure=str(problem)[:2000])
        log.warning("alerts of %s wait: %s", rule.pk, problem)
        if isinstance(problem, MailServerDown):
            raise
        return 0
    rows.update(told_at=now, due_at=None, attempts=0, last_failure="")
    # What ended while the message was on its way is still to be told to be over.
    lasted = [alert.pk for alert in told if alert.over_at is None]
    rows.filter(pk__in=lasted, over_at__isnull=False).update(due_at=now)
    return 1


def deliver(rule: AlertRule, alerts: Sequence[Alert]) -> None:
    """One message about ``alerts`` to the person of the rule. Raises NotTaken."""
    if rule.channel == AlertRule.Channel.WEBHOOK:
        asyncio.run(_post(rule, write_document(rule, alerts)))
    else:
        _mail(rule, alerts)


# --- Mail -------------------------------------------------------------------------------------------------------------


def _mail(rule: AlertRule, alerts: Sequence[Alert]) -> None:
    message = EmailMessage(write_subject(alerts), write_text(rule, alerts), to=[rule.user.email])
    try:
        message.send()
    except (SMTPException, OSError) as problem:
        raise MailServerDown(f"the mail server did not take it: {problem or type(problem).__name__}") from problem


def write_subject(alerts: Sequence[Alert]) -> str:
    """The subject of a mail: the one thing, or how many."""
    if len(alerts) == 1:
        told = f"Over: {alerts[0].subject}" if alerts[0].over_at else alerts[0].subject
    else:
        lasting = sum(alert.over_at is None for alert in alerts)
        over = len(alerts) - lasting
        told = ", ".join(part for part in (lasting and f"{lasting} alerts", over and f"{over} over") if part)
    return " ".join(f"[siamportal] {told}".split())[:200]


def write_text(rule: AlertRule, alerts: Sequence[Alert]) -> str:
    """The mail itself, plain: what, who must act, how, where to look."""
    zone = zone_of(rule.user)
    parts = []
    for alert in alerts:
        since = f"{alert.raised_at.astimezone(zone):%Y-%m-%d %H:%M %Z}"
        if alert.over_at is not None:
            parts.append(f"OVER: {alert.subject}\nFrom {since} to {alert.over_at.astimezone(zone):%Y-%m-%d %H:%M %Z}.")
            continue
        lines = [alert.subject, alert.text]
        if alert.party:
            lines.append(f"Who must act: {alert.party}")
        if alert.remedy:
            lines.append(f"How: {alert.remedy}")
        lines += [f"Noticed: {since}", f"Look: {address_of(alert.path)}"]
        parts.append("\n".join(line for line in lines if line))
    foot = f"You get this by your rule {rule.name!r}. Change it: {address_of(reverse('alert-list'))}"
    return "\n\n".join(parts) + f"\n\n--\n{foot}\n"


def address_of(path: str) -> str:
    """The whole address of a page of the portal."""
    return str(settings.SIAM_PUBLIC_ADDRESS).rstrip("/") + path


# --- Webhook ----------------------------------------------------------------------------------------------------------


def write_document(rule: AlertRule, alerts: Sequence[Alert]) -> bytes:
    """What a webhook gets: JSON with one entry an alert."""
    told = [
        {
            "id": str(alert.pk),
            "kind": alert.kind,
            "state": "over" if alert.over_at else "raised",
            "connection": {"id": str(alert.connection_id), "name": alert.connection.name},
            "subject": alert.subject,
            "text": alert.text,
            "party": alert.party,
            "remedy": alert.remedy,
            "raised_at": alert.raised_at.isoformat(),
            "over_at": alert.over_at.isoformat() if alert.over_at else None,
            "address": address_of(alert.path),
        }
        for alert in alerts
    ]
    return json.dumps({"rule": rule.name, "alerts": told}).encode()


def sign(secret: str, body: bytes) -> str:
    """The signature of a body: HMAC with SHA-256, as the receiver works it out again."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def _post(rule: AlertRule, body: bytes) -> None:
    guard = OutboundGuard(settings.SIAM_OUTBOUND_ALLOW)
    headers = {"Content-Type": "application/json", SIGNATURE: sign(rule.secrets.get("signing", ""), body)}
    kept: dict[str, Any] = {"connector": aiohttp.TCPConnector(resolver=guard.resolver())}
    try:
        guard.check_url(rule.address)
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE), **kept) as session,
            session.post(rule.address, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status >= 300:
                raise NotTaken(f"the webhook answered {answer.status}")
    except (aiohttp.ClientError, TimeoutError, OSError, AddressRefused) as problem:
        raise NotTaken(f"the webhook did not take it: {problem or type(problem).__name__}") from problem


# --- A try ------------------------------------------------------------------------------------------------------------


def send_sample(rule: AlertRule, *, now: datetime) -> None:
    """One message by the rule's way, about nothing, so that its owner knows that it arrives. Raises NotTaken."""
    connection = connections(seen_by=principal_of(rule.user)).first()
    if connection is None:
        raise NotTaken("you see no connection that could be told of")
    sample = Alert(
        rule=rule,
        kind=AlertKind.MINE,
        connection=connection,
        subject="This is how an alert looks",
        text="Nothing has happened. You asked for a sample of this rule.",
        party="nobody",
        remedy="nothing is to be done",
        path=reverse("alert-list"),
        raised_at=now,
    )
    deliver(rule, [sample])
