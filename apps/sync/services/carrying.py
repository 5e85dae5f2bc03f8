"""The second phase of a round: calls, and nothing but calls. No database in here."""

import asyncio
import os
import traceback
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path

from apps.tickets.storage import begin_file

from ..connectors import base
from ..connectors.base import Connector, Draft, Note
from ..connectors.http import MAY_WRITE
from ..crashpoints import during, reached
from ..engine.intake import rewind_snapshot, set_own_aside
from ..engine.plan import AddRemoteAttachment, AddRemoteComment, CreateRemote, FollowUp, UpdateRemote
from ..engine.recovery import Failure, FailureKind, Outcome, begun_by, known_as_ours, settle_unknown_write, stored_by
from ..engine.snapshot import Attachment, ExternalRef, Receipt, RemoteChange, TicketSnapshot, Visibility
from ..engine.work import Do, Done, Failed, Look, Looked, Recover, Recovered, Result, Work

AT_WORK: ContextVar[Work | None] = ContextVar("work", default=None)
"""What the calls of this task are made for."""
AT_ONCE = 16
ROUND_SECONDS = 120.0

_KINDS: tuple[tuple[type[base.ConnectorError], FailureKind], ...] = (
    (base.StaleVersion, FailureKind.STALE_VERSION),
    (base.SignInFailed, FailureKind.SIGN_IN_FAILED),
    (base.AccessRefused, FailureKind.ACCESS_REFUSED),
    (base.RateLimited, FailureKind.RATE_LIMITED),
    (base.TicketMerged, FailureKind.TICKET_MERGED),
    (base.TicketGone, FailureKind.TICKET_GONE),
    (base.TicketClosed, FailureKind.TICKET_CLOSED),
    (base.VendorFault, FailureKind.VENDOR_FAULT),
    (base.Unreachable, FailureKind.UNREACHABLE),
)

_OPERATIONS: dict[type, str] = {
    CreateRemote: "create",
    FollowUp: "follow-up",
    UpdateRemote: "update",
    AddRemoteComment: "comment",
    AddRemoteAttachment: "attachment",
}


def read_failure(problem: Exception) -> Failure:
    """A connector's failure in the engine's words. Anything else is our own fault and carries its traceback."""
    if not isinstance(problem, base.ConnectorError):
        return Failure(FailureKind.OUR_FAULT, "".join(traceback.format_exception(problem)), is_unknown=True)
    kind = next((kind for raised, kind in _KINDS if isinstance(problem, raised)), FailureKind.REJECTED)
    failure = Failure(kind, problem.detail, is_unknown=problem.is_unknown, change_ids=problem.change_ids)
    if isinstance(problem, base.RateLimited):
        is_wide = problem.scope == "connection"
        return replace(failure, retry_after=problem.retry_after, is_connection_wide=is_wide)
    if isinstance(problem, base.TicketMerged):
        return replace(failure, into=problem.into)
    if isinstance(problem, base.Rejected):
        return replace(failure, field=problem.field, value=problem.value)
    return failure


async def carry_out_all(
    connector: Connector,
    works: Sequence[Work],
    *,
    may_write: Callable[[], bool] = lambda: True,
    heard: Callable[[base.ConnectorError], object] = lambda _problem: None,
    came: Callable[[Work, Result], object] = lambda _work, _result: None,
) -> list[Result]:
    """Carry out independent pieces of work at once, at most ``AT_ONCE``; one that hangs is given up after a while.

    ``may_write`` is asked before each write and each of its requests: once the claim is gone, another worker may be at
    the same step. ``heard`` is told at once of what a system said against a call, and ``came`` of each result.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(work: Work) -> Result:
        async with gate:
            if isinstance(work, Do) and not may_write():
                return Failed(Failure(FailureKind.STALE_VERSION, "the claim on this lane has lapsed; nothing was sent"))
            AT_WORK.set(work)
            MAY_WRITE.set(may_write)
            try:
                with during(operation_of(work)):
                    if isinstance(work, Do):
                        reached("intended")
                    async with asyncio.timeout(ROUND_SECONDS):
                        return await carry_out(connector, work)
            except TimeoutError:
                slow = f"the system did not finish within {ROUND_SECONDS:.0f} seconds"
                return Failed(Failure(FailureKind.UNREACHABLE, slow, is_unknown=True))
            except Exception as problem:  # noqa: BLE001  the worker's edge: one ticket must not stop the others
                if isinstance(problem, base.ConnectorError):
                    heard(problem)
                return Failed(read_failure(problem))

    async def tell(work: Work) -> Result:
        result = await one(work)
        came(work, result)
        return result

    return list(await asyncio.gather(*(tell(work) for work in works)))


async def carry_out(connector: Connector, work: Work) -> Result:
    """One piece of work: the calls it takes, and what they brought. Raises ConnectorError."""
    if isinstance(work, Look):
        return await _look(connector, work)
    if isinstance(work, Do):
        return await _do(connector, work)
    return await _recover(connector, work)


def operation_of(work: Work) -> str:
    """The kind of call that a piece of work makes, as crash points know it."""
    return _OPERATIONS[type(work.step)] if isinstance(work, Do) else "look" if isinstance(work, Look) else "recover"


async def _do(connector: Connector, work: Do) -> Done:
    step = work.step
    if isinstance(step, CreateRemote):
        return Done(await connector.create(Draft(step.type, step.fields), work.correlation))
    assert work.ref is not None
    if isinstance(step, FollowUp):
        draft = Draft(step.type, step.fields, follow_up_of=work.ref)
        return Done(await connector.create(draft, work.correlation))
    if isinstance(step, UpdateRemote):
        return await _update(connector, work, step, work.ref)
    if isinstance(step, AddRemoteComment):
        # Whoever reads the shortened field may read the whole; where comments are never internal it is a public one.
        is_plain = step.left_over and not connector.capabilities.has_internal_comments
        note = Note(step.body, Visibility.PUBLIC if is_plain else step.visibility, step.author)
        return Done(await connector.add_comment(work.ref, note, work.correlation))
    assert isinstance(step, AddRemoteAttachment) and work.upload is not None
    return Done(await connector.add_attachment(work.ref, work.upload, work.correlation, step.visibility))


async def _update(connector: Connector, work: Do, step: UpdateRemote, ref: ExternalRef) -> Done:
    """Write fields; where the system's workflow does not lead to the wanted status, what the rules name instead."""
    try:
        return Done(await connector.update(ref, step.fields, expected=work.expected, correlation=work.correlation))
    except base.NoRoute as refused:
        if step.otherwise is None:
            raise
        is_begun, has_moved, begun = refused.is_unknown, refused.has_moved, refused.change_ids
    with base.Writing() as writing:
        if is_begun:
            writing.took_effect(*begun)
        expected = None if has_moved else work.expected
        receipt = await connector.update(ref, step.otherwise, expected=expected, correlation=work.correlation)
    return Done(replace(receipt, change_ids=(*begun, *receipt.change_ids)), step.otherwise)


