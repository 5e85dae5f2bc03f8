"""What people do: in the hub, in the systems, and with lanes that wait for them."""

import contextlib
from collections.abc import Collection
from typing import TYPE_CHECKING

from ..connectors.base import ConnectorError
from ..engine.linking import offer_ticket
from ..engine.merge import NEVER, Agreement, Verdict
from ..engine.ports import HubRefused, IntentState, LinkState
from ..engine.rules import ELLIPSIS, RuleGap, into_hub
from ..engine.snapshot import Value, Visibility
from ..engine.taking import pending_for
from .brittle import StoreDown
from .rows import Said, SimulatedConflict, SimulatedConnection, SimulatedLink, SimulatedTicket
from .system import RemoteTicket, SimulatedSystem
from .words import AUDIENCES, HUB_MOVES, NAMES, PERSON, PORTAL, PRIORITIES, marked

if TYPE_CHECKING:
    from .world import World

IMPORTED, FOLLOWING = 5, 2
"""How many tickets are imported at once, and how many follow one by one."""
LATEST = 0.6
"""How late, as a share of its connector's overlap, a system may show what is imported; the rest is for its clock."""
SIZES = (1, 40, 350, 0, 500)


def _ticket(world: "World", a: int) -> SimulatedTicket | None:
    tickets = list(world.store.tickets.values())
    return tickets[a % len(tickets)] if tickets else None


def _system(world: "World", a: int) -> SimulatedSystem:
    systems = list(world.systems.values())
    return systems[a % len(systems)]


def remote(world: "World", a: int, b: int) -> tuple[SimulatedSystem, RemoteTicket] | None:
    """A living ticket of some system."""
    system = _system(world, a)
    living = [one for one in system.tickets.values() if not (one.is_deleted or one.is_hidden or one.merged_into)]
    return (system, living[b % len(living)]) if living else None


def _text(world: "World", b: int, *, is_secret: bool = False) -> str:
    world.texts += 1
    return marked(world.texts, b) + _kept_secret(world, is_secret)


def _kept_secret(world: "World", is_secret: bool) -> str:
    """What a world's twin has more in texts that are kept from one system (INV-28)."""
    world.secrets += is_secret
    return world.secret if is_secret else ""


# --- In the hub -------------------------------------------------------------------------------------------------------


def open_here(world: "World", a: int, b: int, _c: int) -> str | None:
    if len(world.store.tickets) >= world.most_tickets:
        return None
    owner = list(world.systems)[a % len(world.systems)]
    values = {"kind": "incident", "title": _text(world, b), "priority": PRIORITIES[a % 4]}
    with world.store.atomic():
        made = world.store.open_here(owner, values, at=world.portal_now())
    return f"{owner} opens {made.pk} in the portal"


def share(world: "World", a: int, b: int, _c: int) -> str | None:
    """Offer a ticket to a system's rules, as every change of it does."""
    ticket, connections = _ticket(world, a), list(world.store.connections.values())
    connection = connections[b % len(connections)]
    if ticket is None or connection.state not in ("active", "on_hold"):
        return None
    if any(link.ticket_id == ticket.pk for link in world.store.links_of[connection.pk].values()):
        return None
    offered, asked = world.store.handed(ticket), world.store.handed(connection)
    made = offer_ticket(world.port, asked, offered, connection.rules, now=world.portal_now())
    return f"{ticket.pk} is offered to {connection.pk}" if made is not None else None


def edit_here(world: "World", a: int, b: int, c: int) -> str | None:
    ticket = _ticket(world, a)
    if ticket is None:
        return None
    name = ("title", "title", "assignee", "custom.site", "priority", "status")[b % 6]
    value = _hub_value(world, ticket, name, c)
    with world.store.atomic():
        changed = world.store.change(ticket.pk, {name: value}, at=world.portal_now(), origin=PORTAL)
    world.edits += changed
    return f"somebody sets {name} of {ticket.pk} to {value!r} in the portal" if changed else None


def _hub_value(world: "World", ticket: SimulatedTicket, name: str, c: int) -> str:
    if name == "status":
        moves = HUB_MOVES[str(ticket.fields["status"])]
        chosen = moves[c % len(moves)]
        return chosen if chosen != "closed" or c % 5 == 0 else "in_progress"
    if name == "priority":
        return PRIORITIES[c % 4]
    if name == "assignee":
        return NAMES[c % len(NAMES)]
    is_secret = name == "custom.site" and bool(world.kept_from)
    return _text(world, c, is_secret=is_secret) if name == "title" or c % 4 else ""


