from tests.sync.services.conftest import stage

__all__ = ["stage"]
