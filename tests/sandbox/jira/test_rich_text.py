"""Documents through v3, wiki strings through v2, and the structure rules that refuse the rest."""

from typing import Any

import pytest

from apps.sandbox.jira.adf import BadDocument, check_document
from apps.sandbox.jira.texts import as_document, as_wiki

from .site import JiraSite, paragraph, play


def doc(*blocks: Any) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": list(blocks)}


def node(kind: str, *content: Any, **attrs: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"type": kind}
    if content:
        made["content"] = list(content)
    if attrs:
        made["attrs"] = attrs
    return made


def text(words: str, *marks: Any) -> dict[str, Any]:
    shown = [{"type": mark} if isinstance(mark, str) else mark for mark in marks]
    return {"type": "text", "text": words, "marks": shown} if shown else {"type": "text", "text": words}


LINK = {"type": "link", "attrs": {"href": "https://infinity.example"}}
ROW = node("tableRow", node("tableHeader", node("paragraph", text("h"))), node("tableCell", node("paragraph")))


@pytest.mark.parametrize(
    "document",
    [
        doc(node("paragraph")),
        doc(node("heading", text("Title", "strong", "em"), level=3)),
        doc(
            node(
                "bulletList",
                node(
                    "listItem", node("paragraph", text("a")), node("orderedList", node("listItem", node("paragraph")))
                ),
            )
        ),
        doc(node("taskList", node("taskItem", text("do"), localId="2", state="TODO"), localId="1")),
        doc(node("blockquote", node("paragraph", text("q")))),
        doc(node("codeBlock", text("x = 1"), language="python")),
        doc(node("panel", node("paragraph", text("note")), panelType="info")),
        doc(node("rule")),
        doc(node("table", ROW)),
        doc(node("expand", node("paragraph"), title="more")),
        doc(node("mediaSingle", node("media", type="external", url="https://infinity.example/a.png"))),
        doc(node("paragraph", text("code", "code", LINK), node("hardBreak"), node("mention", id="5f0c", text="@John"))),
        doc(node("paragraph", node("emoji", shortName=":smile:"), node("date", timestamp="1763633000123"))),
        doc(
            node(
                "paragraph",
                node("inlineCard", url="https://infinity.example"),
                node("status", text="ok", color="green"),
            )
        ),
    ],
)
def test_a_document_that_nests_as_the_format_allows_is_taken(document):
    check_document(document)


@pytest.mark.parametrize(
    "document",
    [
        "plain text",
        {"type": "doc", "content": [node("paragraph")]},
        {"type": "doc", "version": 2, "content": [node("paragraph")]},
        doc(),
        doc(text("bare")),
        doc(node("paragraph", text(""))),
        doc(node("paragraph", node("paragraph"))),
        doc(node("nonsense")),
        doc(node("heading", text("x"), level=7)),
        doc(node("heading", text("x"))),
        doc(node("bulletList")),
        doc(node("bulletList", node("listItem", text("bare")))),
        doc(node("listItem", node("paragraph"))),
        doc(node("codeBlock", text("x", "strong"))),
        doc(node("panel", node("paragraph"), panelType="loud")),
        doc(node("taskList", node("taskItem", text("x"), localId="1", state="MAYBE"), localId="1")),
        doc(node("blockquote", node("blockquote", node("paragraph")))),
        doc(node("paragraph", text("x", "code", "strong"))),
        doc(node("paragraph", text("x", "blink"))),
        doc(node("paragraph", text("x", "strong", "strong"))),
        doc(node("paragraph", text("x", {"type": "link"}))),
        doc(node("paragraph", text("x", {"type": "textColor", "attrs": {"color": "red"}}))),
        doc(node("paragraph", node("mention"))),
        doc(node("mediaSingle", node("media", type="file", id="10100", collection=""))),
        doc({"type": "paragraph", "text": "x"}),
    ],
)
def test_a_document_that_breaks_a_structure_rule_is_refused(document):
    with pytest.raises(BadDocument):
        check_document(document)


def test_v3_refuses_a_string_and_v2_refuses_a_document():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        as_string = await jira("PUT", f"/issue/{key}", {"fields": {"description": "plain"}})
        told = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
        assert (as_string.status, as_string.body["errors"]) == (400, {"description": told})
        as_document = await jira("PUT", f"/rest/api/2/issue/{key}", {"fields": {"description": paragraph("x")}})
        told = "Operation value must be a string"
        assert (as_document.status, as_document.body["errors"]) == (400, {"description": told})

    play(story)


def test_an_empty_document_is_refused_with_the_vendors_sentence():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        answer = await jira("PUT", f"/issue/{key}", {"fields": {"description": doc()}})
        assert answer.status == 400
        assert answer.body["errors"]["description"].startswith("We can't create this issue for you right now")

    play(story)


def test_a_text_written_through_one_version_is_shown_through_the_other():
    async def story(jira: JiraSite) -> None:
        rich = doc(node("heading", text("Steps"), level=2), node("paragraph", text("call "), text("now", "strong")))
        key = (await jira.create(description=rich))["key"]
        assert (await jira.fields(key))["description"] == rich
        v2 = await jira("GET", f"/rest/api/2/issue/{key}?fields=description&expand=renderedFields")
        assert v2.body["fields"] == {"description": "h2. Steps\n\ncall *now*"}
        assert v2.body["renderedFields"]["description"] == "<h2>Steps</h2>\n<p>call <b>now</b></p>"

    play(story)


def test_a_wiki_string_becomes_a_valid_document_whatever_it_holds():
    for wiki in ("", "one", "one\ntwo\n\nthree", "\n\n", "a\r\n\r\nb", "* item\n* item"):
        check_document(as_document(wiki))
    assert as_wiki(as_document("one\ntwo\n\nthree")) == "one\ntwo\n\nthree"


def test_lists_tables_and_code_are_written_as_wiki_text():
    items = node(
        "bulletList",
        node(
            "listItem",
            node("paragraph", text("a")),
            node("orderedList", node("listItem", node("paragraph", text("b")))),
        ),
    )
    assert as_wiki(doc(items)) == "* a\n*# b"
    assert as_wiki(doc(node("codeBlock", text("x"), language="sql"))) == "{code:sql}\nx\n{code}"
    assert as_wiki(doc(node("table", ROW))) == "||h||"
