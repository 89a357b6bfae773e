"""What keeps a client polite and cheap: rate limit, budget, back-off. Safe with threads."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime


class RateLimit:
    """At most so many requests a minute, evenly spaced."""

    def __init__(self, per_minute: float | None) -> None:
        self._gap = 60 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, sleep: Callable[[float], object]) -> None:
        """Sleep until the next request may go out."""
        if not self._gap:
            return
        with self._lock:
            now = time.monotonic()
            slot = max(now, self._next)
            self._next = slot + self._gap
        if slot > now:
            sleep(slot - now)


class Budget:
    """A cap on tokens and money that running requests are counted against before they are paid.

    A request reserves the most it can cost; what it did cost replaces that. So the cap holds, as far as the
    size of a prompt is known from those before it.
    """

    def __init__(
        self, tokens: int | None, money: float | None, price_in: float | None, price_out: float | None
    ) -> None:
        self._tokens, self._money = tokens, money
        self._price_in, self._price_out = (price_in or 0.0) / 1e6, (price_out or 0.0) / 1e6
        self._in = self._out = 0
        self._reserved: dict[int, tuple[int, int]] = {}
        self._largest_in = 0
        self._changed = threading.Condition()

    def _fits(self, tokens_in: int, tokens_out: int) -> bool:
        all_in = self._in + tokens_in + sum(r[0] for r in self._reserved.values())
        all_out = self._out + tokens_out + sum(r[1] for r in self._reserved.values())
        return (self._tokens is None or all_in + all_out <= self._tokens) and (
            self._money is None or all_in * self._price_in + all_out * self._price_out <= self._money
        )

    def reserve(self, ticket: int, tokens_in: int, tokens_out: int) -> bool:
        """Set the cost aside for *ticket*, waiting for running requests where it does not fit beside them.

        False where the budget does not hold it even then.
        """
        if self._tokens is None and self._money is None:
            return True
        with self._changed:
            while True:
                cost = max(tokens_in, self._largest_in), tokens_out
                if self._fits(*cost):
                    self._reserved[ticket] = cost
                    return True
                if not self._reserved:
                    return False
                self._changed.wait()

    def settle(self, ticket: int, tokens_in: int, tokens_out: int) -> None:
        """Replace what *ticket* reserved by what it cost."""
        with self._changed:
            self._reserved.pop(ticket, None)
            self._in += tokens_in
            self._out += tokens_out
            self._largest_in = max(self._largest_in, tokens_in)
            self._changed.notify_all()


def backoff(attempt: int, base: float, cap: float = 60.0) -> float:
    """Seconds to wait after the failed *attempt* (1, 2, …): doubling, half of it random.

    The random half keeps clients that failed together from coming back together.
    """
    return min(cap, base * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)


def retry_after(value: str | None, cap: float = 300.0) -> float | None:
    """Seconds that a ``Retry-After`` header (number or date) asks for, at most *cap*; None if unreadable."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), cap) if seconds == seconds else None
