"""Who reads what on a ticket (T16, INV-31)."""

import io
import os
from datetime import timedelta
from typing import Any

import pytest

from apps.tickets import services as tickets
from apps.tickets.actor import Actor
from apps.tickets.models import Comment
from apps.tickets.selectors import attachments_of, comments_of, events_of
from apps.tickets.selectors import tickets as tickets_of
from apps.tickets.services import AttachmentNotUsable, CommentNotUsable, File
from apps.tickets.storage import FileDamaged, begin_file, keep, open_checked, place_of, remove_unfinished

from .desk import AT, Desk


def say(desk: Desk, ticket: Any, actor: Actor, body: str, audience: str, *chosen: str) -> Comment:
    said = tickets.comment(
        ticket=ticket,
        body=body,
        audience=audience,
        actor=actor,
        at=AT,
        chosen=[desk.organization(slug) for slug in chosen],
        files=[File(f"{body}.txt", "text/plain", io.BytesIO(body.encode()))],
    )
    assert said is not None
    return said


def test_each_party_reads_what_is_meant_for_it_and_nothing_else(desk: Desk) -> None:
    """Comments, files and journal entries alike: an entry about what one may not read is not counted either."""
    ticket = desk.open()
    desk.share(ticket, "global")
    desk.share(ticket, "mercuri")
    say(desk, ticket, desk.elaine, "for all", "public")
    say(desk, ticket, desk.elaine, "for global", "chosen", "global")
    say(desk, ticket, desk.elaine, "for us", "internal")
    expected = {
        "elaine": ["for all", "for global", "for us"],
        "david": ["for all", "for global"],
        "agent": ["for all"],
        "lead": ["for all"],
        "john": [],
    }
    for name, bodies in expected.items():
        reader = getattr(desk, name).principal
        assert sorted(said.body for said in comments_of(ticket, seen_by=reader)) == bodies
        assert sorted(file.file_name for file in attachments_of(ticket, seen_by=reader)) == [
            f"{body}.txt" for body in bodies
        ]
        told = [event for event in events_of(ticket, seen_by=reader) if event.comment_id]
        assert [event.comment.body for event in told if event.comment] == bodies
        assert tickets_of(seen_by=reader).count() == (name != "john")


def test_who_belongs_to_nobody_sees_nothing(desk: Desk) -> None:
    from apps.ecosystem.selectors import principal_of

    ticket = desk.open()
    otto = principal_of(desk.cast.people["Otto"].user)
    assert not tickets_of(seen_by=otto).exists()
    assert not events_of(ticket, seen_by=otto).exists()


@pytest.mark.parametrize(
    ("audience", "chosen"), [("everybody", ()), ("chosen", ()), ("public", ("global",)), ("chosen", ("mercuri",))]
)
def test_an_audience_that_makes_no_sense_is_refused(desk: Desk, audience: str, chosen: tuple[str, ...]) -> None:
    ticket = desk.open()
    desk.share(ticket, "global")
    with pytest.raises(CommentNotUsable, match="audience"):
        say(desk, ticket, desk.elaine, "hello", audience, *chosen)
    assert not Comment.objects.exists()


@pytest.mark.parametrize("body", ["", "  \n ", "x" * 65_001])
def test_an_empty_or_over_long_comment_is_refused(desk: Desk, body: str) -> None:
    with pytest.raises(CommentNotUsable, match="comment"):
        say(desk, desk.open(), desk.elaine, body, "public")


def test_a_file_that_is_too_large_takes_its_comment_with_it(desk: Desk, settings: Any) -> None:
    settings.SIAM_LARGEST_ATTACHMENT = 3
    with pytest.raises(AttachmentNotUsable, match="larger than"):
        say(desk, desk.open(), desk.elaine, "hello", "public")
    assert not Comment.objects.exists()
    assert list(settings.SIAM_UPLOADS.glob("unfinished-*")) == []


@pytest.mark.parametrize(
    ("given", "kept"), [("../../etc/passwd", "passwd"), ("C:\\temp\\shot.png", "shot.png"), ("a\x00b.txt", "ab.txt")]
)
def test_a_file_name_is_only_a_name(desk: Desk, given: str, kept: str) -> None:
    file = File(given, "", io.BytesIO(b"x"))
    made = tickets.attach(ticket=desk.open(), file=file, audience="public", actor=desk.elaine, at=AT)
    assert made is not None
    assert (made.file_name, made.content_type) == (kept, "application/octet-stream")


# --- Storage ----------------------------------------------------------------------------------------------------------


def test_equal_content_is_stored_once_and_comes_back_whole(desk: Desk, settings: Any) -> None:
    first, second = (keep(io.BytesIO(b"the same" * 100_000), limit=10**6) for _ in range(2))
    assert first == second
    assert first is not None
    assert open_checked(first.sha256).read() == b"the same" * 100_000
    assert len([place for place in settings.SIAM_UPLOADS.rglob("*") if place.is_file()]) == 1


def test_stored_bytes_that_changed_are_not_given_out(desk: Desk) -> None:
    kept = keep(io.BytesIO(b"original"), limit=100)
    assert kept is not None
    place_of(kept.sha256).write_bytes(b"tampered")
    with pytest.raises(FileDamaged, match="no longer has the hash"):
        open_checked(kept.sha256)
    place_of(kept.sha256).unlink()
    with pytest.raises(FileDamaged, match="missing"):
        open_checked(kept.sha256)


def test_a_stream_beyond_the_limit_leaves_nothing_behind(desk: Desk, settings: Any) -> None:
    assert keep(io.BytesIO(b"x" * 11), limit=10) is None
    assert [place for place in settings.SIAM_UPLOADS.rglob("*") if place.is_file()] == []


def test_what_a_killed_process_left_half_written_is_removed_after_a_day(desk: Desk, settings: Any) -> None:
    kept = keep(io.BytesIO(b"whole"), limit=10**6)
    left = []
    for hours in (1, 25):
        handle, place = begin_file()
        os.close(handle)
        os.utime(place, ((AT - timedelta(hours=hours)).timestamp(),) * 2)
        left.append(place)
    assert remove_unfinished(now=AT) == 1
    assert [place.exists() for place in left] == [True, False]
    assert kept is not None
    assert open_checked(kept.sha256).read() == b"whole"
