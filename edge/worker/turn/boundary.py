"""The boundary of decide(): what goes wrong behind it is counted and logged, and never an HTTP error."""

import logging

from edge.worker.counters import Counters

log = logging.getLogger(__name__)


def note_failure(error: Exception, what: str, counters: Counters) -> None:
    """Count and log an error while it is handled; the caller answers with the site's own."""
    counters.add(f'nearside_decision_errors_total{{error="{type(error).__name__}"}}')
    log.exception("%s failed", what)
