"""Holding a lane with a stated reason: what happened, who must act, how, and since when (M11)."""

from datetime import datetime
from typing import Any

from apps.ecosystem.selectors import integrator_of

from ..connectors.catalog import CONNECTORS
from ..engine.recovery import Failure, FailureKind
from ..engine.rules import RuleGap
from ..models import TicketLink

OUR_PARTY = "the operator of this portal"


def make_hold(
    cause: str, text: str, *, party: str, remedy: str, now: datetime, field: str = "", value: Any = None
) -> dict[str, Any]:
    """Why a lane waits, as it is stored and shown: cause, words, who must act, and what would help."""
    return {
        "cause": cause,
        "text": text,
        "field": field,
        "value": value,
        "party": party,
        "remedy": remedy,
        "since": now.isoformat(),
    }


def hold_delivery(link: TicketLink, cause: str, text: str, *, remedy: str, now: datetime, **rest: Any) -> None:
    """Stop the news for the system; the connection's owner must act unless ``party`` names another."""
    party = rest.pop("party", link.connection.organization.name)
    link.delivery_hold = make_hold(cause, text, party=party, remedy=remedy, now=now, **rest)
    link.save(update_fields=["delivery_hold"])


def hold_for_rules(link: TicketLink, gap: Exception, *, now: datetime, is_intake: bool = False) -> None:
    """The rules do not cover a value: its direction waits until the rules' owner, or the value's author, acts."""
    field, value, remedy = "", None, "correct the expression in the rules, publish them, then resume"
    if isinstance(gap, RuleGap):
        field, value, remedy = gap.field, gap.value, f"{gap.remedy}; publish the rules, then resume"
    hold = make_hold(
        "rules", str(gap), party=link.connection.organization.name, remedy=remedy, now=now, field=field, value=value
    )
    name = "intake_hold" if is_intake else "delivery_hold"
    setattr(link, name, hold)
    link.save(update_fields=[name])


def hold_for_failure(link: TicketLink, failure: Failure, *, now: datetime, is_intake: bool = False) -> None:
    """A failure that no waiting mends."""
    owner = link.connection.organization
    title = CONNECTORS[link.connection.connector].title
    integrator = integrator_of(owner.customer or owner)
    reasons = {
        FailureKind.ACCESS_REFUSED: (
            owner.name,
            f"give the connection's account in {title} the right that it lacks, then resume",
        ),
        FailureKind.REJECTED: (owner.name, f"correct the value or the rules ({title} refuses it), then resume"),
        FailureKind.TICKET_CLOSED: (
            integrator.name if integrator else owner.name,
            "the ticket is closed there; decide whether to follow it up, or skip this entry",
        ),
        FailureKind.VENDOR_FAULT: (
            owner.name,
            f"{title} fails for this ticket again and again; ask its administrator, then retry",
        ),
        FailureKind.OUR_FAULT: (OUR_PARTY, "this is a fault of the portal; report the text below, then retry"),
    }
    party, remedy = reasons.get(failure.kind, (owner.name, "look at the last exchange, then retry"))
    hold = make_hold(
        failure.kind.value,
        failure.detail,
        party=party,
        remedy=remedy,
        now=now,
        field=failure.field,
        value=failure.value,
    )
    name = "intake_hold" if is_intake else "delivery_hold"
    setattr(link, name, hold)
    link.save(update_fields=[name])
