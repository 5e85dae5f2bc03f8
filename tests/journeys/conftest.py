"""A real browser for the journeys; they are skipped, with the reason, where none is installed."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.sample import Sample, build_sample

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if not CHROMIUM.is_file():
        pytest.skip(f"no Chromium at {CHROMIUM}; set CHROMIUM to where it is")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver, pytest.MonkeyPatch.context() as patch:
        # The synchronous driver runs an event loop in this thread, and Django would refuse the database beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def sample(transactional_db: None, settings: Any, tmp_path: Path) -> Sample:
    settings.SIAM_UPLOADS = tmp_path
    settings.CELERY_TASK_ALWAYS_EAGER = False
    return build_sample(password=None)


def _is_problem(message: Any) -> bool:
    # htmx reports a request that a newer one replaced, or that a closed page gave up, as an error.
    return message.type == "error" and not message.text.startswith(("htmx:afterRequest", "htmx:sendAbort"))


@pytest.fixture
def open_page(browser: Any, live_server: Any, sample: Sample) -> Iterator[Any]:
    """A function that opens a page for somebody of the cast; errors in the browser's console fail the test."""
    pages: dict[tuple[str, int, str], Any] = {}
    problems: list[str] = []

    def open_for(who: str, path: str, *, width: int = 1440, colors: str = "light") -> Any:
        if page := pages.get((who, width, colors)):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            return page
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": 900},
            color_scheme=colors,
            reduced_motion="reduce",
        )
        if who:
            client = Client()
            client.force_login(sample.user(who))
            context.add_cookies(
                [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
            )
        pages[who, width, colors] = page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if _is_problem(message) else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(path)
        page.wait_for_load_state("networkidle")
        return page

    yield open_for
    for page in pages.values():
        page.context.close()
    assert problems == []


@pytest.fixture
def find_violations(open_page: Any) -> Any:
    """A function that looks at pages as axe does: path → rules broken there, and where. No page may be wider than its
    window."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def find(pages: Iterable[tuple[str, str]], *, width: int, colors: str) -> dict[str, Any]:
        found = {}
        for who, path in pages:
            page = open_page(who, path, width=width, colors=colors)
            violations = axe.run(page).response["violations"]
            if violations:
                found[path] = [(rule["id"], [node["target"] for node in rule["nodes"]][:4]) for rule in violations]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
                f"{path} is wider than the window"
            )
        return found

    return find
