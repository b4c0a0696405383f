"""What the agent counts, and all metrics of a PoP as Prometheus text."""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

NAME: Final = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="[^\n]*"\})?')
"""A sample's key: a name and rendered labels."""

HELP: Final = {
    "nearside_refused_total": "Rollouts, revisions, manifests and artifacts that the agent refused, by code.",
    "nearside_revision": "The revision in force; 0 before the first.",
    "nearside_wanted_revision": "The revision that the rollout names for this PoP.",
    "nearside_rollout_serial": "Serial of the newest rollout taken.",
    "nearside_stock_serial": "Serial of the stock list in force; 0 before the first.",
    "nearside_stock_out": "Items that the stock list in force says are out.",
    "nearside_origin_reachable": "1 while the origin answers.",
    "nearside_workers_connected": "Workers that are connected to the agent.",
    "nearside_spool_waiting_bytes": "Bytes of events on disk that the origin has not committed.",
    "nearside_shipped_records_total": "Records that the origin committed.",
    "nearside_shipped_bytes_total": "Bytes of records that the origin committed.",
    "nearside_ship_dropped_bytes_total": "Bytes of torn records that a dead writer left, dropped.",
    "nearside_ship_set_aside_total": "Segments that the origin can't take, set aside.",
    "nearside_worker_refused_total": "Activations and stock lists that a worker refused, by code.",
    "nearside_worker_deaths_total": "Connections of workers that ended.",
    "nearside_pages_total": "Pages served, by how they came about.",
    "nearside_marks_left_total": "Marks in pages that can't be used, by reason, counted when a page is cut.",
    "nearside_undecoded_total": "Pages whose coding could not be undone, by coding and reason: they pass so.",
    "nearside_cache_total": "Requests to the site's paths, by what the cache did.",
    "nearside_records_total": "Decision records and events written to the spool.",
    "nearside_records_dropped_total": "Records that found no room in the spool, by reason.",
    "nearside_decision_seconds": "Time from a request's turn to its decision.",
    "nearside_decision_errors_total": "Decisions that failed; the plain page was served.",
    "nearside_upstream_errors_total": "Requests that the site did not answer, by code.",
    "nearside_cookies_refused_total": "Visitor cookies that could not be believed, by code.",
    "nearside_reported_events_total": "Events that pages reported, by what the visitor's state made of them.",
    "nearside_refused_events_total": "Events that a page may not report, by code; its others were taken.",
    "nearside_consent_total": "Pages by who said what the visitor agreed to, and by tier.",
    "nearside_consent_refused_total": "Consent strings that can't be read, by source and code; "
    "they grant nothing.",
    "nearside_consent_limited_total": "Pages that a signal of the browser lowered.",
    "nearside_facts_total": "Visitors who were looked up in a Redis of facts, by outcome.",
    "nearside_renewals_total": "Keys files and files of facts that workers read again, by outcome.",
    "nearside_opted_out_total": "Pages of visitors who opted out on their own page.",
    "nearside_refused_requests_total": "Requests that were refused, by code, and by route where one is ours.",
    "nearside_geo_errors_total": "Addresses whose record in the MaxMind file is damaged.",
    "nearside_signals_total": "Requests for pages whose site is to be told what was decided, by outcome.",
    "nearside_turns_total": "Turns of the event loop that decided requests together.",
    "nearside_challengers_total": "Decisions that a challenger was drawn for, by what became of it.",
    "nearside_activations_total": "Bundles that the agent activated.",
}


def sample_key(name: str, labels: Mapping[str, str]) -> str:
    """A sample's name with its labels, as Prometheus writes it."""
    if not labels:
        return name
    inner = ",".join(f'{label}="{_escaped(value)}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inner}}}"


class Metrics:
    """The agent's own counters and gauges, by rendered key."""

    def __init__(self) -> None:
        self.counters: dict[str, float] = defaultdict(float)
        self.gauges: dict[str, float] = {}

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self.counters[sample_key(name, labels)] += amount

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self.gauges[sample_key(name, labels)] = value


def render(counters: Mapping[str, float], gauges: Mapping[str, float]) -> str:
    """All samples as Prometheus text, one family after the other; malformed keys are left out."""
    families: dict[tuple[str, str], list[str]] = defaultdict(list)
    names = {_name(key) for key in counters}
    composed = {
        base: "histogram" if base + "_bucket" in names else "summary"
        for base in {name.removesuffix("_count") for name in names}
        if {base + "_count", base + "_sum"} <= names
    }
    for kind, samples in (("counter", counters), ("gauge", gauges)):
        for key in sorted(samples):
            name = _name(key)
            if not name:
                continue
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            family = (base, composed[base]) if base in composed else (name, kind)
            families[family].append(f"{key} {_number(samples[key])}")
    lines = []
    for (name, kind), rows in sorted(families.items()):
        lines += [f"# HELP {name} {HELP.get(name, name.replace('_', ' '))}", f"# TYPE {name} {kind}", *rows]
    return "\n".join(lines) + "\n"


def _name(key: str) -> str:
    match = NAME.fullmatch(key)
    return match[1] if match else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
