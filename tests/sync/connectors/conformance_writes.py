"""Conformance: field writes, statuses, comments, rich text, files."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.sync.connectors.base import Connector, NoRoute, Note, Rejected, StaleVersion, TicketClosed
from apps.sync.connectors.richtext import canonical
from apps.sync.engine.snapshot import Visibility

from .conformance_case import (
    CORRELATION,
    NEVER_USED,
    OTHER_CORRELATION,
    ConformanceCase,
    create,
    moves,
    needs,
    scenario,
    true_ticket,
    upload,
    visible,
)
from .system_under_test import SystemUnderTest, Vocabulary

DOCUMENTS = [
    "One line.",
    "Two lines\\\nof one paragraph.\n\nAnother paragraph.",
    "# Heading\n\nText with **strong**, _emphasis_, ~~struck~~ and `code` words.",
    "**_both_** and **strong with _emphasis_ inside**",
    "- one\n- two\n  - two and a half\n- three",
    "1. first\n2. second",
    "> quoted\n>\n> twice",
    "```python\nif a < b:\n    print('a & b')\n```",
    "A [link](https://example.org/a?b=1&c=2) and <https://example.org/plain>.",
    "| name | value |\n| --- | --- |\n| a | 1 |\n| b | 2 |",
    "Family 👩‍👩‍👧, שלום, naïve, 5 < 6 & 7 > 2, C:\\temp, snake\\_case and a\\*b.",
    "\\- no list\n\n1\\. no list either\n\n\\# no heading",
    "Code with `` `ticks` `` in it and {{ braces }} and {braces}.",
]
_WORDS = st.sampled_from(
    ["word", "Größe", "a_b", "5", "x*y", "[x]", "#1", "<tag>", "&amp;", "{{x}}", "שלום", "h2.", "!"]
)
_PHRASES = st.lists(_WORDS, min_size=1, max_size=4).map(" ".join)
_MARKED = st.tuples(st.sampled_from(["", "**", "_", "~~", "`"]), _PHRASES).map(lambda part: part[0] + part[1] + part[0])
_LINES = st.lists(_MARKED, min_size=1, max_size=3).map(" ".join)
_BLOCKS = st.tuples(st.sampled_from(["", "- ", "1. ", "> ", "## "]), _LINES).map("".join)
TEXTS = st.lists(_BLOCKS, min_size=1, max_size=4).map("\n\n".join).map(canonical).filter(visible)


class WriteConformance(ConformanceCase):
    @scenario
    async def test_an_update_writes_its_fields_and_no_others(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        ref = await create(system, connector, {words.choice: words.choice_values[0]})
        before = await connector.fetch(ref)
        receipt = await connector.update(
            ref, {words.choice: words.choice_values[1]}, expected=before.version, correlation=OTHER_CORRELATION
        )
        after = await connector.fetch(ref)
        assert after.fields[words.choice] == words.choice_values[1]
        assert receipt.stored[words.choice] == words.choice_values[1]
        assert receipt.version == after.version != before.version
        assert after.fields[words.title] == before.fields[words.title]
        assert after.fields[words.description] == before.fields[words.description]

    @scenario
    async def test_a_custom_text_is_set_and_cleared(self, system: SystemUnderTest, connector: Connector):
        name = system.vocabulary.custom_text
        needs(name, "no custom text field is named")
        ref = await create(system, connector)
        await connector.update(ref, {name: "CRM-77"}, expected=None, correlation=OTHER_CORRELATION)
        assert (await connector.fetch(ref)).fields[name] == "CRM-77"
        receipt = await connector.update(ref, {name: None}, expected=None, correlation=NEVER_USED)
        assert receipt.stored[name] is None
        assert (await connector.fetch(ref)).fields[name] is None

    @scenario
    async def test_writing_what_is_there_changes_nothing(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        ref = await create(system, connector, {words.choice: words.choice_values[0]})
        before = await connector.changes(ref, None)
        receipt = await connector.update(
            ref,
            {words.choice: words.choice_values[0], words.status: words.initial},
            expected=None,
            correlation=OTHER_CORRELATION,
        )
        assert receipt.stored[words.choice] == words.choice_values[0]
        after = await connector.changes(ref, None)
        assert moves(after, words.choice) == moves(before, words.choice)
        assert moves(after, words.status) == moves(before, words.status)

    @scenario
    async def test_a_write_against_a_stale_version_is_refused(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        ref = await create(system, connector, {words.choice: words.choice_values[0]})
        stale = (await connector.fetch(ref)).version
        await system.person_edits(ref, {words.title: "Edited meanwhile"})
        with pytest.raises(StaleVersion):
            await connector.update(
                ref, {words.choice: words.choice_values[1]}, expected=stale, correlation=OTHER_CORRELATION
            )
        read = await connector.fetch(ref)
        assert read.fields[words.choice] == words.choice_values[0]
        assert read.fields[words.title] == "Edited meanwhile"

    @scenario
    async def test_an_unknown_choice_is_rejected_and_nothing_is_written(
        self, system: SystemUnderTest, connector: Connector
    ):
        words = system.vocabulary
        ref = await create(system, connector, {words.choice: words.choice_values[0]})
        with pytest.raises(Rejected) as refusal:
            await connector.update(
                ref,
                {words.title: "Not this", words.choice: words.unknown_choice},
                expected=None,
                correlation=OTHER_CORRELATION,
            )
        assert refusal.value.field == words.choice
        read = await connector.fetch(ref)
        assert read.fields[words.choice] == words.choice_values[0]
        assert read.fields[words.title] == "Checkout page is slow"

    @scenario
    async def test_a_text_that_is_too_long_is_never_cut(self, system: SystemUnderTest, connector: Connector):
        name, text = system.vocabulary.too_long
        ref = await create(system, connector)
        before = await connector.fetch(ref)
        with pytest.raises(Rejected) as refusal:
            await connector.update(ref, {name: text}, expected=None, correlation=OTHER_CORRELATION)
        assert refusal.value.field == name
        assert (await connector.fetch(ref)).fields.get(name) == before.fields.get(name)

    @scenario
    async def test_a_status_goes_its_legal_way(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        ref = await create(system, connector)
        receipt = await connector.update(
            ref, {words.status: words.middle}, expected=None, correlation=OTHER_CORRELATION
        )
        assert receipt.stored[words.status] == words.middle
        read = await connector.fetch(ref)
        assert read.fields[words.status] == words.middle
        assert read.version == receipt.version

    @scenario
    async def test_resolving_takes_all_steps_and_carries_what_they_need(
        self, system: SystemUnderTest, connector: Connector
    ):
        words = system.vocabulary
        ref = await create(system, connector, {words.choice: words.choice_values[0]})
        fields = {words.status: words.resolved, words.choice: words.choice_values[1], **words.resolving}
        version = (await connector.fetch(ref)).version
        receipt = await connector.update(ref, fields, expected=version, correlation=OTHER_CORRELATION)
        read = await connector.fetch(ref)
        assert read.fields[words.status] == words.resolved == receipt.stored[words.status]
        assert read.fields[words.choice] == words.choice_values[1]
        assert {name: read.fields[name] for name in words.resolving} == dict(words.resolving)
        assert receipt.version == read.version

    @scenario
    async def test_resolving_without_what_it_needs_names_it(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        needs(words.required_to_resolve, "resolving needs no further field")
        ref = await create(system, connector)
        fields = {name: value for name, value in words.resolving.items() if name != words.required_to_resolve}
        with pytest.raises(Rejected) as refusal:
            await connector.update(
                ref, {words.status: words.resolved, **fields}, expected=None, correlation=OTHER_CORRELATION
            )
        assert refusal.value.field == words.required_to_resolve
        assert (await connector.fetch(ref)).fields[words.status] != words.resolved

    @scenario
    async def test_a_status_without_a_way_is_refused(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        needs(words.unreachable is not None, "every status can be reached")
        ref = await create(system, connector)
        with pytest.raises(NoRoute) as refusal:
            await connector.update(ref, {words.status: words.unreachable}, expected=None, correlation=OTHER_CORRELATION)
        assert refusal.value.field == words.status
        assert str(words.unreachable) in refusal.value.detail
        assert (await connector.fetch(ref)).fields[words.status] == words.initial

    @scenario
    async def test_a_ticket_closed_for_good_takes_nothing(self, system: SystemUnderTest, connector: Connector):
        needs(not connector.capabilities.can_reopen_closed, "closed tickets can be taken back")
        ref = await create(system, connector)
        await system.close_for_good(ref)
        assert (await connector.fetch(ref)).is_closed_for_good
        with pytest.raises(TicketClosed):
            await connector.update(
                ref, {system.vocabulary.title: "Too late"}, expected=None, correlation=OTHER_CORRELATION
            )
        with pytest.raises(TicketClosed):
            await connector.add_comment(ref, Note("Too late", Visibility.PUBLIC), OTHER_CORRELATION)
        assert (await connector.fetch(ref)).comments == ()

    @scenario
    async def test_a_comment_reads_back_with_its_correlation_and_no_trace_of_it(
        self, system: SystemUnderTest, connector: Connector
    ):
        ref = await create(system, connector)
        receipt = await connector.add_comment(ref, Note("We are looking into it.", Visibility.PUBLIC), CORRELATION)
        read = await connector.fetch(ref)
        (comment,) = read.comments
        assert comment.id == receipt.id
        assert comment.body == "We are looking into it."
        assert comment.correlation == CORRELATION
        assert comment.author
        assert comment.at.utcoffset() is not None
        assert receipt.version == read.version

    @scenario
    async def test_comments_keep_their_order_and_their_visibility(self, system: SystemUnderTest, connector: Connector):
        has_both = connector.capabilities.has_internal_comments
        ref = await create(system, connector)
        wanted = [Visibility.PUBLIC, Visibility.INTERNAL, Visibility.PUBLIC] if has_both else [Visibility.PUBLIC] * 3
        for number, visibility in enumerate(wanted):
            await connector.add_comment(ref, Note(f"Number {number}", visibility), f"siam-00000000000{number}")
        comments = (await connector.fetch(ref)).comments
        assert [comment.body for comment in comments] == ["Number 0", "Number 1", "Number 2"]
        if has_both:
            assert [comment.visibility for comment in comments] == wanted

    @scenario
    async def test_a_persons_comments_are_told_from_ours(self, system: SystemUnderTest, connector: Connector):
        has_both = connector.capabilities.has_internal_comments
        ref = await create(system, connector)
        await connector.add_comment(ref, Note("Ours", Visibility.PUBLIC), CORRELATION)
        await system.person_comments(ref, "Seen by all", Visibility.PUBLIC)
        if has_both:
            await system.person_comments(ref, "For us alone", Visibility.INTERNAL)
        ours, *theirs = (await connector.fetch(ref)).comments
        assert [comment.body for comment in theirs] == ["Seen by all", "For us alone"][: len(theirs)]
        assert len(theirs) == 1 + has_both
        assert all(comment.correlation is None and comment.author != ours.author for comment in theirs)
        if has_both:
            assert [comment.visibility for comment in theirs] == [Visibility.PUBLIC, Visibility.INTERNAL]

    @scenario
    async def test_a_comment_can_be_written_in_anothers_name(self, system: SystemUnderTest, connector: Connector):
        needs(connector.capabilities.can_attribute_author, "comments bear the name of the account")
        ref = await create(system, connector)
        await connector.add_comment(ref, Note("From John", Visibility.PUBLIC, author="John"), CORRELATION)
        (comment,) = (await connector.fetch(ref)).comments
        assert comment.author == "John"

    @scenario
    async def test_a_comment_is_found_on_its_own_ticket_only(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector, correlation=NEVER_USED)
        other = await create(system, connector, correlation="siam-0000000000aa")
        await connector.add_comment(other, Note("Elsewhere", Visibility.PUBLIC), OTHER_CORRELATION)
        assert await connector.find(CORRELATION, ref) is None
        receipt = await connector.add_comment(ref, Note("Here", Visibility.PUBLIC), CORRELATION)
        found = await system.look_until(lambda: connector.find(CORRELATION, ref))
        assert found is not None
        assert (found.id, found.ref.id) == (receipt.id, ref.id)
        assert await connector.find(OTHER_CORRELATION, ref) is None

    @scenario
    async def test_a_descriptions_text_comes_to_rest(self, system: SystemUnderTest, connector: Connector):
        needs(system.vocabulary.description_is_writable, "the description is set by the creation alone")
        ref = await create(system, connector)
        for number, text in enumerate(DOCUMENTS):
            await self._settles_in_a_field(system, connector, ref, text, number)

    @scenario
    async def test_a_comments_text_comes_to_rest(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        for number, text in enumerate(DOCUMENTS):
            await self._settles_in_a_comment(system, connector, ref, text, number)

    @given(texts=st.lists(TEXTS, min_size=1, max_size=5))
    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    def test_any_text_comes_to_rest(self, texts: list[str]):
        async def settles(self: "WriteConformance", system: SystemUnderTest, connector: Connector) -> None:
            ref = await create(system, connector)
            for number, text in enumerate(texts):
                await self._settles_in_a_field(system, connector, ref, text, number)
                await self._settles_in_a_comment(system, connector, ref, text, number)

        self.play(settles)

    async def _settles_in_a_field(self, system, connector, ref, text: str, number: int) -> None:
        words = system.vocabulary
        name = words.description
        if not words.description_is_writable:
            return
        await connector.update(ref, {name: text}, expected=None, correlation=f"siam-0000000000{number:02}")
        first = (await connector.fetch(ref)).fields[name]
        assert first == canonical(first)
        assert visible(first) == visible(text)
        if words.keeps_markup:
            assert first == self._expected(words, text)
        receipt = await connector.update(ref, {name: first}, expected=None, correlation=f"siam-1000000000{number:02}")
        assert receipt.stored[name] == first
        assert (await connector.fetch(ref)).fields[name] == first

    async def _settles_in_a_comment(self, system, connector, ref, text: str, number: int) -> None:
        words = system.vocabulary
        for round_number in (0, 1):
            await connector.add_comment(ref, Note(text, Visibility.PUBLIC), f"siam-{round_number}0000000a{number:02}")
            body = (await connector.fetch(ref)).comments[-1].body
            assert body == canonical(body)
            assert visible(body) == visible(text)
            if words.comments_keep_markup or round_number:
                assert body == self._expected(words, text)
            text = body

    def _expected(self, words: Vocabulary, text: str) -> str:
        kept = canonical(text)
        return kept if words.keeps_code_language else re.sub(r"^(`{3,})[\w+#.-]+$", r"\1", kept, flags=re.MULTILINE)

    @scenario
    async def test_files_come_back_byte_by_byte(self, system: SystemUnderTest, connector: Connector):
        content = bytes(range(256)) * 300 + b"\r\n--boundary--\r\n\x00"
        await self._round_trip(system, connector, "dump.bin", content)

    @scenario
    async def test_file_names_beyond_ascii_survive(self, system: SystemUnderTest, connector: Connector):
        needs(system.vocabulary.keeps_file_names, "the system spells such names in its own way")
        await self._round_trip(system, connector, 'Übersicht "März" 日本 (1).txt', b"text")

    @scenario
    async def test_an_empty_file_is_a_file(self, system: SystemUnderTest, connector: Connector):
        needs(system.vocabulary.keeps_empty_files, "the system refuses empty files")
        await self._round_trip(system, connector, "empty.txt", b"")

    async def _round_trip(self, system, connector, name: str, content: bytes) -> None:
        ref = await create(system, connector)
        with tempfile.TemporaryDirectory() as folder:
            receipt = await connector.add_attachment(ref, upload(Path(folder), name, content), CORRELATION)
        (file,) = (await connector.fetch(ref)).attachments
        assert (file.id, file.file_name, file.size) == (receipt.id, name, len(content))
        assert file.correlation == CORRELATION
        read = b"".join([chunk async for chunk in connector.read_attachment(ref, file)])
        assert read == content

    @scenario
    async def test_two_files_of_one_name_are_two_files(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        with tempfile.TemporaryDirectory() as folder:
            first = await connector.add_attachment(ref, upload(Path(folder), "log.txt", b"one"), CORRELATION)
            second = await connector.add_attachment(ref, upload(Path(folder), "log.txt", b"two!"), OTHER_CORRELATION)
        files = {file.id: file for file in (await connector.fetch(ref)).attachments}
        assert files.keys() == {first.id, second.id}
        assert (files[first.id].correlation, files[second.id].correlation) == (CORRELATION, OTHER_CORRELATION)
        for receipt, content in ((first, b"one"), (second, b"two!")):
            assert b"".join([part async for part in connector.read_attachment(ref, files[receipt.id])]) == content

    @scenario
    async def test_an_attachment_is_found_by_its_correlation(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector, correlation=NEVER_USED)
        await system.person_attaches(ref, "log.txt", b"theirs")
        assert await connector.find(CORRELATION, ref) is None
        with tempfile.TemporaryDirectory() as folder:
            receipt = await connector.add_attachment(ref, upload(Path(folder), "log.txt", b"ours"), CORRELATION)
        found = await system.look_until(lambda: connector.find(CORRELATION, ref))
        assert found is not None
        assert found.id == receipt.id
        assert len((await true_ticket(system, ref))["attachments"]) == 2

    @scenario
    async def test_a_persons_file_is_read(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        await system.person_attaches(ref, "trace.bin", b"\x00\xff" * 1000)
        (file,) = (await connector.fetch(ref)).attachments
        assert (file.file_name, file.size, file.correlation) == ("trace.bin", 2000, None)
        assert b"".join([chunk async for chunk in connector.read_attachment(ref, file)]) == b"\x00\xff" * 1000
