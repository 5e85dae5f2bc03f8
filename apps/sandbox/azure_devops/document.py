"""JSON Patch documents as this service takes them: add, replace, remove, and test in front."""

import json
from dataclasses import dataclass
from typing import Any

from .errors import BindingFault, invalid_argument

OPERATIONS = ("add", "replace", "remove", "test")


@dataclass(frozen=True, slots=True)
class Operation:
    op: str
    path: str
    parts: tuple[str, ...]
    value: Any

    @property
    def is_test(self) -> bool:
        return self.op == "test"


def _no_number(text: str) -> Any:
    raise ValueError(text)


def json_value(body: bytes) -> Any:
    """The JSON in ``body``, or None: also for numbers that are none, half characters and endless nesting."""
    try:
        value = json.loads(body, parse_constant=_no_number)
        if b"\\ud" in body.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value


def parse_document(body: bytes) -> list[Operation]:
    """The operations of a patch document. Raises the vendor's refusals of what is none."""
    raw = json_value(body)
    if not isinstance(raw, list) or not raw:
        raise invalid_argument("You must pass a valid patch document in the body of the request.")
    operations = [_operation(index, entry) for index, entry in enumerate(raw)]
    seen_write = False
    for operation in operations:
        if operation.is_test and seen_write:
            raise BindingFault(
                "VS403426: A test operation must come before all other operations of the patch document."
            )
        seen_write = seen_write or not operation.is_test
    return operations


def _operation(index: int, entry: Any) -> Operation:
    if not isinstance(entry, dict):
        raise BindingFault(f"VS403426: Operation {index} of the patch document is not an object.")
    op, path = entry.get("op"), entry.get("path")
    if not isinstance(op, str) or op.lower() not in OPERATIONS:
        raise BindingFault(
            f"VS403426: The patch operation {op!r} is not supported. Use one of: {', '.join(OPERATIONS)}."
        )
    if not isinstance(path, str) or not path.startswith("/"):
        raise BindingFault(f"VS403426: Operation {index} of the patch document needs a path that begins with '/'.")
    if op.lower() != "remove" and "value" not in entry:
        raise BindingFault(f"VS403426: Operation {index} of the patch document needs a value.")
    parts = tuple(part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    return Operation(op.lower(), path, parts, entry.get("value"))
