"""Out-of-the-box rules for each system (T70): a starting point that a connection's owner makes its own."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def template_for(connector: str) -> dict[str, Any] | None:
    """The rules document that comes with ``connector``, or None if there is none."""
    place = FOLDER / f"{connector}.json"
    if not place.is_file():
        return None
    document: dict[str, Any] = json.loads(place.read_text())
    return document
