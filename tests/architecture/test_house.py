"""The state of the house: migrations agree, checks are clean, pins are what is installed, nothing is left over."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from packaging.requirements import Requirement

from .sources import ROOT, files, modules

LEFT_OVER = re.compile(r"""(?<!["'])\b(TODO|FIXME|XXX)\b|pragma: no cover""")
# Put together here, so that this file does not name what it looks for.
HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("debian", "org"))]
PATHS_OF_ONE_MACHINE = re.compile(r"(?<![\w.}])/(work|root|home)/\w")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _project() -> dict[str, Any]:
    return tomllib.loads(_read(ROOT / "pyproject.toml"))


@pytest.mark.django_db
def test_models_and_migrations_agree(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        call_command("makemigrations", check=True, dry_run=True, verbosity=1)
    except SystemExit:
        pytest.fail(capsys.readouterr().out)


def test_the_checks_are_clean() -> None:
    call_command("check", fail_level="WARNING")


def test_the_checks_for_production_are_clean(tmp_path: Path) -> None:
    production = {"SIAM_HOME": str(tmp_path), "SIAM_HTTPS": "1", "ALLOWED_HOSTS": "portal.example"}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]

    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **production}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_nothing_is_left_to_be_done_later() -> None:
    own = Path(__file__).name
    left = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files()
        if path.name != own
        for number, line in enumerate(_read(path).splitlines(), 1)
        if LEFT_OVER.search(line)
    ]

    assert left == []


def test_no_file_names_a_package_registry() -> None:
    assert [str(path.relative_to(ROOT)) for path in files() if any(host in _read(path) for host in HOSTS)] == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files()
        for number, line in enumerate(_read(path).splitlines(), 1)
        if PATHS_OF_ONE_MACHINE.search(line)
    ]

    assert found == []


class TestPins:
    def pins(self) -> dict[str, str]:
        """Package → version, of the pins that count on this machine."""
        wanted = [Requirement(line) for line in _project()["tool"]["uv"]["constraint-dependencies"]]
        return {
            _canonical(one.name): str(one.specifier).removeprefix("==")
            for one in wanted
            if one.marker is None or one.marker.evaluate()
        }

    def test_every_pin_is_exact(self) -> None:
        loose = [
            line
            for line in _project()["tool"]["uv"]["constraint-dependencies"]
            if not re.match(r"^[\w.-]+==[\w.]+", line)
        ]

        assert loose == []

    def test_what_is_installed_is_what_is_pinned(self) -> None:
        installed = {_canonical(one.metadata["Name"]): one.version for one in metadata.distributions()}

        assert {name: installed.get(name) for name in self.pins()} == self.pins()

    def test_everything_that_is_asked_for_is_pinned(self) -> None:
        project = _project()
        asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
        asked += [line for lines in project["project"]["optional-dependencies"].values() for line in lines]

        assert {_canonical(Requirement(line).name) for line in asked} - set(self.pins()) == set()

    def test_everything_that_is_asked_for_is_used(self) -> None:
        used = {name.split(".")[0] for module in modules() for name, _ in module.imports()}
        settings = _read(ROOT / "siamportal" / "settings.py")
        idle = [
            line
            for line in _project()["project"]["dependencies"]
            if not _provides(Requirement(line).name) & used
            and not any(name in settings for name in _provides(Requirement(line).name))
        ]

        assert idle == ["tzdata"], "tzdata alone is used by the standard library"


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _provides(distribution: str) -> set[str]:
    """The names under which a distribution is imported."""
    return {
        top
        for top, names in metadata.packages_distributions().items()
        if _canonical(distribution) in map(_canonical, names)
    }
