"""What our connectors send, and what our sandboxes answer, is what the vendors' own documents say."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sync.connectors.azure_devops_project import AzureDevOpsUnderTest
from tests.sync.connectors.system_under_test import SandboxUnderTest
from tests.sync.connectors.test_jira_conformance import CloudUnderTest, DataCenterUnderTest
from tests.sync.connectors.test_servicenow_conformance import ServiceNowUnderTest
from tests.sync.connectors.zendesk_account import ZendeskUnderTest

from .documents import WHY_NOT, are_here
from .driving import drive, play_the_cast
from .openapi import Exchange
from .schemas import Side
from .systems import contract
from .traffic import Report, check

pytestmark = pytest.mark.skipif(not are_here(), reason=WHY_NOT)

SYSTEMS: dict[str, Callable[[], SandboxUnderTest]] = {
    "jira": CloudUnderTest,
    "jira_dc": DataCenterUnderTest,
    "azure_devops": AzureDevOpsUnderTest,
    "zendesk": ZendeskUnderTest,
    "servicenow": ServiceNowUnderTest,
}
OUTSIDE = {
    # The file store behind the redirect: another host at the vendor.
    "GET /media/file/…/binary": "jira",
    # Webhooks of an administrator are not part of the platform's document.
    "POST /rest/webhooks/….…/webhook": "jira",
    # Downloads of Data Center are pages of the product.
    "GET /secure/attachment/…/": "jira_dc",
    # Who am I: the service's own bootstrap, older than the documents.
    "GET /global/_apis/connectionData": "azure_devops",
    # The address that an answer names for a file's content.
    "GET /attachments/token/…": "zendesk",
}


@pytest.fixture(scope="module")
def cast() -> dict[str, list[Exchange]]:
    return play_the_cast()


@pytest.fixture(scope="module", params=list(SYSTEMS))
def report(
    request: pytest.FixtureRequest, cast: dict[str, list[Exchange]], tmp_path_factory: pytest.TempPathFactory
) -> Report:
    name: str = request.param
    folder: Path = tmp_path_factory.mktemp(name)
    report = check(contract(name), [*drive(SYSTEMS[name](), folder), *cast.get(name, [])])
    print("\n" + "\n".join(report.lines()))  # noqa: T201
    return report


def test_no_request_breaks_the_documents(report: Report) -> None:
    assert report.checked > 40
    assert report.wrong(Side.REQUEST) == []


def test_no_answer_of_the_sandbox_breaks_the_documents(report: Report) -> None:
    assert report.answers > 40
    assert report.wrong(Side.ANSWER) == []


def test_only_known_calls_lie_outside_the_documents(report: Report) -> None:
    known = [what for what, system in OUTSIDE.items() if system == report.system]
    unknown = [what for what in report.not_covered if not any(what.startswith(each) for each in known)]
    assert unknown == []
