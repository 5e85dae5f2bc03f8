"""The files of the project as the architecture tests read them: modules with their syntax trees, and texts."""

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("apps", "siamportal", "tests")
NOT_OURS = {".git", ".venv", "var", "staticfiles", "__pycache__", "node_modules"}
TEXTS = {".py", ".html", ".css", ".js", ".svg", ".md", ".toml", ".json", ".txt", ".yml", ".yaml", ".cfg", ".ini", ""}

Function = ast.FunctionDef | ast.AsyncFunctionDef

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class Module:
    """One Python file; ``place`` is its path below the root, with slashes."""

    path: Path

    @property
    def place(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def length(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    def functions(self) -> Iterator[Function]:
        return (node for node in self.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    def names(self) -> Iterator[tuple[str, int]]:
        """Every name that this module gives to something, with its line."""
        for node in self.nodes:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    yield node.name, node.lineno
                case ast.arg():
                    yield node.arg, node.lineno
                case ast.Name(ctx=ast.Store()):
                    yield node.id, node.lineno
                case ast.Attribute(ctx=ast.Store()):
                    yield node.attr, node.lineno

    def imports(self) -> Iterator[tuple[str, int]]:
        """What it imports from elsewhere, as dotted names, with the line; relative imports are its own package's."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


@cache
def _all_modules() -> tuple[Module, ...]:
    found = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return tuple(Module(path) for path in found if "migrations" not in path.parts)


def modules(below: str = "") -> list[Module]:
    """The modules below a folder (default: of the whole project) except migrations, which Django writes."""
    return [one for one in _all_modules() if not below or one.place.startswith(f"{below}/")]


@cache
def files() -> tuple[Path, ...]:
    """Every text file of the project that somebody wrote."""
    found: list[Path] = []
    for folder, below, names in os.walk(ROOT):
        below[:] = sorted(name for name in below if name not in NOT_OURS and not name.endswith("_cache"))
        below[:] = [name for name in below if name != ".hypothesis"]
        found += (Path(folder) / name for name in sorted(names) if Path(name).suffix in TEXTS and name != "uv.lock")
    return tuple(found)


def documents() -> tuple[Path, ...]:
    """The pages for people: everything in Markdown."""
    return tuple(path for path in files() if path.suffix == ".md")


def read_document(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def words_of(name: str) -> list[str]:
    """The words of an identifier, in lower case: ``merge_base`` and ``MergeBase`` are both merge, base."""
    return [word.lower() for word in _WORD.findall(name)]


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row of a page, without head and rule lines."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        is_head = number + 1 < len(lines) and re.match(r"^\|[\s:|-]+\|$", lines[number + 1])
        if line.startswith("|") and not re.match(r"^\|[\s:|-]+\|$", line) and not is_head:
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
