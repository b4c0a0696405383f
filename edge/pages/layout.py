"""Lays a page out anew: its blocks in other places, or left out; all else stays byte for byte."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from edge.bundle.format import Layout
from edge.pages.cut import Block
from edge.pages.plan import PagePlan

MAX_LAID_OUT: Final = 4
"""Layouts of one page that are kept: each is as large as the page."""

_Piece = tuple[int, int]
"""From where to where, in the bytes of the plain page."""


def lay_out(plan: PagePlan, layout: Layout) -> PagePlan:
    """The page with its blocks where the layout wants them; placements in a block go where it goes.

    The same page and layout give the same plan, while few layouts are asked of it: what is kept
    beside a plan, like its deflated parts, is made once.

    A block that the page lacks is left out of the layout. One whose name stands more than
    once may be hidden, and is never moved: nobody said which one.
    """
    laid = plan.laid_out.get(layout)
    if laid is None:
        if len(plan.laid_out) >= MAX_LAID_OUT:
            plan.laid_out.clear()
        laid = plan.laid_out[layout] = _lay_out(plan, layout)
    return laid


def _lay_out(plan: PagePlan, layout: Layout) -> PagePlan:
    stand_ins = _stand_ins(plan.blocks, layout)
    if all(stand_ins[block] == block for block in plan.blocks):
        return plan
    pieces: list[_Piece] = []
    end = 0
    for block in plan.blocks:
        pieces.append((end, block.start))
        if (other := stand_ins[block]) is not None:
            pieces.append((other.start, other.end))
        end = block.end
    body = plan.page
    pieces.append((end, len(body)))
    return _rejoined(plan, body, pieces)


def _stand_ins(blocks: Sequence[Block], layout: Layout) -> dict[Block, Block | None]:
    """What stands in the place of each block; None for nothing. A layout names each block once."""
    counts = Counter(block.name for block in blocks)
    movable = {block.name: block for block in blocks if counts[block.name] == 1}
    found: dict[Block, Block | None] = {block: block for block in blocks}
    ordered = [movable[name] for name in layout.order if name in movable]
    found |= zip(sorted(ordered, key=lambda block: block.start), ordered, strict=True)
    for one, other in layout.swap:
        if one in movable and other in movable:
            found[movable[one]], found[movable[other]] = movable[other], movable[one]
    return found | {block: None for block in blocks if block.name in layout.hide}


def _rejoined(plan: PagePlan, body: bytes, pieces: Sequence[_Piece]) -> PagePlan:
    """The plan of the pieces in their order."""
    spans = list(_spans(plan))
    blocks = {(block.start, block.end) for block in plan.blocks}
    parts: list[list[bytes]] = [[]]
    names: list[str] = []
    for start, end in pieces:
        done = start
        for name, (low, high) in zip(plan.placements, spans, strict=True):
            # What was marked without an element may be nothing at all, right beside a block.
            inside = start < low and high < end if (start, end) in blocks else start <= low and high <= end
            if inside:
                parts[-1].append(body[done:low])
                parts += ([body[low:high]], [])
                names.append(name)
                done = high
        parts[-1].append(body[done:end])
    joined = [b"".join(part) for part in parts]
    chunks, defaults = tuple(joined[0::2]), tuple(joined[1::2])
    return replace(plan, chunks=chunks, placements=tuple(names), defaults=defaults, blocks=())


def _spans(plan: PagePlan) -> Iterator[_Piece]:
    """Where the inside of each placement stands in the plain page."""
    offset = 0
    for chunk, default in zip(plan.chunks, plan.defaults, strict=False):
        offset += len(chunk)
        yield offset, offset + len(default)
        offset += len(default)
