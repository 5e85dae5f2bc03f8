"""What became of one ticket, told in full: read when a run has found a fault, for the next run will not be the same."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from siamportal.demo.stage import Stage

    from .crew import Case

LONGEST = 300


def story(stage: "Stage", case: "Case") -> str:
    """What people did, the journal, what was written to each system, and what each system logged."""
    lines = [f"--- {case.name}, filed in {case.home} as {case.ids}"]
    lines += [f"people: {name} {done}" for name, done in _deeds(case).items() if done]
    return "\n".join([*lines, *_journal(case), *_logs(stage, case), "---"])


def _deeds(case: "Case") -> dict[str, list[str] | list[tuple[str, str]]]:
    return {
        "said": case.said,
        "said in secret": case.secrets,
        "titles": case.titles,
        "stages": case.stages,
        "sites": case.sites,
        "statuses": case.statuses,
        "said late": case.late,
    }


def _journal(case: "Case") -> Iterator[str]:
    from apps.sync.models import Connection, TicketLink

    names = {str(one.pk): one.connector for one in Connection.objects.all()}
    home = TicketLink.objects.filter(connection__connector=case.home, external_id=case.ids[case.home]).first()
    if home is None or home.ticket is None:
        yield f"the portal has no ticket for it; its link: {home and home.state}"
        return
    for event in home.ticket.events.order_by("seq").select_related("comment"):
        what = event.changes or (event.comment.body if event.comment else event.text)
        came = f"{names.get(event.origin, event.origin)} {event.origin_ref}"
        when = f"at {event.at:%T.%f}, known {event.recorded_at:%T.%f}"
        yield f"journal {event.seq} {event.kind} {what} from {came}, {when}"
    for link in home.ticket.links.select_related("connection"):
        name = link.connection.connector
        yield f"{name}: {link.state}, applied {link.applied_seq}, cursor {link.change_cursor}, base {link.merge_base}"
        for one in link.intents.order_by("pk"):
            ended = f"{one.settled_at:%T.%f}" if one.settled_at else "never"
            wrote = str(one.fields)[:LONGEST]
            yield f"{name} {one.seq} {one.slot}: {one.state} {one.note} {one.created_at:%T.%f} to {ended} {wrote}"


def _logs(stage: "Stage", case: "Case") -> Iterator[str]:
    for name, id_ in case.ids.items():
        ticket = stage.doors[name].ticket(id_)
        for one in ticket["log"] if ticket else ():
            yield f"log of {name}: {str(one)[:LONGEST]}"
        for said in ticket["comments"] if ticket else ():
            yield f"comment in {name}: {str(said)[:LONGEST]}"
