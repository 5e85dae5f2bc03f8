"""The same records as Data Center shows them: v2 only, names for people, offset pages, its own sign-in."""

from typing import Any

from apps.sandbox.jira import seed

from .site import ELAINE, NOBODY, JiraSite, play

SYNC_DC = (seed.SYNC_NAME, seed.SYNC_TOKEN)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def dc(story: Any, **settings: Any) -> None:
    play(story, deployment="Server", **settings)


def test_version_three_and_token_search_do_not_exist():
    async def story(jira: JiraSite) -> None:
        assert (await jira("GET", "/rest/api/3/myself", who=SYNC_DC)).status == 404
        assert (await jira("GET", "/rest/api/2/search/jql?jql=project=OPS", who=SYNC_DC)).status == 404
        assert (await jira("GET", "/rest/api/latest/myself", who=SYNC_DC)).status == 200
        info = (await jira("GET", "/serverInfo", who=NOBODY)).body
        assert (info["deploymentType"], info["versionNumbers"]) == ("Server", [10, 3, 24])

    dc(story)


def test_personal_tokens_and_passwords_sign_in_and_e_mail_addresses_do_not():
    async def story(jira: JiraSite) -> None:
        me = await jira("GET", "/myself", who=NOBODY, headers=bearer(seed.SYNC_TOKEN))
        assert (me.body["name"], me.body["emailAddress"]) == (seed.SYNC_NAME, seed.SYNC_EMAIL)
        assert "accountId" not in me.body
        assert (await jira("GET", "/myself", who=SYNC_DC)).status == 200
        assert (await jira("GET", "/myself", who=ELAINE)).status == 401
        wrong = await jira("GET", "/issue/OPS-1", who=(seed.SYNC_NAME, "wrong"))
        assert (wrong.status, wrong.headers["X-Seraph-LoginReason"]) == (401, "AUTHENTICATED_FAILED")
        assert (await jira("GET", "/myself", who=NOBODY, headers=bearer("wrong"))).status == 401

    dc(story)


def test_passwords_end_with_version_eleven_and_tokens_begin_with_8_14():
    async def story(jira: JiraSite) -> None:
        jira.settings.dc_version = "11.3.0"
        assert (await jira("GET", "/myself", who=SYNC_DC)).status == 401
        assert (await jira("GET", "/myself", who=NOBODY, headers=bearer(seed.SYNC_TOKEN))).status == 200
        jira.settings.dc_version = "8.13.0"
        assert (await jira("GET", "/myself", who=NOBODY, headers=bearer(seed.SYNC_TOKEN))).status == 401

    dc(story)


def test_failed_passwords_end_in_a_captcha_that_even_the_right_one_does_not_open():
    async def story(jira: JiraSite) -> None:
        for _ in range(2):
            assert (await jira("GET", "/myself", who=(seed.SYNC_NAME, "wrong"))).status == 401
        locked = await jira("GET", "/myself", who=SYNC_DC)
        assert locked.status == 403
        assert locked.headers["X-Authentication-Denied-Reason"].startswith("CAPTCHA_CHALLENGE")

    dc(story, captcha_after_failures=2)


async def made(jira: JiraSite, summary: str = "VPN drops", **fields: Any) -> str:
    body = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": summary} | fields
    answer = await jira("POST", "/issue", {"fields": body}, who=SYNC_DC)
    assert answer.status == 201, answer.body
    return str(answer.body["key"])


def test_texts_are_wiki_strings_and_people_go_by_name():
    async def story(jira: JiraSite) -> None:
        key = await made(jira, description="h2. *Steps*", assignee={"name": "elaine"})
        fields = (await jira("GET", f"/issue/{key}", who=SYNC_DC)).body["fields"]
        assert fields["description"] == "h2. *Steps*"
        assert (fields["assignee"]["name"], fields["assignee"]["key"]) == ("elaine", "JIRAUSER10101")
        comment = await jira("POST", f"/issue/{key}/comment", {"body": "{quote}hi{quote}"}, who=SYNC_DC)
        assert comment.body["body"] == "{quote}hi{quote}"
        assert "jsdPublic" not in comment.body

    dc(story)


def test_search_pages_by_offset_with_a_total_and_echoes_the_size_that_it_used():
    async def story(jira: JiraSite) -> None:
        keys = [await made(jira, f"n{number}") for number in range(5)]
        body = {"jql": "project = OPS ORDER BY key ASC", "startAt": 1, "maxResults": 50, "fields": ["summary"]}
        page = (await jira("POST", "/search", body, who=SYNC_DC)).body
        assert (page["total"], page["startAt"], page["maxResults"]) == (5, 1, 2)
        assert [issue["key"] for issue in page["issues"]] == keys[1:3]
        every = await jira("GET", "/search?jql=&fields=id", who=SYNC_DC)
        assert every.body["total"] == 5

    dc(story, dc_search_page_cap=2)


