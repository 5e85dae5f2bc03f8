"""What goes wrong: in systems, on the way of webhooks, and in the portal itself."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from ..connectors.base import ConnectorError
from ..engine.hearing import accept_notices
from ..engine.plan import UpdateRemote
from ..engine.snapshot import ExternalRef, NoticeHint
from ..engine.work import Do
from .brittle import Killed, StoreDown
from .people import close_there, edit_there, publish, remote, resume
from .words import ADMINISTRATOR, BOT

if TYPE_CHECKING:
    from .system import RemoteTicket, SimulatedSystem
    from .workers import Errand, Worker
    from .world import Notice, World


# --- In the systems ---------------------------------------------------------------------------------------------------


def trouble_ticket(world: "World", a: int, b: int, c: int) -> str | None:
    """Something happens to one ticket that no connector can help."""
    if b & 2048 and (told := _merge_into_new(world, a, c)) is not None:
        return told
    under_way = _worked_at(world, a) if b & 1024 else None
    found = _whose(world, under_way) or remote(world, a, b)
    if found is None:
        return None
    system, ticket = found
    kind = TROUBLES[c % len(TROUBLES)]
    names, name = system.profile.fields, system.profile.name
    if kind == "status":
        # A status is renamed: what stood there reads differently, and the rules do not know it.
        field = names["status"]
        if ticket.fields[field] == system.profile.final:
            return None
        try:
            system.statuses.setdefault("Odd", tuple(system.profile.statuses))
            here = str(ticket.fields[field])
            system.statuses[here] = (*system.statuses.get(here, ()), "Odd")
            system.edit(ticket, {field: "Odd"}, by=ADMINISTRATOR)
        except ConnectorError:
            return None
        ticket.odd.add(21)
        return f"the status of {ticket.id} is renamed"
    if kind == "move" and system.profile.moves:
        ticket.odd.add(17)
        system.set_flags(ticket, key=f"NEW-{ticket.id}")
        return f"{ticket.id} moves to another project"
    if kind == "comment" and ticket.comments:
        ticket.odd.add(41)
        place = c // 16 % len(ticket.comments)
        body = None if c % 3 else ticket.comments[place].body + " edited"
        system.edit_comment(ticket, place, body)
        return f"a comment on {ticket.id} is {'rewritten' if body else 'taken away'}"
    if kind == "merge" and system.profile.merges:
        return _merge(system, ticket, [one for one in system.tickets.values() if one is not ticket], c // 16)
    flags = {"delete": "is_deleted", "hide": "is_hidden", "refuse": "is_refused", "poison": "is_poisoned"}
    if kind in flags:
        system.set_flags(ticket, **{flags[kind]: True})
        return f"{ticket.id} of {name}: {flags[kind]}"
    if kind == "close" and system.profile.final:
        return close_there(system, ticket)
    if kind == "revert":
        written = _written(under_way) or list(names.values())
        ticket.reverting.add(written[c // 16 % len(written)])
        return f"a rule puts {sorted(ticket.reverting)} of {ticket.id} back"
    return None


TROUBLES = (
    "status", "move", "comment", "merge", "delete", "hide", "refuse", "poison", "revert", "comment", "close", "merge",
    "refuse", "poison", "hide",
)  # fmt: skip


def _merge(system: "SimulatedSystem", ticket: "RemoteTicket", others: "Sequence[RemoteTicket]", c: int) -> str | None:
    """It is merged into one of the others that can take it."""
    able = [one for one in others if not (one.merged_into or one.is_deleted or one.is_hidden or system.is_closed(one))]
    if not able or any(one.merged_into == ticket.id for one in system.tickets.values()):
        return None
    system.set_flags(ticket, merged_into=able[c % len(able)].id)
    return f"{ticket.id} is merged into {ticket.merged_into}"


def _merge_into_new(world: "World", a: int, c: int) -> str | None:
    """Somebody sees a ticket appear, and merges an older one about the same into it. We may not know yet that it was
    made, or wait for that very answer."""
    store = world.store
    for system in [one for one in world.systems.values() if one.profile.merges]:
        open_ = [store.open[pk] for pk in store.links_of[system.name] if pk in store.open]
        under_way = {store.intents[pk].correlation for pk in open_}
        new = [one for one in system.tickets.values() if one.correlation in under_way]
        older = [one for one in system.tickets.values() if one not in new and not (one.merged_into or one.is_deleted)]
        if new and older:
            return _merge(system, older[a % len(older)], new, c)
    return None


def _worked_at(world: "World", a: int) -> "tuple[Worker, Errand] | None":
    """What a worker is at, at this moment: trouble comes before its next request. Writes are seldom, and go first."""
    waiting = [(worker, errand) for worker in world.workers for errand in worker.waiting()]
    writing = [one for one in waiting if isinstance(one[1].work, Do)]
    chosen = writing or waiting
    return chosen[a % len(chosen)] if chosen else None


def _whose(world: "World", under_way: "tuple[Worker, Errand] | None") -> "tuple[SimulatedSystem, RemoteTicket] | None":
    """The ticket that it is about, unless that is gone or still to be made."""
    if under_way is None:
        return None
    worker, errand = under_way
    system, ref = world.systems[worker.connection.pk], errand.work.ref
    ticket = system.tickets.get(ref.id) if ref is not None else None
    return None if ticket is None or ticket.is_deleted or ticket.is_hidden else (system, ticket)


def _written(under_way: "tuple[Worker, Errand] | None") -> list[str]:
    """The fields that are being written."""
    step = getattr(under_way[1].work, "step", None) if under_way is not None else None
    return list(step.fields) if isinstance(step, UpdateRemote) else []


def heal_ticket(world: "World", a: int, b: int, _c: int) -> str | None:
    """It is there again, allowed again, well again."""
    system = list(world.systems.values())[a % len(world.systems)]
    ill = [
        one
        for one in system.tickets.values()
        if one.is_deleted or one.is_hidden or one.is_refused or one.is_poisoned or one.reverting
    ]
    if not ill:
        return None
    ticket = ill[b % len(ill)]
    make_well(world, system.name, ticket.id)
    return f"{ticket.id} is restored"


def make_well(world: "World", name: str, ticket_id: str) -> None:
    system = world.systems[name]
    ticket = system.tickets[ticket_id]
    ticket.reverting.clear()
    system.set_flags(ticket, is_deleted=False, is_hidden=False, is_refused=False, is_poisoned=False)


def trouble_system(world: "World", a: int, b: int, c: int) -> str | None:
    """Something happens to a whole system."""
    system = list(world.systems.values())[a % len(world.systems)]
    kind = b % 6
    if kind in (0, 1):
        under_way = _worked_at(world, a) if b & 1024 else None
        system = world.systems[under_way[0].connection.pk] if under_way is not None else system
        system.token += 1
        return f"the token of {system.name} expires"
    if kind == 2:
        system.is_revoked = True
        return f"the token of {system.name} is revoked"
    if kind == 3:
        # A clock may be minutes off for ever; backwards it goes by seconds only, which is what overlaps are for.
        system.skew = world.skews[system.name] + (-7.0, 0.0, 7.0)[c % 3]
        return f"the clock of {system.name} is {system.skew:+.0f} seconds off"
    if kind == 4:
        lost = list(system.profile.statuses)[c % len(system.profile.statuses)]
        system.statuses = {name: tuple(one for one in ways if one != lost) for name, ways in system.statuses.items()}
        return f"nothing leads to {lost} in {system.name} any more"
    system.statuses = dict(system.profile.statuses)
    return f"the workflow of {system.name} is as it was"


def act_as_us(world: "World", a: int, b: int, c: int) -> str | None:
    """A rule of the system, or a person, edits with our account (F23, F24)."""
    told = edit_there(world, a, b, c, BOT)
    found = remote(world, a, b)
    if told is not None and found is not None:
        found[1].odd.add(23 + (c >> 8) % 2)
    return told


# --- Webhooks ---------------------------------------------------------------------------------------------------------


def notice_comes(world: "World", a: int, b: int, _c: int) -> str | None:
    if not world.notices:
        return None
    place = a % len(world.notices) if b % 3 == 0 else 0
    notice = world.notices.pop(place)
    if place:
        world.coverage.hit(26, "notice", world.systems[notice.connection.pk].profile.name)
    return deliver(world, notice)


def deliver(world: "World", notice: "Notice") -> str:
    """One webhook at the portal's door: answered with success only after it is stored (INV-1)."""
    connection = notice.connection
    versions = {notice.ref.id: notice.version} if notice.version else {}
    if world.has_old_portal and notice.place % 2:
        world.store.counts_hints = False
        world.coverage.hit(60, "hear")
    hint = NoticeHint(notice.delivery_id, (notice.ref,), versions=versions)
    try:
        accept_notices(world.port, world.store.handed(connection), [hint], now=world.portal_now())
    except (StoreDown, Killed):
        notice.attempts += 1
        tries = world.systems[connection.pk].profile.retries_notices
        world.unsubscribed[connection.pk] = world.unsubscribed.get(connection.pk, 0) + 1
        if notice.attempts <= tries:
            world.notices.append(notice)
        return f"{notice.delivery_id} of {connection.pk} is refused and comes again {notice.attempts <= tries}"
    finally:
        world.store.counts_hints = True
    world.watch.hinted(connection, notice.ref.id, notice.place)
    world.unsubscribed.pop(connection.pk, None)
    if len(world.delivered) > 20:
        del world.delivered[0]
    world.delivered.append(notice)
    return f"{notice.delivery_id} of {connection.pk} tells of {notice.ref.id}"


