"""Encoded queries are built safely, and answers that ignored them are noticed."""

import pytest

from apps.sync.connectors.base import VendorFault
from apps.sync.connectors.servicenow.client import judge
from apps.sync.connectors.servicenow.query import Scope, Term, encode, is_safe_text


def test_terms_scope_and_order_make_one_query() -> None:
    terms = (Term("sys_updated_on", ">=", "2026-11-20 10:00:00"),)
    assert (
        encode(terms, scope="active=true", order=("sys_updated_on", "-number"))
        == "active=true^sys_updated_on>=2026-11-20 10:00:00^ORDERBYsys_updated_on^ORDERBYDESCnumber"
    )


@pytest.mark.parametrize(
    ("operator", "value", "held", "expected"),
    [
        ("=", "2", "2", True),
        ("=", "siam.SYNC", "siam.sync", True),
        ("!=", "2", "3", True),
        (">", "2026-11-20 10:00:00", "2026-11-20 10:00:00", False),
        (">", "2", "10", True),
        ("<=", "10", "9", True),
        (">=", "2026-11-20 10:00:00", "2026-11-20 10:00:00", True),
        ("<", "b", "a", True),
        ("<=", "b", "c", False),
        ("IN", "1,2", "2", True),
        ("IN", "1,2", "12", False),
        ("LIKE", "siam-1", "text [sync:siam-1]", True),
        ("NOT LIKE", "x", "abc", True),
        ("STARTSWITH", "ab", "abc", True),
        ("ENDSWITH", "ab", "abc", False),
        ("ISEMPTY", "", "", True),
        ("ISNOTEMPTY", "", "", False),
        ("BETWEEN", "1@2", "9", True),
    ],
)
def test_a_term_is_judged_on_the_row(operator: str, value: str, held: str, expected: bool) -> None:
    assert Term("f", operator, value).holds({"f": held}) is expected


def test_a_term_on_a_column_that_the_row_does_not_show_is_broken() -> None:
    assert not Term("u_nope", "=", "x").holds({"number": "INC1"})


def test_a_row_that_breaks_a_machine_condition_shows_that_the_instance_ignored_it() -> None:
    with pytest.raises(VendorFault, match="u_nope=siam-1"):
        judge([{"sys_id": "a", "number": "INC1"}], (Term("u_nope", "=", "siam-1"),), "incident")


def test_rows_that_only_resemble_a_name_are_dropped() -> None:
    term = Term("name", "=", "José", is_text=True)
    assert judge([{"name": "Jose"}, {"name": "José"}], (term,), "sys_user") == [{"name": "José"}]


@pytest.mark.parametrize("text", ["a^ORb=1", "javascript:gs.log(1)", "  javascript:x", "two\nlines", "", "  ", "a\x00"])
def test_text_that_would_change_the_query_is_unsafe(text: str) -> None:
    assert not is_safe_text(text)


def test_plain_names_are_safe() -> None:
    assert is_safe_text("O'Brien, Elaine <elaine@infinity.example>")


def test_a_scope_judges_rows_by_all_its_conditions() -> None:
    scope = Scope("active=true^assignment_group.name=Service Desk^stateIN1,2^ORstateISEMPTY")
    assert scope.fields == ("active", "state")
    assert scope.admits({"active": "true", "state": "2"})
    assert scope.admits({"active": "true", "state": ""})
    assert not scope.admits({"active": "false", "state": "2"})
    assert not scope.admits({"active": "true", "state": "7"})


@pytest.mark.parametrize("text", ["", "a=1^NQb=2", "assigned_toDYNAMIC90d1921e5f510100a9ad2572f2b477fe"])
def test_a_scope_that_rows_cannot_prove_is_left_to_the_instance(text: str) -> None:
    assert Scope(text).admits({"a": "9", "b": "9"})


def test_a_row_that_hides_what_decides_is_not_trusted() -> None:
    with pytest.raises(VendorFault, match="u_nope"):
        Scope("active=true^u_nope=1").admits({"active": "true"})


def test_a_condition_joined_with_an_unreadable_alternative_decides_nothing() -> None:
    scope = Scope("active=true^ORassigned_toDYNAMICx^urgency=1")
    assert scope.admits({"active": "false", "urgency": "1"})
    assert not scope.admits({"active": "true", "urgency": "2"})