def say_here(world: "World", a: int, b: int, c: int) -> str | None:
    ticket, owners = _ticket(world, a), list(world.systems)
    if ticket is None:
        return None
    audience = AUDIENCES[b % 3] if b % 2 else "public"
    owner = owners[c % len(owners)] if c % 3 else "integrator"
    chosen = frozenset({owners[b % len(owners)]}) if audience == "chosen" else frozenset()
    is_secret = audience != "public" and world.kept_from not in ("", owner, *chosen)
    said = Said("", _text(world, b, is_secret=is_secret), "Marco", owner, audience, chosen)
    with world.store.atomic():
        world.store.say(ticket.pk, said, at=world.portal_now(), origin=PORTAL)
    return f"{owner} comments {said.body!r} on {ticket.pk} in the portal, for {audience} {sorted(chosen) or ''}"


def attach_here(world: "World", a: int, b: int, c: int) -> str | None:
    ticket = _ticket(world, a)
    if ticket is None:
        return None
    content = _content(world, b) + _kept_secret(world, is_secret=not c % 4 and bool(world.kept_from))
    said = Said("", f"log{c % 2}.txt", "Marco", "integrator", "public" if c % 4 else "internal", size=len(content))
    said.sha256, said.content_type = content, "text/plain"
    with world.store.atomic():
        world.store.say(ticket.pk, said, at=world.portal_now(), origin=PORTAL)
    return f"a file of {len(content)} bytes is put on {ticket.pk} in the portal"


def _content(world: "World", b: int) -> str:
    world.texts += 1
    mark = f"#{world.texts}#"
    return mark.ljust(SIZES[b % len(SIZES)], ".")


# --- In the systems ---------------------------------------------------------------------------------------------------


def open_there(world: "World", a: int, b: int, c: int) -> str | None:
    system = _system(world, a)
    if max(len(world.store.tickets), len(system.tickets)) >= world.most_tickets:
        return None
    names = system.profile.fields
    try:
        ticket = system.open({names["title"]: _text(world, b), names["assignee"]: NAMES[c % 4]}, by=PERSON)
    except ConnectorError:
        return None
    if c % 2:
        system.say(ticket, _text(world, b), Visibility.PUBLIC, by=PERSON)
    return f"somebody opens {ticket.id}"


def import_there(world: "World", a: int, _b: int, c: int) -> str | None:
    """Somebody imports tickets in bulk, within a moment or some seconds, and no webhook tells of it (F62): more than
    one page of asking can hold. The first are shown later than younger ones, committed or indexed when their turn came.
    In the middle of them the system has enough of being asked, and the import goes on while the listing is left lying.
    """
    asked = [world.systems[one.connection.pk] for one in world.polls]
    if world.imported_into is not None:
        return _import(world, world.imported_into, 1, 0, c)
    # It begins while somebody asks what changed: it takes long, and meets that sooner or later.
    if not asked:
        return None
    world.imported_into = asked[a % len(asked)]
    return _import(world, world.imported_into, IMPORTED, 1 + c % (IMPORTED - 1), c)


