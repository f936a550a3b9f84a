"""A request as the server sees it from its arrival to its last byte, whatever the route."""

from __future__ import annotations

import math
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from lipogram.server.limits import Allowance


@dataclass(slots=True)
class Visit:
    """`facts` become the log line; `allowance` is that of the key, if it has one.

    `arrived_s` is on the clock of `time.perf_counter`; at the age of `patience_s` it is given up.
    """

    id: str
    facts: dict[str, Any]
    allowance: Allowance | None = None
    patience_s: float = math.inf
    arrived_s: float = field(default_factory=time.perf_counter)

    @property
    def age_s(self) -> float:
        """Seconds since the arrival."""
        return time.perf_counter() - self.arrived_s


CURRENT: ContextVar[Visit] = ContextVar("visit")
"""The visit that the running task belongs to."""
