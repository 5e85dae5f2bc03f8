"""What every test on the database starts from."""

import pytest

from apps.access.defaults import load_matrix
from apps.tickets.defaults import load_priorities


@pytest.fixture(autouse=True)
def default_tables(request: pytest.FixtureRequest) -> None:
    """The matrices of a new installation: a test that empties all tables may have run before in this process."""
    mark = request.node.get_closest_marker("django_db")
    wanted = {"db", "transactional_db", "live_server"} & set(request.fixturenames)
    if mark is None and not wanted:
        return
    is_real = wanted - {"db"} or (mark is not None and mark.kwargs.get("transaction"))
    request.getfixturevalue("transactional_db" if is_real else "db")
    load_matrix()
    load_priorities()
