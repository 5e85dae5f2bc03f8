"""What is not documented does not exist: settings, commands, connectors, rules, rights and API against docs/."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from django.core.management import load_command_class
from drf_spectacular.generators import SchemaGenerator
from pydantic import BaseModel

from apps.access.models import MatrixCell
from apps.access.policy import POLICIES
from apps.sync.connectors.catalog import CONNECTORS
from apps.sync.rules.document import RulesDocument
from apps.tickets.selectors import FIELDS

from .sources import ROOT, documents, read_document, table_rows

LEVELS = ("none", "read", "write", "full")
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def _documented(page: str) -> set[str]:
    """The names in code type that open a table row of a page."""
    return {name for cells in table_rows(read_document(page)) for name in re.findall(r"^`([^`]+)`", cells[0])}


def _section(page: str, heading: str) -> str:
    sections = re.split(r"^## ", read_document(page), flags=re.MULTILINE)
    found = [text for text in sections if text.splitlines()[0].strip("` ") == heading]
    assert found, f"docs/{page} has no section {heading}"
    return found[0]


class TestSettings:
    def variables(self) -> set[str]:
        """The environment variables that the settings read."""
        tree = ast.parse((ROOT / "siamportal" / "settings.py").read_text())
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        first = [call.args[0] for call in calls if ast.unparse(call.func).startswith("env.")]
        return {argument.value for argument in first if isinstance(argument, ast.Constant)}

    def test_the_reading_of_the_settings_finds_some(self) -> None:
        assert {"DATABASE_URL", "BROKER_URL", "SIAM_HOME"} <= self.variables()

    def test_every_variable_is_described(self) -> None:
        assert self.variables() - _documented("settings.md") == set()

    def test_no_described_variable_is_gone(self) -> None:
        assert _documented("settings.md") - self.variables() == set()

    def test_every_setting_of_ours_can_be_found_in_the_page(self) -> None:
        from django.conf import settings

        ours = [name for name in dir(settings) if name.startswith("SIAM_")]

        assert [name for name in ours if name not in read_document("settings.md")] == []


class TestCommands:
    def names(self) -> dict[str, str]:
        """Command → app, of this project alone."""
        found = (*ROOT.glob("apps/*/management/commands/*.py"), *ROOT.glob("siamportal/management/commands/*.py"))
        parents = {path.stem: path.parents[2].relative_to(ROOT) for path in found if not path.stem.startswith("_")}
        return {name: ".".join(parent.parts) for name, parent in parents.items()}

    def test_every_command_has_a_section(self) -> None:
        for name in self.names():
            _section("commands.md", name)

    def test_every_option_is_described(self) -> None:
        missing = [
            f"{name} {option}"
            for name, app in self.names().items()
            for action in load_command_class(app, name).create_parser("manage.py", name)._actions
            for option in action.option_strings
            if option.startswith("--") and f"`{option}" not in _section("commands.md", name)
        ]

        assert [one for one in missing if one.split()[1] not in _given_by_django()] == []


def _given_by_django() -> set[str]:
    parser = load_command_class("django.core", "check").create_parser("manage.py", "check")
    return {"--skip-checks"} | {option for action in parser._actions for option in action.option_strings}


class TestConnectors:
    @pytest.mark.parametrize("name", CONNECTORS)
    def test_every_setting_and_secret_is_described(self, name: str) -> None:
        kind, text = CONNECTORS[name], _section("connectors.md", name)
        asked = [*kind.Settings.model_fields, *kind.Secrets.model_fields]

        assert [field for field in asked if f"`{field}`" not in text] == []

    def test_no_page_describes_a_connector_that_is_gone(self) -> None:
        headings = re.findall(r"^## `(\w+)`", read_document("connectors.md"), re.MULTILINE)

        assert sorted(headings) == sorted(CONNECTORS)


class TestRules:
    def members(self, model: type[BaseModel]) -> Iterator[str]:
        """The names of a document's members, at any depth."""
        for name, field in model.model_fields.items():
            yield name
            for inner in _models_in(field.annotation):
                yield from self.members(inner)

    def test_every_member_of_the_document_is_described(self) -> None:
        text = read_document("rules.md")

        assert [name for name in self.members(RulesDocument) if f"`{name}`" not in text] == []

    def test_every_field_of_a_ticket_is_named(self) -> None:
        text = read_document("rules.md")

        assert [name for name in FIELDS if f"`{name}`" not in text] == []


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


