"""Decides again what a log says was decided, by the same bundle or by another."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from edge.bundle.reader import open_bundle, read_site
from edge.decide.engine import Engine
from edge.decide.types import DecisionRecord, Slot
from edge.errors import ConfigError
from edge.events import spool
from origin.lake import reader as lake
from origin.lake.stock import StockLog, read_stocks

BATCH: Final = 256
MANIFEST: Final = "rules.manifest"
Slots = tuple[Slot, ...]
NO_STOCKS: Final = StockLog()


@dataclass(frozen=True)
class Difference:
    """A decision that is not what the log says: what stood there, and what stands there now."""

    record: DecisionRecord
    slots: Slots

    def placements(self) -> list[tuple[str, str, str]]:
        """The placements that differ, each with the campaign before and after ('' for none)."""
        before = {slot.placement: slot for slot in self.record.slots}
        after = {slot.placement: slot for slot in self.slots}
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        return [(name, _policy(before.get(name)), _policy(after.get(name))) for name in names]


@dataclass
class Replay:
    """What a replay found.

    Attributes
    ----------
    decided : int
        Decisions that were made again; `others` counts those of bundles that
        were not given, by bundle id.
    different : int
        Those with another page. `examples` are the first of them.
    by_placement : Counter of (placement, campaign before, campaign after)
        Where and what.
    unstocked : Counter of str
        Decisions under stock lists that are not known, by the lists' ids.
    """

    decided: int = 0
    different: int = 0
    examples: list[Difference] = field(default_factory=list)
    by_placement: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    unstocked: Counter[str] = field(default_factory=Counter)

    def add(self, record: DecisionRecord, slots: Slots, keep: int) -> None:
        """Count a decision that was made again."""
        self.decided += 1
        if slots == record.slots:
            return
        difference = Difference(record, slots)
        self.different += 1
        self.by_placement.update(difference.placements())
        if len(self.examples) < keep:
            self.examples.append(difference)


def replay(
    engines: Mapping[str, Engine],
    records: Iterable[DecisionRecord],
    keep: int = 5,
    stocks: StockLog = NO_STOCKS,
) -> Replay:
    """Decide each record again with the engine of its own bundle; all should be the same."""
    result = Replay()
    for chunk in _chunks(records):
        known = {bundle: engines.get(bundle) for bundle in _bundles(chunk)}
        for record, slots in _again(chunk, known, stocks):
            if known[record.bundle] is None:
                result.others[record.bundle] += 1
            elif slots is None:
                result.unstocked[record.stock] += 1
            else:
                result.add(record, slots, keep)
    return result


def compare(
    engine: Engine, records: Iterable[DecisionRecord], keep: int = 5, stocks: StockLog = NO_STOCKS
) -> Replay:
    """Decide each record with one engine, whatever bundle it is of: whose page would be another."""
    result = Replay()
    divided = map(_with_unit, records) if engine.divides else records
    for chunk in _chunks(divided):
        for record, slots in _again(chunk, dict.fromkeys(_bundles(chunk), engine), stocks):
            if slots is None:
                result.unstocked[record.stock] += 1
            else:
                result.add(record, _as_seen(record.slots, slots), keep)
    return result


def _as_seen(before: Slots, after: Slots) -> Slots:
    """The slots after; one that differs in its probability alone stays as before, for nobody sees that."""
    held = {slot.placement: slot for slot in before}
    found = []
    for slot in after:
        known = held.get(slot.placement, slot)
        found.append(known if replace(slot, propensity=known.propensity) == known else slot)
    return tuple(found)


def _with_unit(record: DecisionRecord) -> DecisionRecord:
    """The record as it were if its bundle had divided visitors: another one may."""
    if record.context.unit or record.context.tier != "full" or not record.teaches:
        return record
    return replace(record, context=replace(record.context, unit=record.visitor))


@dataclass(frozen=True)
class Findings:
    """A replay of a log by its own bundles, and by another one where one was given.

    `unrecorded` are attributes that the other bundle reads and that the log's
    bundles did not: its decisions in these contexts are no forecast.
    """

    own: Replay
    against: Replay | None
    unrecorded: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a decision was not the same again, or none could be tried."""
        return self.own.different > 0 or (self.against is None and not self.own.decided)


