"""The switches of every sandbox: which requests they let pass and which they meet."""

from apps.sandbox.faults import REQUEST_FAULTS, FaultBoard


def meets(board: FaultBoard, requests: str) -> list[str]:
    """For each request (its path is its letter) the kind of the fault that it meets, or nothing."""
    found = [board.take(REQUEST_FAULTS, "GET", f"/{letter}") for letter in requests]
    return [fault.kind if fault else "" for fault in found]


def test_a_fault_lets_the_first_matching_requests_pass() -> None:
    board = FaultBoard()
    fault = board.add(kind="down", skip=2, times=1)
    assert meets(board, "aaaa") == ["", "", "down", ""]
    assert (fault.passed, fault.hits) == (2, 1)


def test_requests_that_do_not_match_are_not_counted() -> None:
    board = FaultBoard()
    board.add(kind="down", skip=1, path="a")
    assert meets(board, "abaab") == ["", "", "down", "down", ""]


def test_a_fault_that_waits_leaves_the_request_to_the_next_one() -> None:
    board = FaultBoard()
    board.add(kind="down", skip=1, times=1)
    board.add(kind="html", times=1)
    assert meets(board, "aaa") == ["html", "down", ""]
