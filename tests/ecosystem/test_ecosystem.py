"""The three layers and their rules (G3, G4, G14), memberships and the rights that follow from them."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from apps.access.kernel import Forbidden, NotVisible, visible_to
from apps.accounts.models import User
from apps.ecosystem.models import Membership, Organization, Person
from apps.ecosystem.selectors import ecosystem_of, integrator_of, organizations, principal_of
from apps.ecosystem.services import MembershipRefused, add_member, end_membership
from siamportal.cast import Cast, load_cast

FIRST = date(2026, 1, 1)


@pytest.fixture
def cast(db: None) -> Cast:
    return load_cast(password=None)


def make(name: str, layer: str, **rest: object) -> Organization:
    with transaction.atomic():
        return Organization.objects.create(name=name, slug=name.lower(), layer=layer, **rest)


def test_a_customer_has_one_integrator(cast: Cast) -> None:
    """G3, kept by the database."""
    infinity = cast.organizations["infinity"]
    with pytest.raises(IntegrityError):
        make("Second", "integrator", customer=infinity)
    assert integrator_of(infinity) == cast.organizations["infinity-integration"]
    other = make("Elsewhere", "customer")
    assert make("Its own", "integrator", customer=other) == integrator_of(other)


def test_a_contract_with_an_external_party_is_owned_by_the_customer(cast: Cast) -> None:
    """G4, kept by the database."""
    infinity, integrator = cast.organizations["infinity"], cast.organizations["infinity-integration"]
    with pytest.raises(IntegrityError):
        make("Stranger", "provider", nature="external", customer=infinity, contract_owner=integrator)
    made = make("Partner", "provider", nature="external", customer=infinity, contract_owner=infinity)
    assert made.contract_owner == infinity
    assert {one.slug for one in Organization.objects.filter(nature="external", contract_owner=infinity)} == {
        "mercuri",
        "global",
        "partner",
    }


def test_a_contract_with_an_external_party_has_an_owner(cast: Cast) -> None:
    with pytest.raises(IntegrityError):
        make("Stranger", "provider", nature="external", customer=cast.organizations["infinity"])


@pytest.mark.parametrize(("layer", "has_customer"), [("customer", True), ("provider", False), ("integrator", False)])
def test_only_a_customer_has_no_customer(cast: Cast, layer: str, has_customer: bool) -> None:
    with pytest.raises(IntegrityError):
        make("Odd", layer, customer=cast.organizations["infinity"] if has_customer else None)


@pytest.mark.parametrize(
    ("role", "layer"),
    [
        ("governance_lead", "customer"),
        ("integrator_lead", "integrator"),
        ("integrator_analyst", "integrator"),
        ("provider_manager", "provider"),
        ("provider_agent", "provider"),
    ],
)
def test_a_role_sits_only_in_its_layer(cast: Cast, role: str, layer: str) -> None:
    """The governance lead in the customer organization above all (G14)."""
    for organization in cast.organizations.values():
        if organization.layer == layer:
            add_member(person=cast.people["Otto"], organization=organization, role=role, from_date=FIRST, actor=None)
        else:
            with pytest.raises(MembershipRefused, match="must sit in"):
                add_member(
                    person=cast.people["Otto"], organization=organization, role=role, from_date=FIRST, actor=None
                )
    held = {member.organization.layer for member in Membership.objects.filter(person=cast.people["Otto"])}
    assert held == {layer}


def test_a_membership_is_added_once_and_can_be_held_again_after_it_ended(cast: Cast) -> None:
    otto, projects = cast.people["Otto"], cast.organizations["infinity-projects"]
    first = add_member(person=otto, organization=projects, role="provider_agent", from_date=FIRST, actor=None)
    assert add_member(person=otto, organization=projects, role="provider_agent", from_date=FIRST, actor=None) == first
    end_membership(membership=first, to_date=date(2026, 2, 1), actor=None)
    again = add_member(
        person=otto, organization=projects, role="provider_agent", from_date=date(2026, 3, 1), actor=None
    )
    assert again != first
    assert Membership.objects.filter(person=otto).count() == 2
    assert Membership.history.filter(id=first.pk).count() == 2


def test_only_who_has_full_access_takes_people_in_or_lets_them_go(cast: Cast) -> None:
    elaine, marco, agent = (principal_of(cast.people[name].user) for name in ("Elaine", "Marco", "Mercuri Agent"))
    otto, global_ = cast.people["Otto"], cast.organizations["global"]
    with pytest.raises(NotVisible):
        add_member(person=otto, organization=global_, role="provider_agent", from_date=FIRST, actor=elaine)
    with pytest.raises(Forbidden):
        add_member(person=otto, organization=global_, role="provider_agent", from_date=FIRST, actor=marco)
    david = principal_of(cast.people["David"].user)
    made = add_member(person=otto, organization=global_, role="provider_agent", from_date=FIRST, actor=david)
    with pytest.raises(NotVisible):
        end_membership(membership=made, to_date=FIRST, actor=agent)
    made.refresh_from_db()
    assert made.to_date is None


def test_a_person_without_an_account_can_be_a_member(cast: Cast) -> None:
    guest = Person.objects.create(name="Guest")
    made = add_member(
        person=guest, organization=cast.organizations["global"], role="provider_agent", from_date=FIRST, actor=None
    )
    assert made.person.user is None


def test_a_provider_sees_itself_its_customer_and_the_integrator_and_no_rival(cast: Cast) -> None:
    seen = {one.slug for one in organizations(seen_by=principal_of(cast.people["Mercuri Agent"].user))}
    assert seen == {"mercuri", "infinity", "infinity-integration"}


@pytest.mark.parametrize("name", ["Governance Lead", "Executive", "Integrator Lead", "Auditor"])
def test_who_governs_or_integrates_sees_the_whole_ecosystem_and_no_other(cast: Cast, name: str) -> None:
    make("Elsewhere", "customer")
    seen = {one.slug for one in organizations(seen_by=principal_of(cast.people[name].user))}
    assert seen == set(cast.organizations)
    assert set(ecosystem_of(cast.organizations["global"])) == set(cast.organizations.values())


def test_people_of_a_rival_are_not_seen_and_not_counted(cast: Cast) -> None:
    seen = visible_to(Person.objects.all(), principal_of(cast.people["Mercuri Agent"].user))
    assert {person.name for person in seen} == {"Mercuri Agent", "Mercuri Manager"}
    assert seen.count() == 2


def test_loading_the_cast_twice_is_harmless(cast: Cast) -> None:
    before = (Organization.objects.count(), Person.objects.count(), User.objects.count(), Membership.objects.count())
    load_cast(password=None)
    assert before == (
        Organization.objects.count(),
        Person.objects.count(),
        User.objects.count(),
        Membership.objects.count(),
    )
