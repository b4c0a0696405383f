"""Reads holdouts, from site.yaml or rules/*.yaml: whom campaigns do not reach, to tell what they do."""

from collections.abc import Iterable
from typing import Final

from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest
from compiler.rules.experiments import where
from compiler.types import Campaign, Holdout
from edge.bundle import format as fmt

SITE: Final = "site"
_SEED: Final = "holdout:"


def read_holdouts(fields: Fields, problems: Problems) -> list[Holdout]:
    """The entries of the list `holdouts` that can be used."""
    nodes = fields.items("holdouts")
    found = [_holdout(node, fields.path, number, problems) for number, node in enumerate(nodes, 1)]
    return [holdout for holdout in found if holdout is not None]


def _holdout(node: Node, path: str, position: int, problems: Problems) -> Holdout | None:
    fields = Fields(node, path, where(node, "holdout", position), problems)
    id_ = fields.text("id", required=True)
    share = fields.number("share", 0, 1, required=True)
    seed = fields.text("seed")
    of = fields.texts("of", required=True)
    fields.close()
    if id_ is None or not check_id(id_, "a holdout", (path, fields.line_of("id")), problems):
        return None
    lines = dict(reversed(of))
    names = tuple(dict.fromkeys(name for name, _ in of))
    covered = None if names == (SITE,) else names
    # A seed of its own: who is held out must say nothing of an experiment of the same name.
    return Holdout(
        id_, seed or _SEED + id_, share or 0.0, covered, path, node.line, tuple(map(lines.__getitem__, names))
    )


def check_holdouts(
    found: Iterable[Holdout], campaigns: Iterable[Campaign], problems: Problems, *, partial: bool = False
) -> None:
    """Note names that are neither a campaign nor a programme, doubles, and too many.

    `partial`: not all campaigns could be read, so a name that is not there may be one of theirs.
    """
    campaigns = list(campaigns)
    known = {c.id for c in campaigns} | {c.programme for c in campaigns} - {""}
    seen: dict[str, Holdout] = {}
    for holdout in found:
        place = (holdout.path, holdout.line)
        before = seen.setdefault(holdout.id, holdout)
        if before is not holdout:
            problems.twice(*place, f"holdout {holdout.id!r}", f"{before.path}:{before.line}")
        for name, line in zip(holdout.of or (), holdout.of_lines, strict=False):
            if name not in known and not partial:
                message = f"holdout {holdout.id!r} covers {name!r}, neither a campaign nor a programme"
                problems.error(holdout.path, line, "unknown-name", message, nearest(name, {*known, SITE}))
    if len(seen) > fmt.MAX_HOLDOUTS:
        last = list(seen.values())[-1]
        message = f"{len(seen)} holdouts"
        problems.error(last.path, last.line, "too-large", message, f"at most {fmt.MAX_HOLDOUTS}")
