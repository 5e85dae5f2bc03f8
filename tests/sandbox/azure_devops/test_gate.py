"""Signing in, versions, media types, paths and throttling."""

from apps.sandbox.azure_devops.seed import CLIENT_ID, CLIENT_SECRET, DAVID, DAVID_PAT

from .desk import PATCH_TYPE, TITLE, Desk, SteppedClock, add, play

PROBE = "/_apis/connectionData?api-version=7.1-preview"
SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"


def test_a_get_without_credentials_gets_a_sign_in_page_with_status_203() -> None:
    async def scenario(desk: Desk) -> None:
        reply = await desk.get(PROBE, pat=None)
        assert reply.status == 203
        assert reply.headers["Content-Type"].startswith("text/html")

    play(scenario)


def test_a_get_without_credentials_is_redirected_when_the_service_chooses_so() -> None:
    async def scenario(desk: Desk) -> None:
        reply = await desk.get(PROBE, pat="wrong")
        assert reply.status == 302
        assert "/_signin" in reply.headers["Location"]

    play(scenario, sign_in_answer=302)


def test_a_patch_without_credentials_is_401_in_json() -> None:
    async def scenario(desk: Desk) -> None:
        reply = await desk.change(1, add(TITLE, "x"), pat="wrong")
        assert reply.status == 401
        assert reply.json["typeKey"] == "UnauthorizedRequestException"
        assert reply.message.startswith("TF400813")

    play(scenario)


def test_the_suppress_header_turns_the_sign_in_page_into_401() -> None:
    async def scenario(desk: Desk) -> None:
        reply = await desk.get(PROBE, pat=None, headers={"X-TFS-FedAuthRedirect": "Suppress"})
        assert reply.status == 401

    play(scenario)


def test_a_server_answers_401_and_calls_itself_on_premises() -> None:
    async def scenario(desk: Desk) -> None:
        refused = await desk.get(PROBE, pat="wrong")
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"].startswith("Basic")
        assert (await desk.get(PROBE)).json["deploymentType"] == "onPremises"
        assert (await desk.get("/_apis/resourceAreas")).json == {"count": 0, "value": []}

    play(scenario, flavor="server", latest_version="7.1")


def test_connection_data_names_the_holder_of_the_token() -> None:
    async def scenario(desk: Desk) -> None:
        found = (await desk.get(PROBE, pat=DAVID_PAT)).json
        assert found["authenticatedUser"]["id"] == DAVID.id
        assert found["authenticatedUser"]["properties"]["Account"]["$value"] == DAVID.mail
        assert found["deploymentType"] == "hosted"

    play(scenario)


def test_a_retired_token_no_longer_signs_in() -> None:
    async def scenario(desk: Desk) -> None:
        assert (await desk.get(PROBE)).status == 200
        await desk.control("PATCH", "settings", json={"retired_tokens": ["ado-sync-pat"]})
        assert (await desk.get(PROBE)).status == 203

    play(scenario)


