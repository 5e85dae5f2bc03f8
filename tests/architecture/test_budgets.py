"""How long things may be, and what they may not be called (design 6, 7 and 9)."""

import ast
from typing import TypeGuard

from .sources import Module, modules, words_of

LONGEST_MODULE = 500
LONG_FUNCTION, LONGEST_FUNCTION = 50, 100
SHARE_OF_LONG_FUNCTIONS = 0.03
FOUNDATION = 1000

DUMPING_GROUNDS = {
    *("utils", "util", "utilities", "helpers", "helper", "common", "misc", "shared", "stuff", "lib", "tools"),
    *("manager", "managers", "handler", "handlers", "processor", "processors"),
}
EMPTY_LAST_WORDS = {"manager", "handler", "processor", "data", "info"}
NAMED_BY_OTHERS = {
    "UserManager": "Django asks for a manager of accounts",
    "setUpTestData": "Django calls it so",
    "handle_data": "html.parser calls it so",
    "connection_data": "the sandbox's route has the vendor's name",
    "server_info": "the sandbox's route has the vendor's name",
}


def _lengths() -> list[tuple[int, str]]:
    return [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{module.place}:{node.lineno} {node.name}")
        for module in modules()
        for node in module.functions()
    ]


def test_no_module_is_longer_than_its_budget() -> None:
    assert [f"{one.place}: {one.length}" for one in modules() if one.length > LONGEST_MODULE] == []


def test_hardly_any_function_is_long() -> None:
    lengths = _lengths()
    long = sorted((pair for pair in lengths if pair[0] > LONG_FUNCTION), reverse=True)

    assert len(long) < SHARE_OF_LONG_FUNCTIONS * len(lengths), long


def test_no_function_is_very_long() -> None:
    assert [pair for pair in _lengths() if pair[0] > LONGEST_FUNCTION] == []


def test_foundation_stays_small() -> None:
    assert sum(module.length for module in modules("apps/foundation")) <= FOUNDATION


def test_foundation_has_no_tables() -> None:
    tables = [one.place for one in modules("apps/foundation") for node in one.tree.body if _is_table(node)]

    assert tables == []


def test_no_module_is_a_dumping_ground() -> None:
    dumped = [one.place for one in modules() if DUMPING_GROUNDS & set(one.place.removesuffix(".py").split("/"))]

    assert dumped == []


def test_names_end_in_a_word_that_says_something() -> None:
    empty = [f"{one.place}:{line} {name}" for one in modules() for name, line in _definitions(one) if _is_empty(name)]

    assert empty == []


def _definitions(module: Module) -> list[tuple[str, int]]:
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [(node.name, node.lineno) for node in module.nodes if isinstance(node, kinds)]


def _is_empty(name: str) -> bool:
    words = words_of(name)
    return len(words) > 1 and words[-1] in EMPTY_LAST_WORDS and name not in NAMED_BY_OTHERS


def test_every_exception_to_the_names_is_still_needed() -> None:
    given = {name for one in modules() for name, _ in _definitions(one)}

    assert set(NAMED_BY_OTHERS) - given == set()


def test_every_public_service_and_selector_says_what_it_is() -> None:
    silent = [
        f"{one.place}:{node.lineno} {node.name}"
        for one in modules("apps")
        if _holds_verbs(one)
        for node in one.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]

    assert silent == []


def test_every_model_says_what_it_is() -> None:
    silent = [
        f"{one.place}:{node.lineno} {node.name}"
        for one in modules("apps")
        for node in one.tree.body
        if _is_table(node) and not ast.get_docstring(node)
    ]

    assert silent == []


def test_every_module_with_verbs_begins_by_saying_what_it_is_for() -> None:
    assert [one.place for one in modules("apps") if _holds_verbs(one) and not ast.get_docstring(one.tree)] == []


def _holds_verbs(module: Module) -> bool:
    return module.path.stem in ("services", "selectors") or module.path.parent.name in ("services", "selectors")


def _is_table(node: ast.stmt) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "models.Model" for base in node.bases)
