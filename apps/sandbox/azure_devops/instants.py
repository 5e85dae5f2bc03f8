"""Times as the vendor writes them: UTC, at most three fractional digits, trailing zeros dropped."""

from datetime import UTC, datetime

FOREVER = "9999-01-01T00:00:00Z"


def stamp(at: datetime) -> str:
    at = at.astimezone(UTC)
    fraction = f"{at.microsecond // 1000:03d}".rstrip("0")
    return f"{at:%Y-%m-%dT%H:%M:%S}{'.' + fraction if fraction else ''}Z"


def exact(at: datetime) -> str:
    """Always three digits, so that the times of the true state sort as texts."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The instant that ``text`` names; a time without a zone is UTC. Raises ValueError."""
    at = datetime.fromisoformat(text.strip())
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as problem:
        raise ValueError(text) from problem


def to_milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
