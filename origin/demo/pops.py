"""The demo's points of presence: which there are, and what runs at one."""

from dataclasses import dataclass
from typing import Final

import httpx

from origin.demo.processes import Process, answers


@dataclass(frozen=True)
class PopPlan:
    """A point of presence as it is wished for; its ports may have to be others.

    Attributes
    ----------
    place, country : str
        Where visitors of this PoP are: for people, and as the CDN says it.
    port, edge_port, admin_port : int
        Of the CDN's front, which visitors open; of the edge behind it; of the edge's admin listener.
    """

    name: str
    place: str
    country: str
    port: int
    edge_port: int
    admin_port: int
    workers: int = 2


FRANKFURT: Final = PopPlan("frankfurt", "Germany", "DE", 8080, 8082, 8081)
NEW_YORK: Final = PopPlan("newyork", "the United States", "US", 8180, 8182, 8181)
POPS: Final = (FRANKFURT, NEW_YORK)


@dataclass(frozen=True)
class Pop:
    """A point of presence that runs.

    Attributes
    ----------
    url : str
        What its visitors open: the CDN's front.
    edge : str
        The edge itself, which only the CDN asks.
    """

    plan: PopPlan
    url: str
    edge: str
    admin: str
    process: Process

    @property
    def name(self) -> str:
        """Its name."""
        return self.plan.name

    def serves(self, revision: int) -> bool:
        """Whether all its workers serve this revision, and the CDN finds it."""
        if not answers(f"{self.admin}/ready"):
            return False
        status = httpx.get(f"{self.admin}/status", timeout=5.0).json()
        active = status["active"]
        bundles = [(worker["activated"] or {}).get("bundle") for worker in status["workers"]]
        whole = len(bundles) == self.plan.workers and set(bundles) == {active["bundle"]}
        return whole and active["revision"] == revision and answers(f"{self.url}/_nearside/n.js")