def _import(world: "World", system: SimulatedSystem, count: int, late: int, c: int) -> str | None:
    """So many more tickets are imported, the first ``late`` of which are shown late."""
    if len(system.imported) >= IMPORTED + FOLLOWING:
        return None
    name, told, lag, system.told = system.profile, system.told, system.lag, lambda _ticket: None
    # What is exported only after a while is never late: that is what the while is for.
    longest = 0.0 if name.withheld_seconds else name.capabilities.overlap_seconds * LATEST
    for number in range(count):
        system.lag = lambda number=number: longest if number < late else 0.0  # type: ignore[misc]
        made = system.open({name.fields["title"]: _text(world, 0), name.fields["assignee"]: NAMES[c % 4]}, by=PERSON)
        system.imported.add(made.id)
        world.pass_time(c // 16 % 4)
    system.told, system.lag = told, lag
    world.coverage.hit(62, "changed_since", name.name)
    return f"{count} tickets are imported into {system.name}"


def close_there(system: SimulatedSystem, ticket: RemoteTicket) -> str | None:
    """A person takes a ticket to where nothing more is added to it, on the shortest way that there is."""
    names = system.profile.fields
    for status in (system.profile.solved, system.profile.final):
        needed = {system.profile.needed: "fixed"} if system.profile.needed else {}
        with contextlib.suppress(ConnectorError):
            system.edit(ticket, {names["status"]: status, **needed}, by=PERSON)
    return f"somebody closes {ticket.id}{' for good' if system.is_closed(ticket) else ', or tries to'}"


def edit_there(world: "World", a: int, b: int, c: int, by: str = PERSON) -> str | None:
    found = remote(world, a, b)
    if found is None:
        return None
    system, ticket = found
    fields = _system_fields(world, system, ticket, c)
    if fields is None:
        return None
    try:
        made = system.edit(ticket, fields, by=by)
    except ConnectorError:
        return None
    world.edits += bool(made)
    return f"{by} sets {fields} on {ticket.id}" if made else None


def _system_fields(world: "World", system: SimulatedSystem, ticket: RemoteTicket, c: int) -> dict[str, Value] | None:
    names = system.profile.fields
    hub_name = ("title", "title", "assignee", "custom.site", "priority", "status", "status")[c % 7]
    name, pick = names[hub_name], c // 7
    here = ticket.fields[name]
    if hub_name == "title" and pick % 3 == 0 and isinstance(here, str) and here.endswith(ELLIPSIS.strip()):
        # Somebody touches a text that we had to shorten there.
        return {name: here.replace("long ", "", 1)}
    if hub_name == "status":
        ways = system.statuses.get(str(ticket.fields[name]), ())
        if not ways:
            return None
        value = ways[pick % len(ways)]
        if value == system.profile.final and pick % 5:
            return None
        needed = {system.profile.needed: "fixed"} if value == system.profile.solved and system.profile.needed else {}
        return {name: value, **needed}
    if hub_name == "priority":
        return {name: f"P{1 + pick % 3}"}
    if hub_name == "assignee":
        return {name: NAMES[pick % len(NAMES)]}
    is_secret = hub_name == "custom.site" and world.kept_from not in ("", system.name)
    return {name: _text(world, pick, is_secret=is_secret) if hub_name == "title" or pick % 4 else ""}


def say_there(world: "World", a: int, b: int, c: int) -> str | None:
    found = remote(world, a, b)
    if found is None:
        return None
    system, ticket = found
    hidden = c % 3 == 0 and system.profile.capabilities.has_internal_comments
    body = _text(world, c, is_secret=hidden and world.kept_from not in ("", system.name))
    try:
        system.say(ticket, body, Visibility.INTERNAL if hidden else Visibility.PUBLIC, by=PERSON)
    except ConnectorError:
        return None
    if hidden:
        world.watch.internal[system.name, world.texts] = ticket.id
    return f"somebody comments {body!r} on {ticket.id}{', internally' if hidden else ''}"


def attach_there(world: "World", a: int, b: int, c: int) -> str | None:
    found = remote(world, a, b)
    if found is None:
        return None
    system, ticket = found
    content = _content(world, c)
    try:
        system.attach(ticket, f"log{c % 2}.txt", content, by=PERSON)
    except ConnectorError:
        return None
    return f"somebody puts a file of {len(content)} bytes on {ticket.id}"


# --- With lanes that wait ---------------------------------------------------------------------------------------------


def retry(world: "World", a: int, _b: int, _c: int) -> str | None:
    held = [one for one in world.store.links.values() if one.delivery_hold is not None or one.intake_hold is not None]
    if not held:
        return None
    link = held[a % len(held)]
    retry_lane(world, link)
    return f"somebody retries the lane {link.pk} of {link.connection.pk}"


def retry_lane(world: "World", link: SimulatedLink) -> None:
    """Try again now; a question about a conflict stays open."""
    store = world.store
    with store.atomic():
        hold = link.delivery_hold if store.asked[link.pk] else None
        looks = link.look_wanted + bool(link.external_id)
        store.update(
            link, delivery_hold=hold, intake_hold=None, attempts=0, due_at=world.portal_now(), look_wanted=looks
        )


def skip(world: "World", link: SimulatedLink) -> bool:
    """Leave out the entry at the head of the lane, on record."""
    store, now = world.store, world.portal_now()
    if link.delivery_hold is None or link.ticket_id is None or link.state == LinkState.CREATING:
        return False
    ticket = store.tickets[link.ticket_id]
    if link.applied_seq >= ticket.last_seq or store.asked[link.pk]:
        return False
    with store.atomic():
        seq, base = link.applied_seq + 1, dict(link.base)
        for name, (_before, after) in ticket.journal[seq - 1].changes.items():
            for rule in link.connection.rules.of_hub(name):
                held = base.get(rule.key, NEVER)
                if seq > held.seq:
                    base[rule.key] = Agreement(after, held.system, seq)
        store.update(link, applied_seq=seq, base=base, delivery_hold=None, attempts=0, due_at=now)
        store.close_open_intents(link, "skipped", now)
        held = store.handed(link)
        store.add_intent(held, seq=seq, slot="skipped", correlation="", state=IntentState.WITHHELD, now=now)
        store.note(held, f"Entry {seq} was left out.", now=now)
    return True


def give_in(world: "World", link: SimulatedLink) -> None:
    """Let the system's values hold where it refuses the hub's for good, and no entry could be left out."""
    store, system = world.store, world.systems[link.connection.pk]
    ticket = system.tickets.get(link.external_id)
    if ticket is None or link.ticket_id is None:
        return
    for rule in link.connection.rules.fields:
        if rule.goes_in and rule.comes_out:
            with contextlib.suppress(RuleGap, HubRefused), store.atomic():
                value = into_hub(rule, ticket.fields.get(rule.system))
                store.change(link.ticket_id, {rule.hub: value}, at=world.portal_now(), origin=PORTAL)


def answer(world: "World", a: int, b: int, _c: int) -> str | None:
    asked = [one for group in world.store.asked.values() for one in group.values()]
    if not asked:
        return None
    conflict = asked[a % len(asked)]
    choice = ("hub", "system")[b % 2]
    return (
        f"somebody lets {choice} hold for {conflict.key} of {conflict.link_pk}"
        if settle_conflict(world, conflict, choice)
        else None
    )


def settle_conflict(world: "World", conflict: SimulatedConflict, choice: str) -> bool:
    """Choose which value holds. While the question is open the system has its own value and needs no write."""
    store, link = world.store, world.store.links[conflict.link_pk]
    rule = next((one for one in link.connection.rules.fields if one.key == conflict.key), None)
    now = world.portal_now()
    try:
        with store.atomic():
            if rule is not None and choice == "system" and link.ticket_id is not None:
                value = into_hub(rule, conflict.system_value)
                store.change(link.ticket_id, {rule.hub: value}, at=now, origin=PORTAL)
                agreed = Agreement(value, conflict.system_value, store.tickets[link.ticket_id].last_seq)
                store.update(link, base={**link.base, rule.key: agreed})
            elif rule is not None and rule.key not in pending_for(
                world.port, store.handed(link), link.connection.rules
            ):
                store.update(link, repair=sorted({*link.repair, rule.key}))
            verdict = Verdict.TO_HUB if choice == "system" else Verdict.TO_SYSTEM
            store.answer(conflict, verdict)
            if not store.asked[link.pk] and link.delivery_hold and link.delivery_hold["cause"] == "conflict":
                store.update(link, delivery_hold=None, due_at=now)
            store.update(link, look_wanted=link.look_wanted + 1)
    except (RuleGap, HubRefused, StoreDown):
        return False
    return True


def _pending(world: "World", link: SimulatedLink) -> Collection[str]:
    return pending_for(world.port, world.store.handed(link), link.connection.rules)


def publish(world: "World", connection: SimulatedConnection, rules: object) -> None:
    """Put other rules in force; lanes that waited for rules go on."""
    store, now = world.store, world.portal_now()
    with store.atomic():
        store.update(connection, rules=rules)
        for link in store.links_of[connection.pk].values():
            for name in ("delivery_hold", "intake_hold"):
                hold = getattr(link, name)
                if hold is not None and hold["cause"] == "rules":
                    store.update(link, **{name: None}, attempts=0, due_at=now)


def resume(world: "World", connection: SimulatedConnection) -> None:
    """The credentials are renewed and the connection goes on."""
    system = world.systems[connection.pk]
    system.is_revoked = False
    world.store.update(connection, state="active")
    world.unsubscribed.pop(connection.pk, None)
