"""Says in plain words what changes about recommenders from one bundle to another."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from edge.bundle.recommender_format import Explore, Finish, Link, Trial
from edge.decide.around import load_arrays, load_recommenders
from origin.explain.counted import counted
from origin.explain.rules_view import View

_NONE: Final = "(none)"


def recommender_changes(before: View, after: View) -> Iterator[str]:
    """Lines about each recommender that is in both, and about the items that they may list."""
    old, new = load_recommenders(before.bundle), load_recommenders(after.bundle)
    were = {finish.name: finish for finish in old.finishes}
    tried = [{trial.finish.name: _trial(trial) for trial in side.trials} for side in (old, new)]
    for finish in new.finishes:
        if finish.name not in were:
            yield f"recommender {finish.name} added"
            continue
        was, now = _words(were.pop(finish.name)), _words(finish)
        was["challenger"], now["challenger"] = (side.get(finish.name, "") for side in tried)
        for part in now:
            if was[part] != now[part]:
                yield f"{part} of recommender {finish.name}: {was[part] or _NONE} → {now[part] or _NONE}"
    yield from (f"recommender {name} removed" for name in were)
    if before.items == after.items:
        yield from _open(before, after)


def _words(finish: Finish) -> dict[str, str]:
    """What a recommender says, by part."""
    return {
        "models": _list([_link(link) for link in finish.links]),
        "filters": _list([words for words, _ in finish.only]),
        "boosts": _list(finish.boosts),
        "pins": _list([f"{item} at {at + 1}" for item, at in finish.pins]),
        "caps": _list([f"{most} of a {column}" for column, most in finish.caps]),
        "diversity": _diversity(finish),
        "exploring": _explore(finish.explore) if finish.explore else "",
        "left out": _list([f"what {name} holds" for name in finish.without]),
        "filling": "" if finish.fill else "not filled up",
    }


def _link(link: Link) -> str:
    viewed, items = counted(link.history, "viewed item"), counted(link.items, "item")
    return f"{link.model} (from {viewed}, with {items})"


def _explore(explore: Explore) -> str:
    return f"place {explore.slot + 1}, in {explore.share:g} of decisions, of {explore.of}"


def _trial(trial: Trial) -> str:
    return f"{trial.challenger}, in {trial.share:g} of decisions"


def _list(words: Sequence[str]) -> str:
    return ", ".join(words)


def _open(before: View, after: View) -> Iterator[str]:
    """How many items the filters let in and shut out that are the same for everyone."""
    old, new = load_arrays(before.bundle), load_arrays(after.bundle)
    for key in sorted(old.keys() & new.keys()):
        if not key.endswith("/allow") or np.array_equal(old[key], new[key]):
            continue
        came, went = int((new[key] > old[key]).sum()), int((new[key] < old[key]).sum())
        name = key.removesuffix("/allow")
        more = f"may list {counted(came, 'item')} that it might not"
        yield f"recommender {name} {more}, and not {went} that it might"


def _diversity(finish: Finish) -> str:
    ways = [*finish.alike, *([f"the rows of {finish.near}"] if finish.near else [])]
    return f"{finish.diversity:g} by {_list(ways)}" if ways else ""
