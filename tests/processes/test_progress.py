"""A run gives up when nothing moves any more, and not because the machine is busy."""

from .progress import STILL_SECONDS, Patience


class Course:
    """What a run sees: how far the portal has got, and the time."""

    def __init__(self, most: int) -> None:
        self.moves, self.seconds = 0, 0.0
        self.patience = Patience(most, measure=lambda: self.moves, clock=lambda: self.seconds)

    def after(self, seconds: float, moves: int = 0) -> bool:
        self.seconds, self.moves = self.seconds + seconds, self.moves + moves
        return self.patience.is_over()


def test_whoever_moves_is_waited_for_however_slow_it_is() -> None:
    course = Course(most=1_000)
    assert not any(course.after(STILL_SECONDS - 1, moves=1) for _ in range(500))


def test_whoever_stands_still_is_not() -> None:
    course = Course(most=1_000)
    assert not course.after(0.0, moves=5)
    assert not course.after(STILL_SECONDS)
    assert course.after(1.0)


def test_what_moves_for_ever_is_not_waited_for_either() -> None:
    course = Course(most=100)
    assert not course.after(0.0)
    assert not course.after(STILL_SECONDS, moves=101), "quick, but nobody waited long"
    assert course.after(1.0, moves=1)
