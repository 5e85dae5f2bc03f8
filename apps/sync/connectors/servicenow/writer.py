"""Writing to one ticket: values, states, and which version a write left behind."""

from collections.abc import Mapping

from apps.sync.connectors.base import ConnectorError, NoRoute, Rejected, TicketClosed, Writing
from apps.sync.engine.snapshot import Fields, Value

from .client import PolicyRefused, Record, RuleAborted, ServiceNowClient
from .columns import Column, Dictionary, Kind
from .history import audit_id
from .reader import Reader
from .references import References
from .states import STATE, StateModel
from .translate import OF_STEP, held, write_value

ALWAYS = ("sys_id", "number", "sys_mod_count", "sys_updated_on", STATE)


class Writer:
    """Sends field values; one call carries state and fields together."""

    def __init__(
        self,
        client: ServiceNowClient,
        dictionary: Dictionary,
        references: References,
        states: StateModel,
        reader: Reader,
    ) -> None:
        self._client = client
        self._table = client.settings.table
        self._dictionary = dictionary
        self._references = references
        self._states = states
        self._reader = reader

    async def wire(self, fields: Fields) -> dict[str, str]:
        """The strings to be sent. Raises Rejected naming the first field that the table does not take."""
        columns = await self._dictionary.columns()
        return {name: await self._wire_one(columns.writable(name), value) for name, value in fields.items()}

    async def _wire_one(self, column: Column, value: Value) -> str:
        if value in (None, "", ()):
            return ""
        if column.kind is Kind.REFERENCE and column.target:
            return await self._references.id_of(column.name, column.target, str(value))
        if column.kind is Kind.LIST:
            words = value if isinstance(value, tuple) else (str(value),)
            if column.target:
                words = tuple([await self._references.id_of(column.name, column.target, word) for word in words])
            return ",".join(words)
        return write_value(column, value)

    def refuse_closed(self, record: Record) -> None:
        """Raises TicketClosed: closed records are read-only by access rules and data policies."""
        state = held(record, STATE)
        if state in self._states.closed:
            raise TicketClosed(f"{held(record, 'number')} is in state {state} and takes no more writes")

    async def insert(self, body: Mapping[str, str]) -> Record:
        try:
            return await self._client.insert(self._table, body, (*ALWAYS, *body))
        except (PolicyRefused, RuleAborted) as problem:
            raise await self._explained(problem, body) from problem

    async def patch(self, before: Record, body: Mapping[str, str], writing: Writing) -> tuple[Record, int]:
        """Write ``body``; the record after it and the number of writes that it took.

        A state that the instance refuses to enter directly, or sets back, is walked to, with the fields in the last
        step. Raises NoRoute when no walk is known, Rejected for data policies and other rules.
        """
        start, goal = held(before, STATE), body.get(STATE, "")
        moves = STATE in body and goal != start
        at, writes, reason = before, 0, ""
        try:
            after = await self._send(before, body, writing)
            if not moves or held(after, STATE) != start:
                return after, 1
            at, writes, reason = after, 1, "the instance set the state back"
        except PolicyRefused as problem:
            raise await self._explained(problem, body) from problem
        except RuleAborted as problem:
            if not moves:
                raise await self._explained(problem, body) from problem
            reason = problem.detail
        route = self._states.route(start, goal)
        if len(route) < 2:
            raise self._no_route(start, goal, reason)
        for state in route[:-1]:
            at = await self._step(at, {STATE: state, **self._mark_of(body, state)}, body, writing)
        return await self._step(at, body, body, writing), writes + len(route)

    def _mark_of(self, body: Mapping[str, str], state: str) -> dict[str, str]:
        """The mark of a step on the way: the write's own and where it leads, for the log names only what changes."""
        name = self._client.settings.write_mark_field
        return {name: f"{body[name]}{OF_STEP}{state}"} if name in body else {}

    async def _step(self, at: Record, step: Mapping[str, str], body: Mapping[str, str], writing: Writing) -> Record:
        """One move on the way, with those fields of ``body`` that a data policy demands there."""
        start, goal = held(at, STATE), step[STATE]
        try:
            try:
                after = await self._send(at, step, writing)
            except PolicyRefused as problem:
                columns = await self._dictionary.columns()
                needed = {name: body[name] for name in columns.named(problem.labels) if name in body}
                if not needed.keys() - step.keys():
                    raise
                after = await self._send(at, {**step, **needed}, writing)
        except PolicyRefused as problem:
            raise await self._explained(problem, body) from problem
        except RuleAborted as problem:
            raise self._no_route(start, goal, problem.detail) from problem
        if held(after, STATE) == start:
            raise self._no_route(start, goal, "the instance set the state back")
        return after

    async def _send(self, at: Record, body: Mapping[str, str], writing: Writing) -> Record:
        after = await self._client.patch(self._table, at["sys_id"].value, body, (*ALWAYS, *body))
        writing.took_effect(*change_ids(at, after, 1))
        return after

    def _no_route(self, start: str, goal: str, reason: str) -> NoRoute:
        reachable = ", ".join(self._states.reachable(start)) or "nothing that this connection knows of"
        return NoRoute(
            f"no move leads from state {start} to {goal}; reachable from {start}: {reachable} ({reason})",
            field=STATE,
            value=goal,
        )

    async def _explained(self, problem: PolicyRefused | RuleAborted, body: Mapping[str, str]) -> Rejected:
        """The refusal with column names for the labels that a data policy speaks of, one that is missing first."""
        if isinstance(problem, RuleAborted) or not problem.labels:
            return Rejected(problem.detail)
        names = (await self._dictionary.columns()).named(problem.labels)
        missing = [name for name in names if not body.get(name)] or list(names)
        return Rejected(f"refused because of {', '.join(names)}: {problem.detail}", field=missing[0])

    async def version_after(self, before: Record, after: Record, writes: int, *, has_change_log: bool) -> str:
        """The version that our write left behind.

        The count moved by more than our writes when a person or a rule wrote in between. It is then ours only as far
        as the change log says so: naming a later version would hide that other change from the engine.
        """
        was, now = held(before, "sys_mod_count"), held(after, "sys_mod_count")
        if not was.isdigit() or not now.isdigit() or int(now) <= int(was) + writes:
            return now
        ours = str(int(was) + writes)
        if not has_change_log:
            return ours
        try:
            entries = await self._reader.audit(after["sys_id"].value)
            own = (await self._reader.own_name()).casefold()
        except ConnectorError:
            return ours
        later = [entry for entry in entries if int(was) < (entry.checkpoint or 0) <= int(now)]
        told = {entry.checkpoint for entry in later}
        is_all_ours = all(entry.user.casefold() == own for entry in later)
        return now if is_all_ours and len(told) == int(now) - int(was) else ours


def change_ids(before: Record, after: Record, writes: int) -> tuple[str, ...]:
    """The change log's ids of our ``writes`` between two readings of a record: its count moves by one with each."""
    was, now = held(before, "sys_mod_count"), held(after, "sys_mod_count")
    if not was.isdigit() or not now.isdigit() or int(now) > int(was) + writes:
        # Somebody's edit slipped in; which of the entries is ours the count cannot say.
        return ()
    return tuple(audit_id(count) for count in range(int(was) + 1, min(int(was) + writes, int(now)) + 1))
