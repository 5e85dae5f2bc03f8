"""A brake that tripped on a connection, with its list: for the tests of pages, API and alerts."""

from collections.abc import Sequence
from datetime import datetime

from apps.sync.engine.holding import make_hold
from apps.sync.models import Brake, Connection, GraveAct, TicketLink


def add_brake(
    connection: Connection,
    stopped: Sequence[TicketLink],
    through: Sequence[TicketLink] = (),
    *,
    at: datetime,
    before: str = "Berlin",
) -> Brake:
    """The site of the tickets of ``stopped`` would be emptied in the portal; of those of ``through`` it was."""
    brake = Brake.objects.create(
        connection=connection,
        kind="blank",
        into="hub",
        reason="11 tickets would be emptied within 10 minutes; at most 0 were in any like time, and 10 pass unasked",
        tripped_at=at,
    )
    for links, standing in ((stopped, "stopped"), (through, "carried_out")):
        for link in links:
            GraveAct.objects.create(
                connection=connection,
                link=link,
                brake=brake,
                kind="blank",
                into="hub",
                key="custom.site=site",
                field="custom.site",
                before=before,
                after="",
                hub_before=before,
                standing=standing,
                at=at,
            )
    for link in stopped:
        link.intake_hold = make_hold(
            "brake",
            f"custom.site {before!r} → '': it would be emptied in the portal",
            party=connection.organization.name,
            remedy="look at the list under Brakes and answer there",
            now=at,
            field="custom.site",
        )
        link.save(update_fields=["intake_hold"])
    return brake