def trouble_notices(world: "World", a: int, b: int, c: int) -> str | None:
    """A webhook is doubled, lost, replayed, or about nothing."""
    kind = c % 4
    if kind < 2 and world.notices:
        place = a % len(world.notices)
        notice = world.notices[place]
        name = world.systems[notice.connection.pk].profile.name
        if kind:
            del world.notices[place]
            world.coverage.hit(27, "notice", name)
            return f"{notice.delivery_id} of {notice.connection.pk} is lost"
        world.coverage.hit(25, "notice", name)
        return deliver(world, notice) + ", and will come again"
    if kind == 2 and world.delivered:
        notice = world.delivered[a % len(world.delivered)]
        world.coverage.hit(31, "notice", world.systems[notice.connection.pk].profile.name)
        return deliver(world, notice) + ", again"
    connection = list(world.store.connections.values())[a % len(world.systems)]
    world.coverage.hit(28, "notice", world.systems[connection.pk].profile.name)
    try:
        hint = NoticeHint(f"x{b}", (ExternalRef(f"{connection.pk}-9{b % 9}", ""),))
        accept_notices(world.port, world.store.handed(connection), [hint], now=world.portal_now())
    except StoreDown:
        pass
    return f"a webhook of {connection.pk} names a ticket that does not exist"


