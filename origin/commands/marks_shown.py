"""Says in lines what an edge finds in a page: placements, blocks, and marks that it leaves alone."""

from collections.abc import Iterator

from edge.pages.charset import codec_of
from edge.pages.marks import SCRIPT
from edge.pages.plan import PagePlan, scan
from origin.explain.counted import counted

WHY = {
    "unclosed": "nothing closes it",
    "unopened": "a closing comment closes nothing",
    "broken": "to a browser, what is in it reaches beyond it",
    "raw-text": "what is inside of it is text, not markup",
    "name": "a name is of a-z, 0-9 and -, 64 characters at most",
    "too-many": "a page has 64 placements at most",
    "charset": "a page in this encoding can't be cut",
    "ambiguous": "browsers read this page in two ways",
}


def marks(body: bytes, content_type: str = "") -> tuple[list[str], bool]:
    """What to print of a page, and whether all its marks can be used."""
    plan = scan(body, codec_of(content_type, body))
    lines = [*_placements(plan), *_blocks(plan)]
    for told in plan.left:
        name, _, reason = told.rpartition(":")
        lines.append(f"left alone: {name}: {WHY[reason]} ({reason})")
    return lines or ["no marks"], not plan.left


def _placements(plan: PagePlan) -> Iterator[str]:
    line = 1
    for name, default, chunk in zip(plan.placements, plan.defaults, plan.chunks, strict=False):
        line += chunk.count(b"\n")
        if name == SCRIPT:
            yield f"line {line}: our script"
        else:
            yield f"line {line}: placement {name}, {counted(len(default), 'byte')} by default"
        line += default.count(b"\n")


def _blocks(plan: PagePlan) -> Iterator[str]:
    page = plan.page
    for block in plan.blocks:
        line = page.count(b"\n", 0, block.start) + 1
        yield f"line {line}: block {block.name}"