def test_search_sees_a_write_at_once_and_offset_pages_shift_under_an_edit():
    async def story(jira: JiraSite) -> None:
        keys = [await made(jira, f"n{number}") for number in range(4)]
        body = {"jql": "project = OPS ORDER BY updated ASC, key ASC", "maxResults": 2}
        first = (await jira("POST", "/search", body, who=SYNC_DC)).body["issues"]
        jira.wait(1)
        await jira("PUT", f"/issue/{keys[0]}", {"fields": {"summary": "again"}}, who=SYNC_DC)
        second = (await jira("POST", "/search", body | {"startAt": 2}, who=SYNC_DC)).body["issues"]
        seen = [issue["key"] for issue in (*first, *second)]
        assert seen == [keys[0], keys[1], keys[3], keys[0]]

    dc(story, index_lag_seconds=60.0)


def test_the_change_log_comes_with_the_issue_oldest_first_and_without_field_ids():
    async def story(jira: JiraSite) -> None:
        key = await made(jira)
        for summary in ("one", "two"):
            await jira("PUT", f"/issue/{key}", {"fields": {"summary": summary}}, who=SYNC_DC)
        log = (await jira("GET", f"/issue/{key}?expand=changelog", who=SYNC_DC)).body["changelog"]
        assert [each["items"][0]["toString"] for each in log["histories"]] == ["one", "two"]
        assert "fieldId" not in log["histories"][0]["items"][0]
        assert (await jira("GET", f"/issue/{key}/changelog", who=SYNC_DC)).status == 404

    dc(story)


def test_create_screens_list_their_fields_as_values():
    async def story(jira: JiraSite) -> None:
        kinds = (await jira("GET", "/issue/createmeta/OPS/issuetypes", who=SYNC_DC)).body
        assert "Bug" in [each["name"] for each in kinds["values"]]
        fields = (await jira("GET", f"/issue/createmeta/OPS/issuetypes/{seed.BUG}", who=SYNC_DC)).body
        assert fields["isLast"] is True
        assert "summary" in [each["fieldId"] for each in fields["values"]]
        assert (await jira("GET", "/issue/createmeta?projectKeys=OPS", who=SYNC_DC)).status == 404

    dc(story)


def test_an_archived_issue_leaves_the_search_and_takes_no_edits():
    async def story(jira: JiraSite) -> None:
        key = await made(jira)
        assert (await jira("PUT", f"/issue/{key}/archive", who=SYNC_DC)).status == 204
        assert (await jira("GET", "/search?jql=project=OPS", who=SYNC_DC)).body["total"] == 0
        assert (await jira("PUT", f"/issue/{key}", {"fields": {"summary": "x"}}, who=SYNC_DC)).status == 400
        assert (await jira("GET", f"/issue/{key}", who=SYNC_DC)).status == 200
        assert (await jira("PUT", f"/issue/{key}/restore", who=SYNC_DC)).status == 204
        assert (await jira("GET", "/search?jql=project=OPS", who=SYNC_DC)).body["total"] == 1

    dc(story)


def test_the_token_bucket_shows_its_headers_and_refuses_when_empty():
    async def story(jira: JiraSite) -> None:
        answers = [await jira("GET", "/myself", who=SYNC_DC) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
        assert answers[2].headers["retry-after"] == "5"
        jira.wait(5)
        assert (await jira("GET", "/myself", who=SYNC_DC)).status == 200

    dc(story, dc_bucket_size=2, dc_fill_rate=1, dc_interval_seconds=5)


def test_a_file_is_downloaded_from_its_content_address_with_the_callers_sign_in():
    async def story(jira: JiraSite) -> None:
        key = await made(jira)
        boundary = "----b"
        head = 'Content-Disposition: form-data; name="file"; filename="a.txt"'
        part = f"--{boundary}\r\n{head}\r\n\r\nhello\r\n--{boundary}--\r\n"
        headers = {"X-Atlassian-Token": "no-check", "Content-Type": f"multipart/form-data; boundary={boundary}"}
        made_file = await jira("POST", f"/issue/{key}/attachments", data=part.encode(), headers=headers, who=SYNC_DC)
        path = made_file.body[0]["content"].removeprefix(jira.sandbox.origin)
        assert path == f"/secure/attachment/{made_file.body[0]['id']}/a.txt"
        assert (await jira("GET", path, who=SYNC_DC)).raw == b"hello"
        assert (await jira("GET", path, who=NOBODY)).status == 401

    dc(story)
