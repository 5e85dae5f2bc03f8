"""The check by hand counts what it judged and names what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from apps.sandbox.server import PROXY_PAGE

from .check_traffic import main
from .documents import WHY_NOT, are_here
from .openapi import Exchange
from .systems import contract
from .traffic import check, read

pytestmark = pytest.mark.skipif(not are_here(), reason=WHY_NOT)

SIGNED = {"authorization": "Basic eA==", "accept": "application/json", "content-type": "application/json"}
READ: dict[str, Any] = {
    "number": 1,
    "at": "2026-11-20T10:00:00+00:00",
    "method": "GET",
    "path": "/rest/api/3/myself",
    "query": "",
    "headers": SIGNED,
    "body": "",
    "status": 200,
    "answer_headers": {"content-type": "application/json"},
    "answer": "{}",
}
WRONG = {**READ, "path": "/rest/api/3/issue", "method": "POST", "body": '{"feilds": {}}', "status": 400}


def kept(folder: Path, *exchanges: dict[str, Any]) -> str:
    path = folder / "exchanges.json"
    path.write_text(json.dumps(exchanges))
    return str(path)


def test_clean_traffic_ends_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([kept(tmp_path, READ), "--system", "jira"]) == 0
    assert "1 of 1 requests checked" in capsys.readouterr().out


def test_a_violation_is_printed_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([kept(tmp_path, READ, WRONG), "--system", "jira"]) == 1
    told = capsys.readouterr().out
    assert "1 in requests (1 of them refused)" in told
    assert "'feilds'" in told


def test_calls_outside_the_documents_are_counted_and_not_passed(tmp_path: Path) -> None:
    report = check(contract("jira"), read(Path(kept(tmp_path, {**READ, "path": "/rest/webhooks/1.0/webhook"}))))
    assert (report.requests, report.checked, report.not_covered.total()) == (1, 0, 1)


def test_a_page_that_stands_for_an_answer_is_left_out() -> None:
    html = {"content-type": "text/html"}
    report = check(contract("jira"), [Exchange(**{**READ, "answer": PROXY_PAGE, "answer_headers": html})])
    assert (report.requests, report.answers, report.violations) == (1, 0, [])


def test_something_else_than_exchanges_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no recorded exchanges"):
        read(Path(kept(tmp_path, {"method": "GET"})))
