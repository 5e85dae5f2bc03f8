"""Holding a lane with a stated reason: what happened, who must act, how, and since when (M11)."""

from datetime import datetime
from typing import Any

from .ports import LinkRow, Store
from .recovery import Failure, FailureKind
from .rules import RuleGap

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


def hold_delivery(
    store: Store, link: LinkRow, cause: str, text: str, *, remedy: str, now: datetime, **rest: Any
) -> None:
    """Stop the news for the system; the connection's owner must act."""
    party = store.parties(link).owner
    link.delivery_hold = make_hold(cause, text, party=party, remedy=remedy, now=now, **rest)
    store.save(link, "delivery_hold")


def hold_for_rules(store: Store, link: LinkRow, gap: Exception, *, now: datetime, is_intake: bool = False) -> None:
    """The rules do not cover a value: its direction waits until the rules' owner, or the value's author, acts."""
    field, value, remedy = "", None, "correct the expression in the rules, publish them, then resume"
    if isinstance(gap, RuleGap):
        field, value, remedy = gap.field, gap.value, f"{gap.remedy}; publish the rules, then resume"
    party = store.parties(link).owner
    hold = make_hold("rules", str(gap), party=party, remedy=remedy, now=now, field=field, value=value)
    _keep(store, link, hold, is_intake)


def hold_for_failure(store: Store, link: LinkRow, failure: Failure, *, now: datetime, is_intake: bool = False) -> None:
    """A failure that no waiting mends."""
    parties = store.parties(link)
    owner, title = parties.owner, parties.system
    reasons = {
        FailureKind.ACCESS_REFUSED: (
            owner,
            f"give the connection's account in {title} the right that it lacks, then resume",
        ),
        FailureKind.REJECTED: (owner, f"correct the value or the rules ({title} refuses it), then resume"),
        FailureKind.TICKET_CLOSED: (
            parties.integrator,
            "the ticket is closed there; decide whether to follow it up, or skip this entry",
        ),
        FailureKind.VENDOR_FAULT: (
            owner,
            f"{title} fails for this ticket again and again; ask its administrator, then retry",
        ),
        FailureKind.OUR_FAULT: (OUR_PARTY, "this is a fault of the portal; report the text below, then retry"),
    }
    party, remedy = reasons.get(failure.kind, (owner, "look at the last exchange, then retry"))
    hold = make_hold(
        failure.kind.value,
        failure.detail,
        party=party,
        remedy=remedy,
        now=now,
        field=failure.field,
        value=failure.value,
    )
    _keep(store, link, hold, is_intake)


def _keep(store: Store, link: LinkRow, hold: dict[str, Any], is_intake: bool) -> None:
    name = "intake_hold" if is_intake else "delivery_hold"
    setattr(link, name, hold)
    store.save(link, name)
