"""Claims on lanes: at most one worker acts on each, and one that died is replaced soon (INV-7, design 3.6).

A claim is short and is renewed for as long as its round runs, so that lanes of a killed worker rest for seconds, not
for as long as the slowest call may take.
"""

from collections.abc import Callable
from datetime import timedelta

from .ports import Claims

CLAIM_SECONDS = 15.0
RENEW_SECONDS = 4.0
LONGEST_CLAIM = timedelta(seconds=2 * CLAIM_SECONDS)
"""What claims a lane for longer was given by a clock that went ahead: nobody is at work there (F56)."""


class Lease:
    """The claims of one round, kept for as long as it is told to. ``clock`` counts seconds and never goes back."""

    def __init__(self, store: Claims, token: str, clock: Callable[[], float]) -> None:
        self._store, self._token, self._clock = store, token, clock
        self._renewed = clock()

    def keep(self) -> bool:
        """Renew the claims, if it is time to; whether they are held. Once lapsed they stay so: others may have some."""
        if self._clock() - self._renewed < RENEW_SECONDS or not self.is_held():
            return self.is_held()
        asked = self._clock()
        if self._store.renew(self._token):
            self._renewed = asked
        return self.is_held()

    def is_held(self) -> bool:
        """Whether work may still begin: a worker that was frozen past its claim may have been replaced (F51)."""
        return self._clock() - self._renewed < CLAIM_SECONDS
