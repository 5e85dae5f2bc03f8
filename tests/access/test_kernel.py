"""The one authorization kernel: rows by principal, levels, and rights that follow roles at once."""

import uuid
from datetime import date

import pytest
from django.contrib.auth.models import Permission
from guardian.models import UserObjectPermission

from apps.access import kernel
from apps.access.kernel import Forbidden, NotVisible, find_visible, may, require, visible_to
from apps.access.levels import Level
from apps.access.models import MatrixCell
from apps.access.policy import POLICIES, declare, policy_of
from apps.access.principal import NOBODY, Principal
from apps.accounts.models import User
from apps.ecosystem.models import Membership, Organization
from apps.ecosystem.selectors import principal_of
from apps.ecosystem.services import add_member, end_membership
from siamportal.cast import Cast, load_cast


@pytest.fixture
def cast(db: None) -> Cast:
    return load_cast(password=None)


def principal(cast: Cast, name: str) -> Principal:
    return principal_of(User.objects.get(pk=cast.people[name].user_id))


def test_nobody_reaches_nothing(cast: Cast) -> None:
    for model in (Organization, Membership):
        assert not visible_to(model.objects.all(), NOBODY).exists()
    assert principal_of(None) is NOBODY


def test_a_model_without_a_policy_is_reached_by_nobody(cast: Cast) -> None:
    with pytest.raises(LookupError, match="no policy"):
        visible_to(Permission.objects.all(), principal(cast, "Elaine"))


def test_a_policy_is_declared_once() -> None:
    policy = policy_of(Organization)
    with pytest.raises(RuntimeError, match="already"):
        declare(Organization, resource=policy.resource, title=policy.title, rows=policy.rows)
    assert POLICIES[Organization._meta.label] is policy


def test_what_must_not_be_known_looks_absent_and_what_is_known_is_forbidden(cast: Cast) -> None:
    elaine = principal(cast, "Elaine")
    rival, customer = cast.organizations["mercuri"], cast.organizations["infinity"]
    with pytest.raises(NotVisible):
        require(elaine, Level.READ, rival)
    with pytest.raises(NotVisible):
        require(elaine, Level.FULL, rival)
    with pytest.raises(Forbidden):
        require(elaine, Level.WRITE, customer)
    require(elaine, Level.FULL, cast.organizations["infinity-projects"])


def test_a_foreign_row_and_an_absent_one_answer_alike(cast: Cast) -> None:
    elaine, rows = principal(cast, "Elaine"), Organization.objects.all()
    answers = []
    for key in (cast.organizations["mercuri"].pk, uuid.UUID(int=7)):
        with pytest.raises(NotVisible) as refused:
            find_visible(rows, elaine, pk=key)
        answers.append(str(refused.value).replace(str(key), "…"))
    assert answers[0] == answers[1]


def test_a_level_includes_the_levels_below_it(cast: Cast) -> None:
    own = cast.organizations["infinity-projects"]
    assert [may(principal(cast, "Elaine"), level, own) for level in (Level.READ, Level.WRITE, Level.FULL)] == [True] * 3
    global_ = cast.organizations["global"]
    assert [may(principal(cast, "Marco"), level, global_) for level in (Level.READ, Level.WRITE)] == [True, False]


def test_a_closed_account_has_no_rights_left(cast: Cast) -> None:
    user = User.objects.get(pk=cast.people["Elaine"].user_id)
    user.is_active = False
    user.save()
    assert principal_of(user) is NOBODY
    assert kernel.read_grants(user, Organization) == {}


def test_a_general_permission_or_a_staff_account_opens_nothing(cast: Cast) -> None:
    """The library would show every row to a holder of a model permission; the kernel reads object rows alone."""
    user = User.objects.get(pk=cast.people["Otto"].user_id)
    user.is_staff = user.is_superuser = True
    user.save()
    user.user_permissions.set(Permission.objects.all())
    assert not visible_to(Organization.objects.all(), principal_of(user)).exists()


def test_rights_follow_the_matrix_and_end_with_the_membership(cast: Cast) -> None:
    otto, projects = cast.people["Otto"], cast.organizations["infinity-projects"]
    assert principal(cast, "Otto").organizations == frozenset()
    member = add_member(
        person=otto, organization=projects, role="provider_agent", from_date=date(2026, 1, 1), actor=None
    )
    held = {
        resource: max(scopes.values()).value for resource, scopes in principal(cast, "Otto").grants.items() if scopes
    }
    cells = MatrixCell.objects.filter(role="provider_agent")
    assert held == {cell.resource: cell.level for cell in cells}
    end_membership(membership=member, to_date=date(2026, 6, 1), actor=None)
    assert principal(cast, "Otto").grants == {}
    assert not UserObjectPermission.objects.filter(user=otto.user).exists()


def test_two_roles_hold_the_stronger_of_both_and_losing_one_leaves_the_other(cast: Cast) -> None:
    marco, global_ = cast.people["Marco"], cast.organizations["global"]
    second = add_member(
        person=marco, organization=global_, role="provider_manager", from_date=date(2026, 1, 1), actor=None
    )
    assert principal(cast, "Marco").where("connection", Level.FULL) == {global_.pk}
    end_membership(membership=second, to_date=date(2026, 6, 1), actor=None)
    assert principal(cast, "Marco").where("connection", Level.FULL) == frozenset()
    assert principal(cast, "Marco").where("ticket", Level.WRITE) == {global_.pk}


def test_rights_in_one_organization_say_nothing_about_another(cast: Cast) -> None:
    add_member(
        person=cast.people["Marco"],
        organization=cast.organizations["mercuri"],
        role="auditor",
        from_date=date(2026, 1, 1),
        actor=None,
    )
    marco = principal(cast, "Marco")
    assert marco.where("ticket", Level.WRITE) == {cast.organizations["global"].pk}
    assert marco.where("ticket") == {cast.organizations["global"].pk, cast.organizations["mercuri"].pk}