def replay_files(
    bundles: Path, log: Path, against: Path | None = None, keep: int = 5, data: Path | None = None
) -> Findings:
    """Replay a log from disk; see `load_engines` and `read_log` for what may lie there.

    `data` is the origin's data folder, which knows stock, where the log is none.
    """
    engines = load_engines(bundles)
    sites = {engine.site for engine in engines.values()}
    if len(sites) != 1:
        raise ConfigError("bundle", f"{bundles} holds bundles of several sites: {', '.join(sorted(sites))}")
    (site,) = sites
    stocks = read_stocks(data or log, site) if data or lake.is_lake(log) else NO_STOCKS
    own = replay(engines, read_log(log, site), keep, stocks)
    if against is None:
        return Findings(own, None)
    other = load_engine(against)
    if other.site != site:
        raise ConfigError("bundle", f"{against} is of site {other.site!r}, not {site!r}")
    read = {name for engine in engines.values() for name in engine.reads}
    return Findings(
        own, compare(other, read_log(log, site), keep, stocks), tuple(sorted(set(other.reads) - read))
    )


def load_engines(path: Path) -> dict[str, Engine]:
    """Engines by bundle id, of a bundle folder or of a folder of such (an edge's ``bundles``).

    Raises
    ------
    BundleError
        ``missing``: there is none.
    """
    folders = [path] if (path / MANIFEST).is_file() else sorted(f.parent for f in path.glob(f"*/{MANIFEST}"))
    if not folders:
        read_site(path)  # says what it is instead
    engines = [load_engine(folder) for folder in folders]
    return {engine.id: engine for engine in engines}


def load_engine(folder: Path) -> Engine:
    """The engine of a bundle folder, whatever its site."""
    return Engine.load(open_bundle(folder, read_site(folder)))


def read_log(path: Path, site: str) -> Iterator[DecisionRecord]:
    """The decisions of a log: an origin's data folder, or spool segments (a file, or a folder at any depth).

    Raises
    ------
    ConfigError
        ``log``: there is nothing of the kind.
    """
    if lake.is_lake(path):
        return lake.decisions(path, site)
    segments = [path] if path.is_file() else sorted(path.rglob("*.seg"))
    if not segments:
        if not path.exists():
            raise ConfigError("log", f"{path} is not there; name an origin's data folder, or spool segments")
        raise ConfigError("log", f"{path} is neither an origin's data folder nor a folder of spool segments")
    return _from_segments(segments, site)


def _from_segments(segments: list[Path], site: str) -> Iterator[DecisionRecord]:
    for segment in segments:
        for record in spool.records(segment.read_bytes()):
            if isinstance(record, DecisionRecord) and record.site == site:
                yield record


def _again(
    records: list[DecisionRecord], engines: Mapping[str, Engine | None], stocks: StockLog
) -> Iterator[tuple[DecisionRecord, Slots | None]]:
    """Decide again, in batches of one engine, kill list and stock; None where one of these is not known."""
    groups: defaultdict[tuple[str, tuple[str, ...], str], list[DecisionRecord]] = defaultdict(list)
    for record in records:
        groups[record.bundle, record.killed, record.stock].append(record)
    for (bundle, killed, id_), group in groups.items():
        engine = engines[bundle]
        stock = stocks.over(engine, id_) if engine is not None else None
        if engine is None or stock is None:
            yield from ((record, None) for record in group)
            continue
        decisions = engine.decide_batch([record.context for record in group], killed, stock=stock)
        for record, decision in zip(group, decisions, strict=True):
            yield record, _in_time(record, decision.slots)


def _in_time(record: DecisionRecord, slots: Slots) -> Slots:
    """Without the placements that missed their deadline then: the log says that they kept the default."""
    return tuple(slot for slot in slots if slot.placement not in record.missed) if record.missed else slots


def _chunks(records: Iterable[DecisionRecord]) -> Iterator[list[DecisionRecord]]:
    iterator = iter(records)
    while chunk := list(islice(iterator, BATCH)):
        yield chunk


def _bundles(records: list[DecisionRecord]) -> set[str]:
    return {record.bundle for record in records}


def _policy(slot: Slot | None) -> str:
    return slot.policy if slot else ""
