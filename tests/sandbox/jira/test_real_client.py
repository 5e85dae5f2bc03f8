"""The most used client library, unmodified, against both editions: if it cannot work here, the sandbox is wrong."""

import asyncio
import io
import warnings
from collections.abc import Callable

import jira as client
import pytest

from apps.sandbox.jira import seed

from .site import JiraSite, paragraph, play

JiraClient = client.JIRA


def with_client(
    work: Callable[[JiraClient], None], *, version: str = "2", token: bool = False, **settings: object
) -> None:
    async def story(site: JiraSite) -> None:
        def run() -> None:
            signed = {"token_auth": seed.SYNC_TOKEN} if token else {"basic_auth": (seed.SYNC_EMAIL, seed.SYNC_TOKEN)}
            options = {"server": site.sandbox.origin, "rest_api_version": version, "check_update": False}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                library = JiraClient(options=options, max_retries=0, **signed)
                try:
                    work(library)
                finally:
                    library.close()

        await asyncio.to_thread(run)

    play(story, **settings)


def test_on_data_center_it_creates_reads_updates_comments_attaches_and_finds():
    def work(jira: JiraClient) -> None:
        assert jira.myself()["name"] == seed.SYNC_NAME
        issue = jira.create_issue(project="OPS", summary="VPN drops", description="h2. Now", issuetype={"name": "Bug"})
        assert (issue.key, issue.fields.status.name) == ("OPS-1", "To Do")
        issue.update(summary="VPN drops (EU)", labels=[{"add": "eu"}])
        comment = jira.add_comment(issue, "Looking")
        comment.update(body="Looking again")
        assert [each.body for each in jira.comments(issue)] == ["Looking again"]
        file = jira.add_attachment(issue, io.BytesIO(b"\x00\xffbytes"), filename="Prüfung.bin")
        assert (file.filename, file.get()) == ("Prüfung.bin", b"\x00\xffbytes")
        jira.assign_issue(issue, "elaine")
        jira.transition_issue(issue, "Start progress")
        jira.transition_issue(issue, "31", fields={"resolution": {"name": "Done"}}, comment="Fixed")
        found = jira.search_issues("project = OPS AND labels = eu", expand="changelog")
        assert [each.fields.status.name for each in found] == ["Done"]
        assert found[0].fields.assignee.name == "elaine"
        assert [each.items[0].field for each in found[0].changelog.histories][-1] == "status"

    with_client(work, token=True, deployment="Server")


def test_on_data_center_it_reads_screens_links_and_properties():
    def work(jira: JiraClient) -> None:
        one, two = (jira.create_issue(project="OPS", summary=s, issuetype="Task") for s in ("one", "two"))
        jira.create_issue_link("Relates", one, two)
        assert jira.issue(one.key).fields.issuelinks[0].outwardIssue.key == two.key
        jira.add_issue_property(one, "siam.sync", {"rev": 1})
        assert jira.issue_property(one, "siam.sync").value.rev == 1
        jira.add_simple_link(one, {"url": "https://hub.example/7", "title": "SIAM-7"})
        assert jira.remote_links(one)[0].object.title == "SIAM-7"
        assert "Task" in [each.name for each in jira.project_issue_types("OPS")]
        assert "summary" in [each.fieldId for each in jira.project_issue_fields("OPS", seed.BUG)]
        assert "summary" in jira.editmeta(one)["fields"]
        two.delete()
        with pytest.raises(client.JIRAError) as refusal:
            jira.issue(two.key)
        assert refusal.value.status_code == 404

    with_client(work, token=True, deployment="Server")


def test_on_cloud_it_works_through_version_two_with_token_pages():
    def work(jira: JiraClient) -> None:
        for number in range(5):
            jira.create_issue(project="OPS", summary=f"n{number}", issuetype={"name": "Task"}, labels=["bulk"])
        found = jira.enhanced_search_issues("labels = bulk ORDER BY key ASC", maxResults=0)
        assert [each.key for each in found] == [f"OPS-{number}" for number in range(1, 6)]
        issue = found[0]
        jira.assign_issue(issue, "Elaine")
        assert jira.issue(issue.key).fields.assignee.accountId == seed.ELAINE_ACCOUNT
        jira.add_comment(issue, "secret", is_internal=True)
        assert jira.issue(issue.key).fields.comment.comments[0].jsdPublic is False
        file = jira.add_attachment(issue, io.BytesIO(b"bytes"), filename="a.txt")
        assert jira.attachment(file.id).get() == b"bytes"
        assert jira.approximate_issue_count("labels = bulk") == 5

    with_client(work, search_page_cap=2)


def test_on_cloud_version_three_takes_documents_from_it():
    def work(jira: JiraClient) -> None:
        issue = jira.create_issue(
            project="OPS", summary="VPN drops", issuetype={"name": "Bug"}, description=paragraph("Client 5.1")
        )
        comment = jira.add_comment(issue, paragraph("Looking"))
        assert comment.raw["body"] == paragraph("Looking")
        issue.update(fields={"description": paragraph("Client 5.2")})
        assert jira.issue(issue.key).raw["fields"]["description"] == paragraph("Client 5.2")
        with pytest.raises(client.JIRAError) as refusal:
            jira.add_comment(issue, "a plain string")
        assert refusal.value.status_code == 400

    with_client(work, version="3")
