"""A worker's counters: plain integers that the agent sums."""


class Counters:
    """Monotonic counts by metric name, labels included, as Prometheus writes them."""

    def __init__(self) -> None:
        self._counts: dict[str, float] = {}

    def add(self, name: str, amount: float = 1) -> None:
        """Count; `name` is such as ``nearside_pages_total{kind="plain"}``."""
        self._counts[name] = self._counts.get(name, 0) + amount

    def snapshot(self) -> dict[str, float]:
        """All counts so far."""
        return dict(self._counts)
