"""What was refused: counted each time, logged when it is something new, the last ones kept."""

import logging
import time
from collections import deque
from typing import Final

from edge.agent.metrics import Metrics
from edge.errors import NearsideError

log = logging.getLogger(__name__)

KEPT: Final = 20


class Refusals:
    """The last refusals, for people; the counts, for machines.

    Attributes
    ----------
    metrics : Metrics
        Where they are counted.
    last : deque of dict
        The newest last, each with `at` (Unix seconds), `code`, `message`.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.last: deque[dict[str, str | float]] = deque(maxlen=KEPT)

    def add(self, error: NearsideError) -> None:
        """Count a refusal; what is refused again as before is not logged again."""
        self.metrics.count("nearside_refused_total", code=error.code)
        message = str(error).removeprefix(f"{error.code}: ")
        if self.last and self.last[-1]["message"] == message and self.last[-1]["code"] == error.code:
            self.last[-1]["at"] = time.time()
            return
        log.warning("refused: %s; what was in force stays", error)
        self.last.append({"at": time.time(), "code": error.code, "message": message})
