"""What a link waits for, in the operator's words."""

from typing import Any, NamedTuple

from ..models import Connection, TicketLink


class Wait(NamedTuple):
    """``party`` and ``remedy`` are None while the portal goes on by itself."""

    text: str
    party: str | None = None
    remedy: str | None = None


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


def why_it_waits(link: TicketLink) -> Wait:
    hold = _hold(link)
    if hold is not None:
        return Wait(hold["text"], hold["party"], hold["remedy"])
    connection = link.connection
    if connection.state != Connection.State.ACTIVE:
        text = connection.state_reason or f"the connection is {connection.get_state_display()}"
        return Wait(text, connection.organization.name, "correct the cause, then resume the connection")
    pulse = connection.pulse
    if pulse.limited_until is not None and pulse.limited_until > link.due_at:
        return Wait(f"the system asked us to wait until {pulse.limited_until:%Y-%m-%d %H:%M:%S} UTC")
    if link.attempts:
        return Wait(f"{link.last_failure}; tried {link.attempts} times, next at {link.due_at:%Y-%m-%d %H:%M:%S} UTC")
    return Wait("its turn comes with the next round")
