from django.urls import reverse

from tests.access_cases import PageAccessCases, SampleTestCase, queries_for


class TestOrganizationList(PageAccessCases, SampleTestCase):
    seen_by = ("integrator", "governance", "agent")

    def path(self) -> str:
        return reverse("organization-list")

    def test_shows_the_three_layers_to_the_integrator(self) -> None:
        page = self.text("integrator", self.path())
        assert all(title in page for title in ("Customer organization", "Service integrator", "Service providers"))
        assert "Mercuri Inc" in page
        assert "Global Pvt Ltd" in page

    def test_does_not_tell_a_provider_which_other_providers_there_are(self) -> None:
        page = self.text("agent", self.path())
        assert "Infinity Solutions" in page
        assert "Global Pvt Ltd" not in page

    def test_costs_the_same_for_many_organizations(self) -> None:
        client = self.client_of("integrator")
        before = queries_for(client, self.path())
        customer = self.sample.organization("infinity")
        for index in range(30):
            type(customer).objects.create(
                name=f"Infinity Shop {index}",
                slug=f"shop-{index}",
                layer="provider",
                nature="internal",
                customer=customer,
            )
        assert queries_for(client, self.path()) == before
        assert before <= 12


class TestOrganizationPage(PageAccessCases, SampleTestCase):
    seen_by = ("integrator", "david")
    hidden_from = ("agent", "elaine")

    def path(self) -> str:
        return reverse("organization", args=["global"])

    def absent_path(self) -> str:
        return reverse("organization", args=["nowhere"])

    def test_shows_people_with_their_roles(self) -> None:
        page = self.text("integrator", self.path())
        assert "Marco" in page
        assert "provider manager" in page

    def test_names_the_customer_as_contract_owner(self) -> None:
        assert "Contract owner" in self.text("david", self.path())

    def test_keeps_people_of_the_customer_from_providers(self) -> None:
        page = self.text("david", reverse("organization", args=["infinity"]))
        assert "Governance Lead" not in page
        assert "Online shoppers" not in page

    def test_counts_only_tickets_that_the_reader_sees(self) -> None:
        panel = reverse("organization-tickets", args=["infinity"])
        assert '<span class="strong">9</span> altogether' in self.text("integrator", panel)
        assert '<span class="strong">2</span> altogether' in self.text("agent", panel)

    def test_shows_connections_only_to_those_who_may_see_them(self) -> None:
        panel = reverse("organization-connections", args=["infinity-integration"])
        assert "No connection that you may see" in self.text("agent", panel)
        own = reverse("organization-connections", args=["global"])
        assert "Global Azure DevOps" in self.text("integrator", own)
        assert self.get("agent", own).status_code == 404
