"""Organizations, members and units through the API, and who one is."""

from typing import Any

from django.urls import reverse

from tests.api_cases import ApiTestCase, RouteAccessCases, assert_problem


class OwnOrganization(RouteAccessCases):
    def names(self) -> dict[str, Any]:
        return {"organization_id": self.world.mercuri.organization.pk}


class TestListAccess(RouteAccessCases):
    route = "api-organizations"
    shows_mark = False


class TestReadAccess(OwnOrganization):
    route = "api-organization"
    shows_mark = False


class TestMembersAccess(OwnOrganization):
    route = "api-members"
    shows_mark = False


class TestUnitsAccess(OwnOrganization):
    route = "api-units"
    shows_mark = False


class TestMeAccess(RouteAccessCases):
    route = "api-me"
    shows_mark = False

    def test_it_shows_otto_nothing(self) -> None:
        me = self.ask("Otto").json()
        assert (me["name"], me["organizations"]) == ("Otto", [])


class TestWhoAmI(ApiTestCase):
    def test_tells_name_organizations_and_rights(self) -> None:
        me = self.get("Mercuri Agent", "api-me")
        assert (me["name"], me["kind"]) == ("Mercuri Agent", "person")
        [mine] = me["organizations"]
        assert mine["name"] == "Mercuri Inc"
        assert mine["rights"] == {"connection": "read", "organization": "read", "ticket": "write"}

    def test_a_right_withdrawn_is_gone_at_the_next_call(self) -> None:
        from datetime import date

        from apps.ecosystem.models import Membership
        from apps.ecosystem.services import end_membership

        key = self.world.key("Mercuri Agent")
        membership = Membership.objects.get(person=self.world.cast.people["Mercuri Agent"])
        end_membership(membership=membership, to_date=date(2026, 3, 1), actor=None)
        answer = self.call(None, "get", reverse("api-ticket", args=[self.world.mercuri.ticket.reference]), token=key)
        assert_problem(answer, 404)


class TestOrganizations(ApiTestCase):
    def names_for(self, who: str, **query: Any) -> list[str]:
        return [row["name"] for row in self.get(who, "api-organizations", query=query)["results"]]

    def test_a_provider_sees_itself_the_customer_and_the_integrator(self) -> None:
        assert self.names_for("Mercuri Agent") == ["Infinity Service Integration", "Infinity Solutions", "Mercuri Inc"]

    def test_the_integrator_sees_the_whole_ecosystem(self) -> None:
        assert len(self.names_for("Integrator Lead")) == 6

    def test_can_be_narrowed_by_layer_and_nature(self) -> None:
        assert self.names_for("Integrator Lead", layer="provider", nature="external") == [
            "Global Pvt Ltd",
            "Mercuri Inc",
        ]

    def test_a_filter_takes_only_its_own_words(self) -> None:
        answer = self.call("Integrator Lead", "get", reverse("api-organizations"), layer="vendor")
        assert "layer" in assert_problem(answer, 400)["errors"]

    def test_tells_who_owns_the_contract(self) -> None:
        one = self.get("Mercuri Agent", "api-organization", organization_id=self.world.mercuri.organization.pk)
        assert one["contract_owner"]["name"] == "Infinity Solutions"

    def test_members_are_the_people_with_their_roles(self) -> None:
        rows = self.get("Mercuri Agent", "api-members", organization_id=self.world.mercuri.organization.pk)["results"]
        assert {(row["person"]["name"], row["role"]) for row in rows} == {
            ("Mercuri Agent", "provider_agent"),
            ("Mercuri Manager", "provider_manager"),
        }

    def test_members_of_the_customer_do_not_show_to_a_provider(self) -> None:
        infinity = self.world.cast.organizations["infinity"].pk
        assert self.get("Mercuri Agent", "api-members", organization_id=infinity)["results"] == []
        assert len(self.get("Integrator Lead", "api-members", organization_id=infinity)["results"]) == 3

    def test_units_come_in_order_of_their_names(self) -> None:
        rows = self.get("Governance Lead", "api-units", organization_id=self.world.cast.organizations["infinity"].pk)
        names = [row["name"] for row in rows["results"]]
        assert names == ["Finance", "Human Resources", "Internal IT", "Marketing", "Sales"]
