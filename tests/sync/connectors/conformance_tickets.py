"""Conformance: signing in, reading, creating, finding, and what the schema says."""

import pytest

from apps.sync.connectors.base import Connector, ConnectorError, Draft, Rejected, SignInFailed, TicketGone
from apps.sync.connectors.richtext import canonical
from apps.sync.engine.snapshot import ExternalRef

from .conformance_case import (
    CORRELATION,
    NEVER_USED,
    OTHER_CORRELATION,
    ConformanceCase,
    create,
    draft,
    needs,
    scenario,
    visible,
)
from .system_under_test import SystemUnderTest


class TicketConformance(ConformanceCase):
    @scenario
    async def test_check_names_the_product_and_the_account(self, system: SystemUnderTest, connector: Connector):
        card = await connector.check()
        assert card.product
        assert card.account_id
        assert card.account_name

    @scenario
    async def test_check_refuses_wrong_credentials(self, system: SystemUnderTest, connector: Connector):
        async with system.connector(secrets=system.vocabulary.wrong_secrets) as stranger:
            with pytest.raises(SignInFailed):
                await stranger.check()

    @scenario
    async def test_reading_refuses_wrong_credentials(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        async with system.connector(secrets=system.vocabulary.wrong_secrets) as stranger:
            with pytest.raises(SignInFailed):
                await stranger.fetch(ref)

    @scenario
    async def test_check_tells_when_the_project_does_not_exist(self, system: SystemUnderTest, connector: Connector):
        settings = system.vocabulary.wrong_settings
        needs(settings, "the system has no projects or tables to choose from")
        async with system.connector(settings=settings) as misled:
            with pytest.raises(ConnectorError) as refusal:
                await misled.check()
        assert not isinstance(refusal.value, SignInFailed)
        assert not refusal.value.is_unknown
        assert refusal.value.detail

    @scenario
    async def test_a_created_ticket_reads_back_as_drafted(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        text = "The page takes **nine** seconds.\n\n- cart\n- payment"
        ref = await create(system, connector, {words.choice: words.choice_values[0], words.description: text})
        read = await connector.fetch(ref)
        assert read.type == words.type
        assert read.fields[words.title] == "Checkout page is slow"
        assert read.fields[words.choice] == words.choice_values[0]
        assert read.fields[words.status] == words.initial
        if words.keeps_markup:
            assert read.fields[words.description] == canonical(text)
        assert visible(read.fields[words.description]) == visible(text)
        assert not read.is_closed_for_good

    @scenario
    async def test_the_receipt_of_a_creation_agrees_with_a_read(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        receipt = await connector.create(draft(system, {words.choice: words.choice_values[1]}), CORRELATION)
        read = await connector.fetch(receipt.ref)
        assert receipt.id == receipt.ref.id == read.ref.id
        assert receipt.version == read.version
        assert receipt.ref.key == read.ref.key != ""
        assert receipt.stored[words.title] == read.fields[words.title]
        assert receipt.stored[words.choice] == read.fields[words.choice]

    @scenario
    async def test_a_ticket_is_read_by_its_lasting_id_alone(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        read = await connector.fetch(ExternalRef(ref.id))
        assert (read.ref.id, read.ref.key) == (ref.id, ref.key)
        assert read.ref.url.startswith("http")

    @scenario
    async def test_times_bear_their_zone_and_follow_each_other(self, system: SystemUnderTest, connector: Connector):
        read = await connector.fetch(await create(system, connector))
        assert read.created_at.utcoffset() is not None
        assert read.updated_at.utcoffset() is not None
        assert read.created_at <= read.updated_at

    @scenario
    async def test_text_beyond_ascii_comes_back_letter_by_letter(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        title = "Größe 👩‍👩‍👧 שלום <b>5 & 6</b> \\ * _x_"
        read = await connector.fetch(await create(system, connector, {words.title: title}))
        assert read.fields[words.title] == title

    @scenario
    async def test_the_created_ticket_carries_its_correlation(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        read = await connector.fetch(ref)
        assert read.correlation == CORRELATION
        shown = [str(value) for name, value in read.fields.items() if name in self._text_fields(system)]
        assert not any(CORRELATION in text for text in shown)

    @scenario
    async def test_a_persons_ticket_carries_none(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        ref = await system.person_creates({words.title: "Printer is on fire"})
        read = await connector.fetch(ref)
        assert read.correlation is None
        assert read.fields[words.title] == "Printer is on fire"

    @scenario
    async def test_nothing_is_found_before_anything_is_created(self, system: SystemUnderTest, connector: Connector):
        await system.person_creates({system.vocabulary.title: "A ticket of somebody else"})
        assert await connector.find(NEVER_USED) is None

    @scenario
    async def test_a_created_ticket_is_found_again(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        found = await system.look_until(lambda: connector.find(CORRELATION))
        assert found is not None
        assert found.ref.id == ref.id

    @scenario
    async def test_finding_tells_tickets_apart(self, system: SystemUnderTest, connector: Connector):
        first = await create(system, connector)
        second = await create(system, connector, correlation=OTHER_CORRELATION)
        assert (await system.look_until(lambda: connector.find(OTHER_CORRELATION))).ref.id == second.id
        assert (await system.look_until(lambda: connector.find(CORRELATION))).ref.id == first.id
        assert await connector.find(NEVER_USED) is None
        assert await connector.find(CORRELATION[:-1]) is None

    @scenario
    async def test_a_ticket_of_unknown_type_is_rejected(self, system: SystemUnderTest, connector: Connector):
        wrong = Draft("no-such-type", draft(system).fields)
        with pytest.raises(Rejected):
            await connector.create(wrong, CORRELATION)

    @scenario
    async def test_a_ticket_without_its_title_is_rejected_by_name(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        required = (await connector.schema()).types[words.type][words.title].is_required
        needs(required, "the system takes tickets without a title")
        with pytest.raises(Rejected) as refusal:
            await connector.create(Draft(words.type, dict(words.new)), CORRELATION)
        assert refusal.value.field == words.title

    @scenario
    async def test_an_unknown_choice_is_rejected_by_name(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        with pytest.raises(Rejected) as refusal:
            await connector.create(draft(system, {words.choice: words.unknown_choice}), CORRELATION)
        assert refusal.value.field == words.choice
        assert await connector.find(CORRELATION) is None

    @scenario
    async def test_a_text_that_is_too_long_is_rejected_by_name(self, system: SystemUnderTest, connector: Connector):
        name, text = system.vocabulary.too_long
        with pytest.raises(Rejected) as refusal:
            await connector.create(draft(system, {name: text}), CORRELATION)
        assert refusal.value.field == name
        assert await connector.find(CORRELATION) is None

    @scenario
    async def test_a_deleted_ticket_is_gone(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        await system.person_deletes(ref)
        with pytest.raises(TicketGone):
            await connector.fetch(ref)
        with pytest.raises(TicketGone):
            await connector.update(ref, {system.vocabulary.title: "x"}, expected=None, correlation=OTHER_CORRELATION)
        with pytest.raises(TicketGone):
            await connector.changes(ref, None)

    @scenario
    async def test_the_version_stands_until_something_changes(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        ref = await create(system, connector)
        before = await connector.fetch(ref)
        assert (await connector.fetch(ref)).version == before.version
        await system.person_edits(ref, {words.title: "Checkout page is very slow"})
        after = await connector.fetch(ref)
        assert after.version != before.version
        assert after.fields[words.title] == "Checkout page is very slow"

    @scenario
    async def test_the_schema_knows_the_fields_their_limits_and_values(
        self, system: SystemUnderTest, connector: Connector
    ):
        words = system.vocabulary
        fields = (await connector.schema()).types[words.type]
        name, text = words.too_long
        limit = fields[name].max_length
        assert limit is None or limit < len(text)
        assert set(map(str, words.choice_values)) <= set(fields[words.choice].values)
        assert str(words.unknown_choice) not in fields[words.choice].values
        assert {str(words.initial), str(words.middle), str(words.resolved)} <= set(fields[words.status].values)
        assert fields[words.title].is_writable
        assert fields[words.status].type == "status"
        assert words.description in fields
        assert words.custom_text is None or fields[words.custom_text].is_writable

    @scenario
    async def test_the_fields_that_rules_map_are_read_and_in_the_schema(
        self, system: SystemUnderTest, connector: Connector
    ):
        words = system.vocabulary
        mapped = {words.title, words.status, words.choice, words.description, *words.resolving}
        read = await connector.fetch(await create(system, connector))
        assert mapped <= read.fields.keys()
        assert mapped <= (await connector.schema()).types[words.type].keys()

    def _text_fields(self, system: SystemUnderTest) -> set[str]:
        words = system.vocabulary
        return {words.title, words.description, words.custom_text or words.title}
