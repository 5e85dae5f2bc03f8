"""Every ordered pair of systems lets generated documents come to rest (F39); more of them with ``SIAM_DOCUMENTS``."""

import os

import pytest

from apps.sync.connectors.richtext import canonical, to_plain

from .richtext_pairs import PAIRS, SYSTEMS, play, rests

DOCUMENTS = int(os.environ.get("SIAM_DOCUMENTS", "30"))


@pytest.mark.parametrize(("origin", "target"), PAIRS)
def test_a_text_comes_to_rest_between_two_systems(origin: str, target: str) -> None:
    tally = play(origin, target, DOCUMENTS, os.environ.get("SIAM_SEED", "1"))
    assert tally.restless == 0, tally.example
    assert tally.refused < DOCUMENTS / 2


ADDRESS = "https://l.example/card?a=1&b=2"


@pytest.mark.parametrize(
    "text",
    [
        f"[{ADDRESS}\\\n{ADDRESS}]({ADDRESS})",
        f"| a | [{ADDRESS} {ADDRESS}]({ADDRESS}) |\n|---|---|\n",
        "!http://i.example/1!",
        "*<http://x>\U0001f469\\*",
        "[x\\\ny](https://l.example/6)",
        "**!http://)!**",
        "--_m-\u200b_",
        "2. https://l.example/6\n\n   [:](https://l.example/6)",
    ],
)
def test_texts_that_once_went_round_for_ever(text: str) -> None:
    for there in SYSTEMS["jira"]:
        for back in SYSTEMS["servicenow"]:
            assert rests(canonical(text), there, back) is not None


def test_an_address_that_stands_there_twice_is_named_twice_and_not_once_more_each_time() -> None:
    assert to_plain(f"[{ADDRESS}\\\n{ADDRESS}]({ADDRESS})") == f"{ADDRESS}\n{ADDRESS}"


def test_words_survive_a_jira_server_whatever_its_markup_would_make_of_them() -> None:
    in_jira_server = SYSTEMS["jira"][1]
    for text in ("\\!<http://1.example>\\!", "a\\!b.png\\!", "\\--\\_m-\u200b\\_"):
        assert to_plain(in_jira_server(canonical(text))) == to_plain(text)
