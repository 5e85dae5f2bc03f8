from pathlib import Path
from typing import Any

import pytest

from .stage import ADDRESS, Stage


@pytest.fixture
def stage(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Stage:
    settings.SIAM_OUTBOUND_ALLOW = [ADDRESS]
    settings.SIAM_UPLOADS = tmp_path / "uploads"
    return Stage(monkeypatch)