# --- In the portal ----------------------------------------------------------------------------------------------------


def kill_worker(world: "World", a: int, b: int, _c: int) -> str | None:
    """A worker dies between two requests; the one under way may still arrive."""
    if not world.workers:
        return None
    worker = world.workers.pop(a % len(world.workers))
    waiting = [errand for errand in worker.errands if errand.call is not None]
    sent = b % 2 and waiting and worker.lease.is_held()
    if sent:
        errand = waiting[b % len(waiting)]
        world.at_work = (worker, errand)
        world.serve(worker.connection, errand.call, 1023)  # type: ignore[arg-type]
    worker.give_up()
    world.coverage.hit(50, "call")
    return f"a worker of {worker.connection.pk} is killed{', its request was sent' if sent else ''}"


def kill_portal(world: "World", _a: int, _b: int, _c: int) -> str | None:
    if not world.workers and not world.polls:
        return None
    for worker in world.workers:
        worker.give_up()
    world.workers.clear()
    world.polls.clear()
    world.coverage.hit(50, "poll")
    return "the whole portal is killed and started again"


def freeze_worker(world: "World", a: int, _b: int, _c: int) -> str | None:
    awake = [worker for worker in world.workers if not worker.frozen]
    if not awake:
        return None
    worker = awake[a % len(awake)]
    worker.frozen = True
    world.coverage.hit(51, "call")
    return f"a worker of {worker.connection.pk} stands still"


