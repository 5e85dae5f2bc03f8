"""The search index: it follows the store with a delay, as the vendor's eventually consistent search does."""

from collections.abc import Collection
from datetime import datetime, timedelta

from .state import Issue, Store


class SearchIndex:
    """Copies of issues as they were when they were indexed. An issue that is deleted or archived leaves it late too."""

    def __init__(self) -> None:
        self._waiting: list[tuple[datetime, int, Issue]] = []
        self._known: dict[str, tuple[int, Issue]] = {}
        self._count = 0

    def put(self, issue: Issue, now: datetime, lag_seconds: float) -> None:
        self._count += 1
        self._waiting.append((now + timedelta(seconds=lag_seconds), self._count, issue.frozen()))

    def issues(self, now: datetime, store: Store, reconcile: Collection[str] = ()) -> list[Issue]:
        """What a search at ``now`` can find; issues named in ``reconcile`` are read from the store itself."""
        still_waiting = []
        for visible_at, number, issue in self._waiting:
            if visible_at > now:
                still_waiting.append((visible_at, number, issue))
            elif number > self._known.get(issue.id, (0, issue))[0]:
                self._known[issue.id] = (number, issue)
        self._waiting = still_waiting
        found = {issue_id: issue for issue_id, (_, issue) in self._known.items()}
        for issue_id in reconcile:
            if issue_id in store.issues:
                found[issue_id] = store.issues[issue_id].frozen()
        return [issue for issue in found.values() if not issue.is_deleted and not issue.is_archived]
