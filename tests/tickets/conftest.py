from pathlib import Path
from typing import Any

import pytest

from .desk import Desk


@pytest.fixture
def desk(db: None, settings: Any, tmp_path: Path) -> Desk:
    settings.SIAM_UPLOADS = tmp_path / "uploads"
    return Desk()