def thaw_worker(world: "World", a: int, _b: int, _c: int) -> str | None:
    frozen = [worker for worker in world.workers if worker.frozen]
    if not frozen:
        return None
    worker = frozen[a % len(frozen)]
    worker.frozen = False
    return f"a worker of {worker.connection.pk} goes on"


def trouble_database(world: "World", a: int, b: int, _c: int) -> str | None:
    if a % 4 == 1 and world.workers:
        world.store.failing_renewals = 1 + b % 8
        return "the database takes no renewal of a claim for a while"
    if world.store.is_read_only or a % 4:
        return None
    world.store.is_read_only = True
    world.coverage.hit(55, "portal")
    return "the database is read-only"


def mend_database(world: "World", _a: int, _b: int, _c: int) -> str | None:
    if not world.store.is_read_only:
        return None
    world.store.is_read_only = False
    return "the database can be written again"


def trouble_clock(world: "World", a: int, _b: int, _c: int) -> str:
    world.set_clock((0.0, 90.0, -90.0, 3600.0, -3600.0, 86400.0, -86400.0)[a % 7])
    world.coverage.hit(56, "portal")
    return f"the portal's clock is {world.clock_error:+.0f} seconds off"


def trouble_rules(world: "World", a: int, b: int, c: int) -> str | None:
    """Rules become stricter or what they were; a connection is paused or goes on (F58, F59)."""
    from .world import loosened, tightened

    connection = list(world.store.connections.values())[a % len(world.systems)]
    kind = b % 4
    if kind == 0 and connection.state == "active":
        world.store.update(connection, state="paused")
        world.coverage.hit(58, "portal")
        return f"{connection.pk} is paused"
    if connection.state != "active":
        resume(world, connection)
        return f"{connection.pk} goes on"
    if kind == 1:
        world.watch.tightened.add(connection.pk)
        publish(world, connection, tightened(connection.rules, c))
        world.coverage.hit(58, "portal")
        return f"the rules of {connection.pk} become stricter"
    publish(world, connection, loosened(connection.rules, world.plain_rules[connection.pk]))
    world.coverage.hit(59, "portal")
    return f"the rules of {connection.pk} are as they were"


def sweep(world: "World", a: int, _b: int, _c: int) -> str | None:
    """Mark the links of a connection to be compared as a whole."""
    connection = list(world.store.connections.values())[a % len(world.systems)]
    marked = sweep_connection(world, connection.pk)
    return f"{marked} tickets of {connection.pk} are to be compared as a whole" if marked else None


def sweep_connection(world: "World", pk: str) -> int:
    marked, now = 0, world.portal_now()
    for link in list(world.store.links_of[pk].values()):
        if link.state == "linked" and link.intake_hold is None:
            world.store.update(link, look_wanted=link.look_wanted + 1, compare_wanted=True, swept_at=now)
            marked += 1
    return marked


def time_goes_by(world: "World", a: int, _b: int, _c: int) -> str:
    seconds = (5.0, 20.0, 60.0, 600.0, 3600.0)[a % 5]
    if any(not worker.frozen for worker in world.workers):
        seconds = min(seconds, 20.0)
    world.pass_time(seconds)
    return f"{timedelta(seconds=seconds)} go by"
