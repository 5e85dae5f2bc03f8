"""The one-way stairs of the house: the import contracts of pyproject.toml, and what no contract can say."""

import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from .sources import ROOT, modules

CLOCKS_AND_DICE = {"time", "random", "secrets", "uuid", "os", "socket", "threading", "asyncio", "subprocess"}


def test_every_import_contract_is_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    verdict = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert verdict == 0, capsys.readouterr().out


def test_a_broken_contract_is_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    turned = tmp_path / "turned.toml"
    turned.write_text(
        '[tool.importlinter]\nroot_packages = ["apps"]\n\n[[tool.importlinter.contracts]]\nname = "Upside down"\n'
        'type = "layers"\ncontainers = ["apps"]\nlayers = ["foundation", "tickets"]\n'
    )

    assert lint_imports(config_filename=str(turned), no_cache=True) != 0
    assert "Upside down BROKEN" in capsys.readouterr().out


def test_every_app_has_its_place_in_the_order() -> None:
    ranked = (ROOT / "pyproject.toml").read_text()
    folders = [path.name for path in (ROOT / "apps").iterdir() if (path / "__init__.py").exists()]

    missing = [name for name in folders if f'"{name}"' not in ranked]

    assert missing == []


def test_the_engine_uses_the_standard_library_alone() -> None:
    foreign = [
        f"{module.place}:{line} {name}"
        for module in modules("apps/sync/engine")
        for name, line in module.imports()
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("apps.sync.engine")
    ]

    assert foreign == []


def test_the_engine_has_no_clock_and_no_dice() -> None:
    found = [
        f"{module.place}:{line} imports {name}"
        for module in modules("apps/sync/engine")
        for name, line in module.imports()
        if name.split(".")[0] in CLOCKS_AND_DICE
    ]
    found += [
        f"{module.place} asks for the time"
        for module in modules("apps/sync/engine")
        if any(call in module.text for call in (".now(", ".utcnow(", ".today("))
    ]

    assert found == []


def test_no_connector_is_told_apart_by_its_name() -> None:
    """Capabilities are declared; nobody writes ``if name == "jira"`` (design 3.5)."""
    from apps.sync.connectors.catalog import CONNECTORS

    told_apart = [
        f"{module.place}: {name}"
        for module in modules("apps")
        if not module.place.startswith(("apps/sync/connectors/", "apps/sandbox/"))
        for name in CONNECTORS
        if f'== "{name}"' in module.text or f'"{name}" ==' in module.text
    ]

    assert told_apart == []
