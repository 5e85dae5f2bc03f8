"""Who gets in: tokens on Cloud, app grants through the gateway, and what a wrong credential looks like."""

from apps.sandbox.jira import seed

from .site import NOBODY, JiraSite, play


def test_the_caller_is_told_who_they_are():
    async def story(jira: JiraSite) -> None:
        answer = await jira("GET", "/myself")
        assert answer.status == 200
        assert answer.body["accountId"] == seed.SYNC_ACCOUNT
        assert answer.body["timeZone"] == "Europe/Berlin"

    play(story)


def test_a_wrong_token_is_refused_only_where_nobody_may_look():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        wrong = (seed.SYNC_EMAIL, "expired")
        assert (await jira("GET", "/myself", who=wrong)).status == 401
        seen = await jira("GET", f"/issue/{key}", who=wrong)
        assert seen.status == 404
        assert seen.headers["X-Seraph-LoginReason"] == "AUTHENTICATED_FAILED"
        search = await jira("GET", "/search/jql?jql=key%20is%20not%20EMPTY", who=wrong)
        assert (search.status, search.body["issues"]) == (200, [])
        assert (await jira("PUT", f"/issue/{key}", {"fields": {"summary": "x"}}, who=wrong)).status == 401

    play(story)


def test_a_wrong_token_is_always_refused_where_the_site_says_so():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        answer = await jira("GET", f"/issue/{key}", who=(seed.SYNC_EMAIL, "expired"))
        assert answer.status == 401
        assert answer.body["errorMessages"] == ["Client must be authenticated to access this resource."]

    play(story, wrong_basic_is_anonymous=False)


def test_a_retired_token_no_longer_signs_in():
    async def story(jira: JiraSite) -> None:
        assert (await jira("GET", "/myself")).status == 200
        jira.settings.retired_tokens = [seed.SYNC_TOKEN]
        assert (await jira("GET", "/myself")).status == 401

    play(story)


def test_server_information_is_open_to_everybody():
    async def story(jira: JiraSite) -> None:
        answer = await jira("GET", "/rest/api/2/serverInfo", who=NOBODY)
        assert answer.status == 200
        assert answer.body["deploymentType"] == "Cloud"
        assert answer.body["versionNumbers"] == [1001, 0, 0]

    play(story)


def test_a_refresh_token_works_once_and_its_successor_works():
    async def story(jira: JiraSite) -> None:
        body = {"grant_type": "refresh_token", "client_id": seed.CLIENT_ID, "client_secret": seed.CLIENT_SECRET}
        first = await jira("POST", "/oauth/token", body | {"refresh_token": seed.REFRESH_TOKEN}, who=NOBODY)
        assert first.body["expires_in"] == 3600
        again = await jira("POST", "/oauth/token", body | {"refresh_token": seed.REFRESH_TOKEN}, who=NOBODY)
        assert again.status == 403
        second = await jira("POST", "/oauth/token", body | {"refresh_token": first.body["refresh_token"]}, who=NOBODY)
        bearer = {"Authorization": f"Bearer {second.body['access_token']}"}
        me = await jira("GET", f"/ex/jira/{seed.CLOUD_ID}/rest/api/3/myself", who=NOBODY, headers=bearer)
        assert me.body["accountId"] == seed.SYNC_ACCOUNT

    play(story)


def test_an_app_token_works_through_the_gateway_only_and_dies_after_an_hour():
    async def story(jira: JiraSite) -> None:
        bearer = {"Authorization": f"Bearer {seed.ACCESS_TOKEN}"}
        gateway = f"/ex/jira/{seed.CLOUD_ID}/rest/api/3/myself"
        assert (await jira("GET", gateway, who=NOBODY, headers=bearer)).status == 200
        assert (await jira("GET", "/myself", who=NOBODY, headers=bearer)).status == 401
        resources = await jira("GET", "/oauth/token/accessible-resources", who=NOBODY, headers=bearer)
        assert resources.body[0]["id"] == seed.CLOUD_ID
        jira.wait(3600)
        assert (await jira("GET", gateway, who=NOBODY, headers=bearer)).status == 401

    play(story)


def test_unknown_paths_and_methods_answer_in_the_words_of_the_web_tier():
    async def story(jira: JiraSite) -> None:
        missing = await jira("GET", "/nonsense")
        assert missing.status == 404
        assert missing.body["message"].startswith("null for uri: http://127.0.0.1")
        wrong = await jira("PATCH", "/issue/OPS-1")
        assert wrong.status == 405
        assert wrong.headers["Allow"] == "DELETE,GET,PUT"

    play(story)