async def _look(connector: Connector, work: Look) -> Looked:
    # The ticket first, its log second: a change in between is then in the log, and the version is the older one,
    # so that a write built on it is refused instead of overwriting what nobody has read.
    snapshot = await connector.fetch(work.ref)
    logged = await connector.changes(work.ref, work.since)
    changes = logged if connector.capabilities.has_change_log else None
    # A file that came with the creation itself stands in no log, only on the ticket.
    there = {attachment.id: attachment for attachment in (*snapshot.attachments, *_attachments(logged))}
    wanted = [
        attachment
        for attachment in there.values()
        if work.takes_files
        and attachment.id not in work.known_files
        and (attachment.correlation is None or work.takes_marked)
    ]
    files: dict[str, Path] = {}
    too_large: set[str] = set()
    for attachment in wanted:
        with during("download"):
            place = await _download(connector, work.ref, attachment, work.largest_file)
        if place is None:
            too_large.add(attachment.id)
        else:
            files[attachment.id] = place
    return Looked(snapshot, changes, files, frozenset(too_large))


def _attachments(changes: Sequence[RemoteChange]) -> list[Attachment]:
    return [change.attachment for change in changes if change.attachment is not None]


async def _download(connector: Connector, ref: ExternalRef, attachment: Attachment, largest: int) -> Path | None:
    """The bytes in a file that the caller deletes; None when there are more than ``largest``."""
    (handle, place), size = begin_file(), 0
    try:
        with os.fdopen(handle, "wb") as out:
            async for chunk in connector.read_attachment(ref, attachment):
                size += len(chunk)
                if size > largest:
                    place.unlink()
                    return None
                out.write(chunk)
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    if attachment.size >= 0 and size != attachment.size:
        place.unlink()
        raise base.VendorFault(f"{attachment.file_name}: {size} of {attachment.size} bytes came")
    return place


async def _recover(connector: Connector, work: Recover) -> Recovered:
    found = await connector.find(work.correlation, work.ref)
    if work.ref is None and found is not None:
        return Recovered(Outcome.APPLIED, await _as_created(connector, work, found))
    if work.ref is not None and work.fields:
        return await _recover_write(connector, work, work.ref, found)
    if found is not None:
        return Recovered(Outcome.APPLIED, found)
    return Recovered(Outcome.ABSENT if work.is_settled_by_now else None)


async def _as_created(connector: Connector, work: Recover, found: Receipt) -> Receipt:
    """The receipt that the lost answer to a creation would have been: without what somebody did since, and with what
    the system chose by itself, if that can still be told."""
    snapshot = await _fetch(connector, found.ref)
    log = await connector.changes(found.ref, None)
    has_log = connector.capabilities.has_change_log
    then = rewind_snapshot(snapshot, log) if has_log else dict(snapshot.fields)
    is_as_created = has_log or snapshot.updated_at == snapshot.created_at
    chosen = {name: value for name, value in then.items() if is_as_created and name not in work.fields}
    stored = chosen | stored_by(work.fields, then, ())
    return replace(found, ref=snapshot.ref, version=snapshot.version, stored=stored)


async def _fetch(connector: Connector, ref: ExternalRef) -> TicketSnapshot:
    """The ticket asked for and no other, or a link could be tied to somebody else's (F7)."""
    snapshot = await connector.fetch(ref)
    if snapshot.ref.id != ref.id:
        raise base.VendorFault(f"asked for {ref.id}, the system answered with {snapshot.ref.id}", is_unknown=True)
    return snapshot


async def _recover_write(connector: Connector, work: Recover, ref: ExternalRef, found: Receipt | None) -> Recovered:
    snapshot = await _fetch(connector, ref)
    since = await connector.changes(ref, work.since)
    told = found.change_ids if found is not None else ()
    others = set_own_aside(since, work.earlier).foreign
    outcome = settle_unknown_write(
        work.fields,
        snapshot.fields,
        others,
        work.correlation,
        told=told,
        is_found=found is not None,
        stepwise=work.stepwise,
    )
    ours = known_as_ours(others, work.correlation, told)
    if outcome is Outcome.ABSENT and not ours:
        ours = begun_by(work.fields, others, work.stepwise)
        told = tuple(change.id for change in ours)
    stored = stored_by(work.fields, snapshot.fields, ours)
    return Recovered(outcome, Receipt(snapshot.ref, snapshot.version, ref.id, stored, told))
