"""What a link waits for, in the operator's words."""

from typing import Any

from ..models import TicketLink


def entries_waiting(link: TicketLink) -> int:
    """How many journal entries the link still owes its system; creating the ticket there counts as one."""
    if link.ticket is None or link.state not in (TicketLink.State.LINKED, TicketLink.State.CREATING):
        return 0
    is_new = link.state == TicketLink.State.CREATING
    return max(0, link.ticket.last_seq - max(link.applied_seq, link.start_seq)) + is_new


def status_there(link: TicketLink) -> str | None:
    """The status in the system's own words, as both sides last agreed on it."""
    for key, (_hub, system, _seq) in link.merge_base.items():
        if key.startswith("status="):
            return None if system is None else str(system)
    return None


def _hold(link: TicketLink) -> dict[str, Any] | None:
    return link.delivery_hold or link.intake_hold


def describe_hold(link: TicketLink) -> str | None:
    """Cause, party and remedy in one sentence; None when nothing is held."""
    hold = _hold(link)
    return None if hold is None else f"{hold['text'].rstrip('.')}. {hold['party']} must act: {hold['remedy']}."
