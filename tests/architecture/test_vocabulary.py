"""One concept, one word. The authority is ``docs/glossary.md``; what it forbids is looked for everywhere."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from .sources import ROOT, documents, files, modules, read_document, table_rows, words_of

SYSTEMS = ("jira", "servicenow", "azure_devops", "zendesk")
THEIR_OWN_ROOMS = (
    "apps/sandbox/",
    "tests/sandbox/",
    "tests/contract/",
    "tests/sync/connectors/",
    "siamportal/demo/",
    *(f"apps/sync/connectors/{name}/" for name in SYSTEMS),
    "docs/sandboxes.md",
    "docs/connectors.md",
    "docs/glossary.md",
)
_TAG = re.compile(r"\{[%#{].*?[%#}]\}|<[^>]*>", re.DOTALL)
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


@dataclass(frozen=True)
class Exemption:
    """A forbidden word that stays allowed below ``place``, for a reason that the glossary gives."""

    word: str
    place: str


@cache
def forbidden() -> dict[str, str]:
    """Forbidden word → the word that we say, from the glossary's third column."""
    rows = [cells for cells in table_rows(_part("## The words")) if len(cells) == 3]
    return {word: cells[0].strip("* ") for cells in rows for word in re.findall(r"`([^`]+)`", cells[2])}


@cache
def exemptions() -> tuple[Exemption, ...]:
    rows = [cells for cells in table_rows(_part("## Exceptions")) if len(cells) == 3]
    return tuple(Exemption(cells[0].strip("`"), cells[1].strip("`")) for cells in rows)


def _part(heading: str) -> str:
    return read_document("glossary.md").split(heading, 1)[1].split("\n## ", 1)[0]


def _is_allowed(word: str, place: str) -> bool:
    return place.startswith(THEIR_OWN_ROOMS) or any(
        one.word == word and place.startswith(one.place) for one in exemptions()
    )


def _said(words: list[str]) -> Iterator[str]:
    """The forbidden words in a row of words; a plural is the word too."""
    pairs = [f"{one} {other}" for one, other in pairwise(words)]
    for candidate in [*words, *pairs]:
        singular = re.sub(r"ies$", "y", candidate)
        for word in (candidate, singular, candidate.removesuffix("s"), candidate.removesuffix("es")):
            if word in forbidden():
                yield word
                break


def _told(place: str, line: int | str, word: str) -> str:
    return f"{place}:{line} says {word!r}; the glossary says {forbidden()[word]!r}"


def test_the_glossary_forbids_what_it_should() -> None:
    assert {"supplier", "tenant", "issue", "work item", "plugin", "payload", "committee"} <= set(forbidden())


def test_a_forbidden_word_is_heard_in_any_shape() -> None:
    assert list(_said(words_of("read_supplier_names"))) == ["supplier"]
    assert list(_said(words_of("WorkItems"))) == ["work item"]
    assert list(_said(words_of("companies"))) == ["company"]
    assert list(_said(words_of("ticket_companions"))) == []


def test_names_in_the_code_keep_to_the_glossary() -> None:
    found = [
        _told(module.place, line, word)
        for module in modules()
        for name, line in module.names()
        for word in _said(words_of(name))
        if not _is_allowed(word, module.place)
    ]

    assert found == []


def test_modules_and_templates_are_named_by_the_glossary() -> None:
    places = [path.relative_to(ROOT) for path in files() if path.suffix in (".py", ".html")]
    found = [
        _told(place.as_posix(), 1, word)
        for place in places
        for part in place.with_suffix("").parts
        for word in _said(words_of(part))
        if not _is_allowed(word, place.as_posix())
    ]

    assert found == []


def test_pages_speak_the_words_of_the_glossary() -> None:
    assert list(_heard((ROOT / "templates").rglob("*.html"), _TAG)) == []


def test_documents_speak_the_words_of_the_glossary() -> None:
    assert list(_heard(documents(), _CODE)) == []


def _heard(paths: Iterator[Path] | tuple[Path, ...], left_out: re.Pattern[str]) -> Iterator[str]:
    for path in paths:
        place = path.relative_to(ROOT).as_posix()
        text = left_out.sub(lambda match: "\n" * match.group().count("\n") + " ", path.read_text(encoding="utf-8"))
        for line, content in enumerate(text.splitlines(), 1):
            for word in _said(re.findall(r"[a-z]+", content.lower())):
                if not _is_allowed(word, place):
                    yield _told(place, line, word)


def test_vendor_words_stay_in_the_vendors_own_rooms() -> None:
    """No module outside a connector or sandbox carries a system's name."""
    allowed = ("apps/sync/rules/templates/", "tests/", "siamportal/demo/", "apps/sandbox/", "apps/sync/connectors/")
    named = [
        module.place
        for module in modules()
        if any(name.replace("_", "") in module.place.replace("_", "") for name in SYSTEMS)
    ]

    assert [place for place in named if not place.startswith(allowed)] == []


def test_every_exemption_is_still_needed() -> None:
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").lower() for path in files()}
    idle = [
        one
        for one in exemptions()
        if not any(place.startswith(one.place) and one.word[:-1] in text for place, text in texts.items())
    ]

    assert idle == []