def test_a_bearer_token_is_issued_for_client_credentials_and_ends() -> None:
    async def scenario(desk: Desk) -> None:
        clock = desk.sandbox.clock = SteppedClock()
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "scope": SCOPE}
        address = desk.sandbox.origin + "/some-tenant/oauth2/v2.0/token"
        async with desk.session.post(address, data={**form, "client_secret": "wrong"}) as answer:
            assert answer.status == 401
        async with desk.session.post(address, data={**form, "client_secret": CLIENT_SECRET}) as answer:
            token = (await answer.json())["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await desk.get(PROBE, pat=None, headers=bearer)).status == 200
        clock.go_on(3600)
        assert (await desk.get(PROBE, pat=None, headers=bearer)).status == 203

    play(scenario)


def test_a_write_without_a_version_is_refused() -> None:
    async def scenario(desk: Desk) -> None:
        reply = await desk.send("POST", "/Shop/_apis/wit/workitems/$Bug", data=b"[]", headers=PATCH_TYPE)
        assert (reply.status, reply.json["typeKey"]) == (400, "VssVersionNotSpecifiedException")

    play(scenario)


def test_the_version_may_stand_in_the_accept_header() -> None:
    async def scenario(desk: Desk) -> None:
        headers = {"Accept": "application/json;api-version=7.1"}
        reply = await desk.get("/_apis/projects", headers=headers)
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "application/json; charset=utf-8; api-version=7.1"

    play(scenario)


def test_a_version_that_is_too_new_is_refused_and_the_latest_is_named() -> None:
    async def scenario(desk: Desk) -> None:
        reply = await desk.get("/_apis/projects?api-version=9.0")
        assert (reply.status, reply.json["typeKey"]) == (400, "VssVersionOutOfRangeException")
        assert "7.2" in reply.message

    play(scenario)


def test_a_preview_needs_the_flag() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        comments = "/Shop/_apis/wit/workItems/1/comments?api-version="
        assert (await desk.get(comments + "7.1")).json["typeKey"] == "VssInvalidPreviewVersionException"
        assert (await desk.get(comments + "7.1-preview.4")).status == 200
        assert (await desk.get(comments + "7.1-preview.5")).status == 400
        assert (await desk.get("/_apis/projects?api-version=7.2")).status == 400
        assert (await desk.get("/_apis/projects?api-version=7.2-preview")).status == 200

    play(scenario)


def test_a_server_of_an_older_line_knows_no_newer_version() -> None:
    async def scenario(desk: Desk) -> None:
        assert (await desk.get("/_apis/projects?api-version=7.0")).status == 200
        assert (await desk.get("/_apis/projects?api-version=7.1")).status == 400

    play(scenario, flavor="server", latest_version="7.0", released_version="7.0")


def test_a_patch_document_sent_as_plain_json_is_415() -> None:
    async def scenario(desk: Desk) -> None:
        path = "/Shop/_apis/wit/workitems/$Bug?api-version=7.1"
        reply = await desk.send("POST", path, json=[add(TITLE, "x")])
        assert (reply.status, reply.json["typeKey"]) == (415, "VssRequestContentTypeNotSupportedException")

    play(scenario)


def test_paths_are_matched_in_any_case_with_or_without_a_project() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        for path in ("/_apis/wit/WORKITEMS/1", "/shop/_APIS/Wit/workItems/1"):
            assert (await desk.get(path + "?API-Version=7.1")).status == 200
        by_id = f"/{desk.sandbox.store.projects[0].id}/_apis/wit/workitems/1"
        assert (await desk.get(by_id)).status == 200
        assert (await desk.get("/Warehouse/_apis/wit/workitems/1")).status == 404

    play(scenario)


def test_an_unknown_path_is_404_in_plain_text_and_a_wrong_method_405() -> None:
    async def scenario(desk: Desk) -> None:
        lost = await desk.get("/_apis/wit/workitems/0")
        assert lost.status == 404
        assert lost.headers["Content-Type"].startswith("text/plain")
        assert lost.text.startswith("The controller for path '/global/_apis/wit/workitems/0' was not found")
        wrong = await desk.send("PUT", "/_apis/wit/workitems/1?api-version=7.1")
        assert (wrong.status, wrong.headers["Allow"]) == (405, "DELETE, GET, PATCH")

    play(scenario)


def test_an_unknown_project_is_404() -> None:
    async def scenario(desk: Desk) -> None:
        reply = await desk.get("/Nowhere/_apis/wit/workitemtypes?api-version=7.1")
        assert (reply.status, reply.json["typeKey"]) == (404, "ProjectDoesNotExistWithNameException")
        assert reply.message.startswith("TF200016")

    play(scenario)


def test_answers_carry_the_headers_that_support_asks_for() -> None:
    async def scenario(desk: Desk) -> None:
        reply = await desk.get(PROBE)
        assert reply.headers["ActivityId"] == reply.headers["X-VSS-E2EID"]
        assert reply.headers["X-VSS-UserData"].endswith(":siam-sync@global.example")
        assert {"X-TFS-ProcessId", "X-TFS-Session", "X-VSS-SenderDeploymentId"} <= set(reply.headers)

    play(scenario)


def test_near_the_limit_answers_ask_for_patience_and_above_it_they_are_429() -> None:
    async def scenario(desk: Desk) -> None:
        clock = desk.sandbox.clock = SteppedClock()
        replies = [await desk.get(PROBE) for _ in range(6)]
        assert [one.status for one in replies] == [200, 200, 200, 200, 200, 429]
        assert ["Retry-After" in one.headers for one in replies] == [False, False, False, True, True, True]
        blocked = replies[-1]
        assert blocked.message.startswith("TF400733")
        assert int(blocked.headers["X-RateLimit-Reset"]) == int(clock.now.timestamp()) + 300
        clock.go_on(int(blocked.headers["Retry-After"]))
        assert (await desk.get(PROBE)).status == 200
        assert "Retry-After" not in (await desk.get(PROBE, pat=DAVID_PAT)).headers

    play(scenario, tstu_limit=5.0, tstu_per_request=1.0)


def test_settings_that_do_not_exist_are_refused_by_the_control_door() -> None:
    async def scenario(desk: Desk) -> None:
        assert (await desk.control("PATCH", "settings", json={"no_such": 1})).status == 400
        assert (await desk.control("PATCH", "settings", json={"query_lag_seconds": "long"})).status == 400
        changed = await desk.control("PATCH", "settings", json={"query_lag_seconds": 2})
        assert changed.json["query_lag_seconds"] == 2

    play(scenario)
