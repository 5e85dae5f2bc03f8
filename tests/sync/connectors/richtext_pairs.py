"""Rich text that goes from one system to another and back: each system keeps it in its own way, and it comes to rest.

A document is written by a person in one system, in that system's own form or pasted as Markdown; the hub reads it, the
other system gets it, and what that one shows goes back. After a few ways there and back nothing may change any more, or
two connections would write to each other for ever (F39). Most texts rest after the first.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import permutations
from random import Random
from typing import Any

from apps.sandbox.azure_devops.markup import sanitized
from apps.sandbox.jira.adf import check_document
from apps.sandbox.zendesk.texts import comment_text
from apps.sync.connectors.azure_devops import translate as azure
from apps.sync.connectors.base import Rejected
from apps.sync.connectors.jira import translate as jira
from apps.sync.connectors.jira.adf import from_adf
from apps.sync.connectors.richtext import canonical, from_plain, to_plain
from apps.sync.connectors.servicenow import translate as servicenow
from apps.sync.connectors.zendesk import translate as zendesk

MARK = "siam-3f2a9c0d41b7"
WAYS = 4
LONG = 200
"""One document in so many is very long."""


# --- How each system keeps a text -------------------------------------------------------------------------------------


def _in_jira_cloud(markdown: str) -> str:
    stored = jira.write_rich(markdown, True)
    if stored is None:
        return ""
    check_document(stored)
    return jira.read_rich(json.loads(json.dumps(stored))) or ""


def _in_jira_server(markdown: str) -> str:
    if not markdown.strip():
        return ""
    stored = jira.write_rich(jira.with_mark(markdown, MARK), False)
    # The server hands its wiki markup out with the line ends of a text area.
    return jira.split_mark(jira.read_rich(stored.replace("\n", "\r\n")) or "")[0]


def _in_servicenow_as(comment_format: str) -> Callable[[str], str]:
    def keep(markdown: str) -> str:
        entry = servicenow.write_journal(markdown, MARK, comment_format)
        return servicenow.read_journal(entry.replace("\n", "\r\n"), comment_format)[0]

    return keep


def _in_servicenow_field(markdown: str) -> str:
    return from_plain(servicenow.unix(to_plain(markdown).replace("\n", "\r\n")))


def _in_azure_comment(markdown: str) -> str:
    if not markdown.strip():
        return ""
    return azure.split_comment(azure.read_rich_text(sanitized(azure.write_comment(markdown, MARK)), "html"))[0]


def _in_azure_field(markdown: str) -> str:
    return azure.read_rich_text(sanitized(azure.write_html(markdown, "description")), "html")


def _in_zendesk(markdown: str) -> str:
    if not markdown.strip():
        return ""
    written = {"html_body": zendesk.write_body(markdown, "comment")}
    # What stands in double braces vanishes there, were it not guarded.
    kept = comment_text(written, by_staff=True, most=64 * 1024, lookup=lambda _name: "")
    return zendesk.read_body({"html_body": kept.html_body, "plain_body": kept.plain_body}) if kept else ""


Keep = Callable[[str], str]
SYSTEMS: Mapping[str, tuple[Keep, ...]] = {
    "jira": (_in_jira_cloud, _in_jira_server),
    "servicenow": (
        _in_servicenow_as("plain"),
        _in_servicenow_as("code"),
        _in_servicenow_as("html"),
        _in_servicenow_field,
    ),
    "azure_devops": (_in_azure_comment, _in_azure_field),
    "zendesk": (_in_zendesk,),
}
PAIRS = list(permutations(SYSTEMS, 2))


# --- What people write ------------------------------------------------------------------------------------------------

WORDS = [
    "VPN", "drops", "Straße", "naïve", "東京", "привет", "x", "1", "a.b", "C++", "don't", "T-7KQ2M9XA", "3 < 4",
    "a & b", "שלום עולם", "مرحبا", "\u200fabc\u200e", "\u202bRTL\u202c", "e\u0301", "\u00a0", "a\u00a0b",
    "\u00a0\u00a0", "\u2003", "\u200b", "👩‍👩‍👧‍👦", "👍🏽", "🏳️‍🌈", "🇩🇪", ":smile:", "(y)", "(!)", "@john", "[~jsmith]",
    "@<4C1F>", "[~accountid:5b10a]", "#123", "INC0010023", "https://a.example/x?y=1&z=(2)", "www.b.example",
    "mailto:ana@example.com", "ana@example.com", "file://c/d", "{{ticket.id}}", "{code}", "[code]", "[/code]", "*",
    "**", "_", "__", "~~", "`", "``", "\\", "|", "||", "<b>", "</p>", "<!--", "&amp;", "&nbsp;", "&#10;",
    "{color:red}", "!img.png!", "h1. ", "bq. ", "----", "# ", "- ", "1. ", "> ", "+", "^", "~", "??", "(c)", "--",
    "---", "...", "[x]", "[ ]", "(", ")", "!", f"({MARK})", f"[{MARK}]",
]  # fmt: skip
BREAKS = ["\n", "\n", "\r\n", "\n\n", "\r\n\r\n", "  \n", "\\\n", "\r", "\u2028", "\n\n\n", "\t", " ", "  ", "    "]


def _in_tag(tag: str, inner: str) -> str:
    return f"<{tag}>{inner}</{tag}>"


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


class Writer:
    """A person who writes; the same seed writes the same."""

    def __init__(self, seed: str) -> None:
        self.dice = Random(seed)

    def phrase(self, most: int = 6) -> str:
        dice = self.dice
        return "".join(
            dice.choice(WORDS) + dice.choice([" ", " ", " ", "", "\u00a0", "  "]) for _ in range(dice.randint(1, most))
        )

    def markdown(self, depth: int = 0) -> str:
        return "".join(self._block(depth) + self.dice.choice(BREAKS) for _ in range(self.dice.randint(1, 6)))

    def _block(self, depth: int) -> str:
        dice, text = self.dice, self.phrase
        kinds: list[Callable[[], str]] = [
            text,
            text,
            lambda: f"**{text(2)}** _{text(2)}_ ~~{text(2)}~~ `{text(2)}`",
            lambda: f"[{text(2)}](https://l.example/{dice.randint(1, 99)}) ![{text(1)}](https://i.example/i.png)",
            lambda: "#" * dice.randint(1, 7) + " " + text(3),
            lambda: (
                "\n" + "".join(f"{dice.choice(['- ', '* ', '1. ', '  - ', '   2) '])}{text(3)}\n" for _ in range(3))
            ),
            lambda: f"\n```{dice.choice(['', 'py', 'c++', 'a b'])}\n{text()}\n\n    {text()}\n```\n",
            lambda: f"\n| {text(1)} | {text(1)} |\n|---|:-:|\n| {text(2)} | {text(2)} |\n| {text(1)} |\n",
            lambda: "".join(f"> {line}\n" for line in (text(), "", text())),
            lambda: "\n---\n",
        ]
        if depth < 2:
            kinds.append(lambda: "".join(f"> {line}\n" for line in self.markdown(depth + 1).splitlines()))
            kinds.append(lambda: "- " + self.markdown(depth + 1).replace("\n", "\n  "))
        return dice.choice(kinds)()

    def html(self, depth: int = 0) -> str:
        """As editors of Zendesk and Azure DevOps make it, mentions included."""
        dice, text = self.dice, self._escaped
        inner = (lambda: self.html(depth + 1)) if depth < 3 else text
        parts = {
            "p": lambda: f"<p>{inner()}</p>",
            "div": lambda: f'<div dir="{dice.choice(["rtl", "auto"])}">{inner()}<br></div>',
            "mark": lambda: _in_tag(dice.choice(["b", "strong", "i", "em", "u", "s", "code", "span"]), inner()),
            "list": lambda: _in_tag(dice.choice(["ul", "ol"]), f"<li>{inner()}</li><li>{inner()}</li>"),
            "table": lambda: f"<table><tr><th>{inner()}</th><td>{text()}</td></tr><tr><td colspan=2>{inner()}"
            "</td></tr></table>",
            "pre": lambda: f"<pre><code>{text()}\n  {text()}</code></pre>",
            "quote": lambda: f"<blockquote>{inner()}</blockquote>",
            "head": lambda: f"<h{dice.randint(1, 6)}>{inner()}</h2>",
            "mention": lambda: f'<a href="#" data-vss-mention="version:2.0,4c1f">@{text()}</a>&nbsp;',
            "link": lambda: f'<a href="https://l.example/{dice.randint(1, 9)}">{inner()}</a>',
            "image": lambda: f'<img src="https://i.example/i.png" alt="{dice.choice(["", "shot", "a b"])}">',
            "broken": lambda: f"<b>{text()}<i>{text()}</b>{text()}</i>",
        }  # fmt: skip
        return "".join(
            dice.choice([text, text, *parts.values()])() + dice.choice(["", "", " ", "\r\n"])
            for _ in range(dice.randint(1, 5))
        )

    def _escaped(self) -> str:
        return self.phrase(3).replace("&", "&amp;").replace("<", "&lt;")

    def adf(self, depth: int = 0) -> dict[str, Any]:
        """As the editor of Jira makes it, mentions and emoji included."""
        return {"type": "doc", "version": 1, "content": [self._node(depth) for _ in range(self.dice.randint(1, 5))]}

    def _node(self, depth: int) -> dict[str, Any]:
        dice = self.dice
        paragraph: dict[str, Any] = {
            "type": "paragraph",
            "content": [self._inline() for _ in range(dice.randint(1, 5))],
        }
        item = {"type": "listItem", "content": [paragraph, *([self._node(depth + 1)] if depth < 2 else [])]}
        cell = {"type": dice.choice(["tableCell", "tableHeader"]), "content": [paragraph]}
        return dice.choice(
            [
                paragraph,
                paragraph,
                {"type": "heading", "attrs": {"level": dice.randint(1, 6)}, "content": [self._inline()]},
                {"type": dice.choice(["bulletList", "orderedList"]), "content": [item, item]},
                {"type": "codeBlock", "attrs": {"language": "py"}, "content": [_text(self.phrase())]},
                {"type": "blockquote", "content": [paragraph, paragraph]},
                {"type": "panel", "attrs": {"panelType": "info"}, "content": [paragraph]},
                {"type": "table", "content": [{"type": "tableRow", "content": [cell, cell]} for _ in range(2)]},
                {"type": "rule"},
            ]
        )  # fmt: skip

    def _inline(self) -> dict[str, Any]:
        dice = self.dice
        marks = [{"type": kind} for kind in ("strong", "em", "strike", "code", "underline") if dice.random() < 0.15]
        if dice.random() < 0.1:
            marks.append({"type": "link", "attrs": {"href": "https://l.example/a(b)_c"}})
        return dice.choice(
            [
                {"type": "text", "text": self.phrase(3), "marks": marks},
                {"type": "text", "text": self.phrase(3), "marks": marks},
                {"type": "mention", "attrs": {"id": "5b10a", "text": "@Ana *Lee*"}},
                {"type": "emoji", "attrs": {"shortName": ":family:", "text": "👩‍👩‍👧"}},
                {"type": "hardBreak"},
                {"type": "inlineCard", "attrs": {"url": "https://l.example/card?a=1&b=2"}},
            ]
        )  # fmt: skip

    def wiki(self) -> str:
        """As people type it into a Jira of their own."""
        dice, text = self.dice, self.phrase
        blocks = [
            text,
            lambda: f"h{dice.randint(1, 6)}. {text(2)}",
            lambda: f"* {text(2)}\n** {text(2)}\n# {text(2)}",
            lambda: f"||{text(1)}||{text(1)}||\n|{text(1)}|{text(2)}|",
            lambda: "{code:py}\n" + text() + "\n{code}",
            lambda: "{noformat}" + text(2) + "{noformat}",
            lambda: "{quote}" + text() + "\n" + text() + "{quote}",
            lambda: f"*{text(1)}* _{text(1)}_ -{text(1)}- {{{{{text(1)}}}}} [{text(1)}|https://l.example/] [~jsmith]",
        ]
        return "".join(dice.choice(blocks)() + dice.choice(["\r\n", "\r\n\r\n"]) for _ in range(dice.randint(1, 5)))

    def first_read(self, system: str) -> str:
        """What the hub reads of a text that a person wrote in ``system``."""
        if self.dice.random() < 0.5:
            markdown = self.markdown() * (40 if self.dice.randrange(LONG) == 0 else 1)
            return self.dice.choice(SYSTEMS[system])(canonical(markdown))
        if system == "jira":
            return from_adf(self.adf()) if self.dice.random() < 0.5 else jira.read_rich(self.wiki()) or ""
        if system == "servicenow":
            form = self.dice.choice(["plain", "code", "html"])
            text = (
                self.html() if form == "html" else f"[code]{self.html()}[/code]" if form == "code" else self.markdown()
            )
            return servicenow.read_journal(text, form)[0]
        if system == "azure_devops":
            text = self.dice.choice([lambda: sanitized(self.html()), self.markdown])()
            return azure.split_comment(azure.read_rich_text(text, "html"))[0]
        kept = comment_text({"html_body": self.html()}, by_staff=True, most=64 * 1024, lookup=lambda _name: "")
        return zendesk.read_body({"html_body": kept.html_body, "plain_body": kept.plain_body}) if kept else ""


# --- The law ----------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What became of the documents of one ordered pair. ``refused``: too long for one of the two; nothing was sent."""

    documents: int = 0
    at_once: int = 0
    after_one_way: int = 0
    later: int = 0
    refused: int = 0
    restless: int = 0
    example: str = ""


def rests(text: str, there: Keep, back: Keep) -> int | None:
    """How many ways there and back change ``text``; None when it does not come to rest within ``WAYS``."""
    for changed in range(WAYS):
        again = back(there(text))
        if again == text:
            return changed
        text = again
    return None


def play(origin: str, target: str, documents: int, seed: str) -> Tally:
    """Let ``documents`` documents go from ``origin`` to ``target`` and back."""
    tally = Tally()
    for number in range(documents):
        writer = Writer(f"{seed}:{origin}:{target}:{number}")
        text = writer.first_read(origin)
        there, back = writer.dice.choice(SYSTEMS[target]), writer.dice.choice(SYSTEMS[origin])
        tally.documents += 1
        try:
            found = rests(text, there, back)
        except Rejected:
            tally.refused += 1
            continue
        if found is None:
            tally.restless += 1
            tally.example = tally.example or f"{number}: {text!r}"
        elif found > 1:
            tally.later += 1
        elif found:
            tally.after_one_way += 1
        else:
            tally.at_once += 1
    return tally
