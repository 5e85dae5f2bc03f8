"""Brakes through the API: the list, the answers of both parties, and putting back."""

from typing import Any

from apps.sync.models import Brake, BrakeAnswer
from tests.api_cases import NOW, ApiTestCase, RouteAccessCases, WriteAccessCases, assert_problem
from tests.braked import add_brake


class OnMercurisBrake:
    brake: Brake

    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()  # type: ignore[misc]
        for estate in (cls.world.rival, cls.world.mercuri):  # type: ignore[attr-defined]
            cls.brake = add_brake(estate.connection, [estate.link], at=NOW, before=estate.mark)

    def names(self) -> dict[str, Any]:
        return {"brake_id": self.brake.pk}


class TestBrakesAccess(OnMercurisBrake, RouteAccessCases):
    route = "api-brakes"

    def names(self) -> dict[str, Any]:
        return {}


class TestBrakeAccess(OnMercurisBrake, RouteAccessCases):
    route = "api-brake"


class TestBrakeActsAccess(OnMercurisBrake, RouteAccessCases):
    route = "api-brake-acts"


class TestAnswerAccess(OnMercurisBrake, WriteAccessCases):
    route = "api-brake-answer"

    def body(self) -> Any:
        return {"choice": "let_through"}


class TestPutBackAccess(OnMercurisBrake, WriteAccessCases):
    route = "api-brake-put-back"

    def setUp(self) -> None:
        super().setUp()
        Brake.objects.update(state="refused")


class TestBrakes(OnMercurisBrake, ApiTestCase):
    def test_tell_what_is_stopped_and_who_is_asked(self) -> None:
        brake = self.get("Mercuri Manager", "api-brake", brake_id=self.brake.pk)
        assert (brake["kind"], brake["into"], brake["state"], brake["stopped"]) == ("blank", "hub", "tripped", 1)
        asked = [(answer["organization"], answer["choice"]) for answer in brake["answers"]]
        assert asked == [("Mercuri Inc", None), ("Infinity Service Integration", None)]
        [act] = self.get("Mercuri Manager", "api-brake-acts", brake_id=self.brake.pk)["results"]
        assert (act["field"], act["before"], act["after"], act["standing"]) == (
            "custom.site",
            "canary-mercuri",
            "",
            "stopped",
        )
        assert act["ticket"]["reference"] == self.world.mercuri.ticket.reference

    def test_hide_ticket_and_values_from_a_watcher_who_may_not_see_the_ticket(self) -> None:
        self.world.mercuri.ticket.parties.all().delete()
        [act] = self.get("Mercuri Manager", "api-brake-acts", brake_id=self.brake.pk)["results"]
        assert (act["ticket"], act["before"], act["after"]) == (None, None, None)

    def test_are_found_by_state_and_connection(self) -> None:
        for query, number in (({"state": "tripped"}, 1), ({"state": "over"}, 0)):
            found = self.get("Mercuri Manager", "api-brakes", query=query)["results"]
            assert len(found) == number
        assert len(self.get("Integrator Lead", "api-brakes")["results"]) == 2

    def test_go_on_with_the_word_of_both_parties_and_not_before(self) -> None:
        for who, state in (("Mercuri Manager", "tripped"), ("Integrator Lead", "released")):
            answer = self.call(who, "post", f"/api/v1/brakes/{self.brake.pk}/answer/", {"choice": "let_through"})
            assert answer.status_code == 200, answer.content
            assert answer.json()["state"] == state
        late = self.call(
            "Mercuri Manager", "post", f"/api/v1/brakes/{self.brake.pk}/answer/", {"choice": "keep_stopped"}
        )
        assert "let through" in assert_problem(late, 422)["detail"]
        assert BrakeAnswer.objects.count() == 2

    def test_are_put_back_only_once_somebody_keeps_them_stopped(self) -> None:
        path = f"/api/v1/brakes/{self.brake.pk}/"
        early = self.call("Mercuri Manager", "post", path + "put-back/")
        assert "kept stopped" in assert_problem(early, 422)["detail"]
        self.call("Mercuri Manager", "post", path + "answer/", {"choice": "keep_stopped", "note": "A fault."})
        answer = self.call("Mercuri Manager", "post", path + "put-back/")
        assert answer.json() == {"number": 0, "refused": {}}

    def test_refuse_what_is_no_answer(self) -> None:
        answer = self.call("Mercuri Manager", "post", f"/api/v1/brakes/{self.brake.pk}/answer/", {"choice": "shrug"})
        assert_problem(answer, 400)

    def test_have_a_handful_that_the_owner_sets(self) -> None:
        connection = self.world.mercuri.connection
        path = f"/api/v1/connections/{connection.pk}/"
        answer = self.call("Mercuri Manager", "patch", path, {"brake_handful": 40})
        assert answer.json()["brake_handful"] == 40
        assert_problem(self.call("Mercuri Manager", "patch", path, {"brake_handful": 0}), 400)
