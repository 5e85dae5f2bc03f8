"""Conformance: the vendor's own change log as ordered steps, and the stream of changed tickets."""

import tempfile
from itertools import pairwise
from pathlib import Path

from apps.sync.connectors.base import Connector, Note
from apps.sync.engine.snapshot import Visibility

from .conformance_case import (
    CORRELATION,
    OTHER_CORRELATION,
    ConformanceCase,
    create,
    moves,
    needs,
    poll,
    poll_until,
    scenario,
    upload,
)
from .system_under_test import SystemUnderTest


def needs_log(connector: Connector) -> None:
    needs(connector.capabilities.has_change_log, "the system keeps no log of field changes that can be read")


class ChangeConformance(ConformanceCase):
    @scenario
    async def test_creation_is_no_change(self, system: SystemUnderTest, connector: Connector):
        ours = await create(system, connector)
        theirs = await system.person_creates({system.vocabulary.title: "Of a person"})
        assert await connector.changes(ours, None) == ()
        assert await connector.changes(theirs, None) == ()

    @scenario
    async def test_changes_come_in_the_order_in_which_they_happened(
        self, system: SystemUnderTest, connector: Connector
    ):
        needs_log(connector)
        words = system.vocabulary
        first, second = words.choice_values
        ref = await system.person_creates({words.title: "A", words.choice: first})
        await system.person_edits(ref, {words.choice: second})
        await system.person_edits(ref, {words.title: "B"})
        await system.person_edits(ref, {words.choice: first})
        await system.person_edits(ref, {words.title: "C"})
        changes = await connector.changes(ref, None)
        assert moves(changes, words.choice) == [(first, second), (second, first)]
        assert moves(changes, words.title) == [("A", "B"), ("B", "C")]
        order = [name for change in changes for name in change.fields if name in (words.choice, words.title)]
        assert order == [words.choice, words.title, words.choice, words.title]
        assert [change.at for change in changes] == sorted(change.at for change in changes)
        assert all(change.author and change.correlation is None for change in changes)

    @scenario
    async def test_a_changes_values_are_the_snapshots_values(self, system: SystemUnderTest, connector: Connector):
        needs_log(connector)
        words = system.vocabulary
        ref = await system.person_creates({words.title: "A", words.choice: words.choice_values[0]})
        before = (await connector.fetch(ref)).fields
        edits = {words.choice: words.choice_values[1], words.status: words.middle}
        if words.custom_text:
            edits[words.custom_text] = "CRM-77"
        await system.person_edits(ref, edits)
        after = (await connector.fetch(ref)).fields
        changes = await connector.changes(ref, None)
        for name in edits:
            way = moves(changes, name)
            assert (way[0][0], way[-1][1]) == (before[name], after[name])

    @scenario
    async def test_long_texts_are_in_the_log_as_they_are_read(self, system: SystemUnderTest, connector: Connector):
        needs_log(connector)
        name = system.vocabulary.description
        needs(system.vocabulary.description_is_writable, "the description is set by the creation alone")
        ref = await create(system, connector, {name: "First text"})
        before = (await connector.fetch(ref)).fields[name]
        await connector.update(ref, {name: "Second **text**"}, expected=None, correlation=OTHER_CORRELATION)
        after = (await connector.fetch(ref)).fields[name]
        assert moves(await connector.changes(ref, None), name) == [(before, after)]

    @scenario
    async def test_only_what_follows_the_known_change_is_told(self, system: SystemUnderTest, connector: Connector):
        needs_log(connector)
        words = system.vocabulary
        ref = await system.person_creates({words.title: "A"})
        for title in ("B", "C", "D"):
            await system.person_edits(ref, {words.title: title})
        whole = await connector.changes(ref, None)
        ids = [change.id for change in whole]
        assert len(set(ids)) == len(ids)
        for place, known in enumerate(ids):
            assert await connector.changes(ref, known) == whole[place + 1 :]

    @scenario
    async def test_our_own_writes_are_recognized(self, system: SystemUnderTest, connector: Connector):
        needs_log(connector)
        words = system.vocabulary
        ref = await create(system, connector, {words.choice: words.choice_values[0]})
        await system.person_edits(ref, {words.title: "Theirs"})
        receipt = await connector.update(
            ref, {words.choice: words.choice_values[1]}, expected=None, correlation=OTHER_CORRELATION
        )
        changes = await connector.changes(ref, None)
        ours = {change.id for change in changes if change.correlation == OTHER_CORRELATION} | set(receipt.change_ids)
        assert {change.id for change in changes if words.choice in change.fields} <= ours
        assert not {change.id for change in changes if words.title in change.fields} & ours

    @scenario
    async def test_a_way_through_statuses_is_told_step_by_step(self, system: SystemUnderTest, connector: Connector):
        needs_log(connector)
        words = system.vocabulary
        ref = await create(system, connector)
        fields = {words.status: words.resolved, **words.resolving}
        await connector.update(ref, fields, expected=None, correlation=OTHER_CORRELATION)
        steps = moves(await connector.changes(ref, None), words.status)
        assert (steps[0][0], steps[-1][1]) == (words.initial, words.resolved)
        assert all(before[1] == after[0] for before, after in pairwise(steps))

    @scenario
    async def test_comments_and_files_stand_at_their_place(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        ref = await create(system, connector)
        await system.person_edits(ref, {words.title: "Before"})
        await system.person_comments(ref, "Theirs", Visibility.PUBLIC)
        await connector.add_comment(ref, Note("Ours", Visibility.PUBLIC), CORRELATION)
        with tempfile.TemporaryDirectory() as folder:
            file = await connector.add_attachment(ref, upload(Path(folder), "a.txt", b"a"), OTHER_CORRELATION)
        await system.person_edits(ref, {words.title: "After"})
        changes = await connector.changes(ref, None)
        told = []
        for change in changes:
            if change.comment:
                told.append((change.comment.body, change.comment.correlation))
            if change.attachment and change.attachment.id == file.id:
                told.append((change.attachment.file_name, change.attachment.correlation))
            if words.title in change.fields:
                told.append((change.fields[words.title][1], None))
        parts = [("Theirs", None), ("Ours", CORRELATION), ("a.txt", OTHER_CORRELATION)]
        if connector.capabilities.has_change_log:
            assert told == [("Before", None), *parts, ("After", None)]
        else:
            assert told == parts

    @scenario
    async def test_the_parts_in_the_log_are_the_parts_of_the_ticket(
        self, system: SystemUnderTest, connector: Connector
    ):
        ref = await create(system, connector)
        await system.person_comments(ref, "Theirs", Visibility.PUBLIC)
        await connector.add_comment(ref, Note("Ours", Visibility.PUBLIC), CORRELATION)
        await system.person_attaches(ref, "b.txt", b"b")
        read = await connector.fetch(ref)
        changes = await connector.changes(ref, None)
        assert tuple(change.comment for change in changes if change.comment) == read.comments
        assert tuple(change.attachment for change in changes if change.attachment) == read.attachments

    @scenario
    async def test_the_first_cursor_begins_now(self, system: SystemUnderTest, connector: Connector):
        await system.person_creates({system.vocabulary.title: "Long there"})
        page = await connector.changed_since(None)
        assert page.is_last
        assert page.tickets == ()
        assert page.cursor

    @scenario
    async def test_new_and_edited_tickets_are_seen_with_their_version(
        self, system: SystemUnderTest, connector: Connector
    ):
        words = system.vocabulary
        old = await system.person_creates({words.title: "Old"})
        cursor = (await connector.changed_since(None)).cursor
        new = await system.person_creates({words.title: "New"})
        await system.person_edits(old, {words.title: "Old, edited"})
        await poll_until(system, connector, cursor, {old.id, new.id})
        seen, _ = await poll(connector, cursor)
        assert {old.id, new.id} <= seen.keys()
        for ref in (old, new):
            if words.tells_versions:
                assert seen[ref.id].version == (await connector.fetch(ref)).version
            assert seen[ref.id].ref.key == ref.key
            assert not seen[ref.id].is_deleted

    @scenario
    async def test_a_comment_counts_as_a_change(self, system: SystemUnderTest, connector: Connector):
        ref = await system.person_creates({system.vocabulary.title: "Quiet"})
        cursor = (await connector.changed_since(None)).cursor
        before = (await connector.fetch(ref)).version
        await system.person_comments(ref, "News", Visibility.PUBLIC)
        assert (await connector.fetch(ref)).version != before

        async def told() -> bool | None:
            seen, _ = await poll(connector, cursor)
            return True if ref.id in seen and seen[ref.id].version != before else None

        assert await system.look_until(told)

    @scenario
    async def test_nothing_is_lost_among_many_of_one_moment(self, system: SystemUnderTest, connector: Connector):
        cursor = (await connector.changed_since(None)).cursor
        refs = [await system.person_creates({system.vocabulary.title: f"Burst {number}"}) for number in range(30)]
        wanted = {ref.id for ref in refs}
        assert wanted <= (await poll_until(system, connector, cursor, wanted)).keys()

    @scenario
    async def test_a_poll_in_the_middle_of_a_burst_loses_nothing(self, system: SystemUnderTest, connector: Connector):
        cursor = (await connector.changed_since(None)).cursor
        seen: dict[str, object] = {}
        wanted = set()
        for number in range(12):
            wanted.add((await system.person_creates({system.vocabulary.title: f"Drop {number}"})).id)
            if number % 3 == 2:
                more, cursor = await poll(connector, cursor)
                seen.update(more)
        seen.update(await poll_until(system, connector, cursor, wanted - seen.keys()))
        assert wanted <= seen.keys()

    @scenario
    async def test_an_edit_between_two_pages_is_not_lost(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        cursor = (await connector.changed_since(None)).cursor
        refs = [await system.person_creates({words.title: f"Page {number}"}) for number in range(8)]
        await poll_until(system, connector, cursor, {ref.id for ref in refs})
        page = await connector.changed_since(cursor)
        before = (await connector.fetch(refs[0])).version
        await system.person_edits(refs[0], {words.title: "Edited while paging"})
        cursor = page.cursor

        async def edited() -> bool | None:
            nonlocal cursor
            seen, cursor = await poll(connector, cursor)
            return True if refs[0].id in seen and seen[refs[0].id].version != before else None

        assert await system.look_until(edited)

    @scenario
    async def test_what_shows_late_behind_a_listing_is_in_the_next_one(
        self, system: SystemUnderTest, connector: Connector
    ):
        """However long the listing is left lying: the overlap is measured from its beginning (INV-3)."""
        title, overlap = system.vocabulary.title, connector.capabilities.overlap_seconds
        async with system.connector(settings={"page_size": 2}) as listing:
            cursor = (await listing.changed_since(None)).cursor
            first = {(await system.person_creates({title: f"First {number}"})).id for number in range(5)}
            await system.settle()
            page = await listing.changed_since(cursor)
            while not page.is_last and not any(changed.ref.id in first for changed in page.tickets):
                page = await listing.changed_since(page.cursor)
            assert not page.is_last
            late = await system.person_creates_late({title: "Late"}, overlap / 2)
            system.bring_forward(10 * overlap)
            newest = await system.person_creates({title: "Newest"})
            await system.settle()
            seen, cursor = await poll(listing, page.cursor)
            seen |= await poll_until(system, listing, cursor, {late.id, newest.id} - seen.keys())
            assert {late.id, newest.id} <= seen.keys()

    @scenario
    async def test_an_old_cursor_can_be_used_again(self, system: SystemUnderTest, connector: Connector):
        cursor = (await connector.changed_since(None)).cursor
        ref = await system.person_creates({system.vocabulary.title: "Twice"})
        assert ref.id in await poll_until(system, connector, cursor, {ref.id})
        again, _ = await poll(connector, cursor)
        assert ref.id in again

    @scenario
    async def test_quiet_comes_to_an_end_and_stays(self, system: SystemUnderTest, connector: Connector):
        ref = await system.person_creates({system.vocabulary.title: "Quiet"})
        _, cursor = await poll(connector, (await connector.changed_since(None)).cursor)
        for _ in range(3):
            page = await connector.changed_since(cursor)
            assert page.is_last
            assert {changed.ref.id for changed in page.tickets} <= {ref.id}
            cursor = page.cursor

    @scenario
    async def test_what_was_read_is_not_told_as_news_for_ever(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        needs(words.tells_versions, "the system does not tell versions where it tells what changed")
        cursor = (await connector.changed_since(None)).cursor
        ref = await system.person_creates({words.title: "Restless"})
        await system.person_edits(ref, {words.title: "Restless, edited"})
        await system.person_comments(ref, "News", Visibility.PUBLIC)
        await system.person_attaches(ref, "log.txt", b"line")

        async def is_told_as_it_is() -> bool | None:
            nonlocal cursor
            seen, cursor = await poll(connector, cursor)
            known = (await connector.fetch(ref)).version
            return True if ref.id not in seen or seen[ref.id].version == known else None

        await poll_until(system, connector, cursor, {ref.id})
        assert await system.look_until(is_told_as_it_is)
        assert await is_told_as_it_is()

    @scenario
    async def test_deleted_tickets_are_told(self, system: SystemUnderTest, connector: Connector):
        needs(system.vocabulary.tells_deletions, "the system does not tell which tickets were deleted")
        ref = await system.person_creates({system.vocabulary.title: "Short-lived"})
        cursor = (await connector.changed_since(None)).cursor
        await system.person_deletes(ref)

        async def told() -> bool | None:
            nonlocal cursor
            seen, cursor = await poll(connector, cursor)
            return True if ref.id in seen and seen[ref.id].is_deleted else None

        assert await system.look_until(told)