class TestAccess:
    def test_every_resource_is_described(self) -> None:
        held = {policy.resource for policy in POLICIES.values()}

        assert held - _documented("access.md") == set()

    def test_everything_with_a_policy_is_named(self) -> None:
        text = read_document("access.md")

        assert [policy.title for policy in POLICIES.values() if policy.title not in text] == []

    @pytest.mark.django_db
    def test_the_matrix_in_the_page_is_the_matrix_in_force(self) -> None:
        rows = list(table_rows(read_document("access.md").split("## The Identity Access Matrix")[1].split("\n## ")[0]))
        head = re.search(r"^\| role \|(.*)\|$", read_document("access.md"), re.MULTILINE)
        assert head is not None
        resources = [cell.strip(" `") for cell in head.group(1).split("|")]
        written = {
            (row[0].strip("`"), resource): LEVELS.index(level)
            for row in rows
            for resource, level in zip(resources, row[1:], strict=True)
            if level != "none"
        }

        assert written == {(cell.role, cell.resource): cell.level for cell in MatrixCell.objects.all()}


class TestApi:
    def operations(self) -> list[dict[str, Any]]:
        paths: dict[str, dict[str, Any]] = SchemaGenerator().get_schema(request=None, public=True)["paths"]
        return [operation for methods in paths.values() for operation in methods.values()]

    def test_every_tag_is_described(self) -> None:
        tags = {tag for operation in self.operations() for tag in operation["tags"]}

        assert tags - _documented("api.md") == set()

    def test_every_operation_is_named(self) -> None:
        text = read_document("api.md")

        assert [one["operationId"] for one in self.operations() if f"`{one['operationId']}`" not in text] == []


class TestPages:
    def test_every_link_leads_somewhere(self) -> None:
        assert list(_dead_links(documents())) == []

    def test_every_page_can_be_reached_from_the_index(self) -> None:
        index = (ROOT / "docs" / "README.md").read_text() + (ROOT / "docs" / "decisions" / "README.md").read_text()
        pages = [path for path in (ROOT / "docs").rglob("*.md") if path.name != "README.md"]

        assert [path.name for path in pages if f"{path.name})" not in index] == []

    def test_decisions_are_numbered_without_gaps(self) -> None:
        numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))

        assert numbers == list(range(1, len(numbers) + 1))

    def test_every_decision_says_context_decision_and_consequence(self) -> None:
        wanted = ("## Context", "## Decision", "## Consequence")
        thin = [
            path.name
            for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")
            if any(heading not in path.read_text() for heading in wanted)
        ]

        assert thin == []

    def test_the_readme_names_every_app(self) -> None:
        readme = (ROOT / "README.md").read_text()
        folders = [path.name for path in (ROOT / "apps").iterdir() if (path / "__init__.py").exists()]

        assert [name for name in folders if f"`{name}`" not in readme] == []

    def test_the_changelog_knows_the_present_version(self) -> None:
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

        assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def _dead_links(pages: tuple[Path, ...]) -> Iterator[str]:
    for page in pages:
        for link in _LINK.findall(page.read_text(encoding="utf-8")):
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            path = (page.parent / target).resolve() if target else page
            if not path.exists():
                yield f"{page.name}: {link} does not exist"
            elif anchor and anchor not in _anchors(path):
                yield f"{page.name}: {link} has no such heading"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
