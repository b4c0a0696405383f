"""Reads layouts: which marked blocks of a page stand where, and which are left out."""

import hashlib
from typing import Final

from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest
from compiler.types import Layout

KEYS: Final = ("order", "hide", "swap")
MAX_BLOCKS: Final = 256
MAX_INLINE_CHARACTERS: Final = 160
_PAIR: Final = 2


def read_blocks(fields: Fields, problems: Problems) -> tuple[str, ...]:
    """The blocks that the site's pages mark."""
    found: dict[str, None] = {}
    for name, line in fields.texts("blocks"):
        if check_id(name, "a block", (fields.path, line), problems):
            if name in found:
                fields.error(line, "duplicate-id", f"has the block {name!r} twice", "keep one of them")
            found[name] = None
    if len(found) > MAX_BLOCKS:
        message = f"has {len(found)} blocks"
        fields.error(fields.line_of("blocks"), "too-large", message, f"at most {MAX_BLOCKS}")
    return tuple(found)


class LayoutReader:
    """The layouts of a site so far: those with a name, and those that stand where they are shown."""

    def __init__(self, blocks: tuple[str, ...], problems: Problems) -> None:
        self.known: dict[str, Layout] = {}
        self._blocks = blocks
        self._broken: set[str] = set()
        self._problems = problems

    def take(self, fields: Fields) -> None:
        """Read the mapping `layouts` of a file."""
        node = fields.mapping("layouts")
        if node is None:
            return
        assert isinstance(node.value, dict)
        for name, entry in node.value.items():
            place = (fields.path, entry.line)
            if name in self.known:
                other = self.known[name]
                self._problems.twice(*place, f"layout {name!r}", f"{other.path}:{other.line}")
                continue
            layout = self._read(entry, fields.path, f"layout {name!r}", name)
            if not check_id(name, "a layout", place, self._problems) or layout is None:
                self._broken.add(name)
            else:
                self.known[name] = layout

    def shown(self, fields: Fields) -> str:
        """The name of the layout under `layout`, which may be written there; empty after a problem."""
        node = fields.node("layout", required=True)
        if node is not None and isinstance(node.value, dict):
            layout = self._read(node, fields.path, f"{fields.where}: layout", "")
            if layout is None:
                return ""
            self.known.setdefault(layout.name, layout)
            return layout.name
        name = fields.text("layout") or ""
        if name and name not in self.known and name not in self._broken:
            hint = nearest(name, {*filter(_has_name, self.known), *self._broken})
            fields.error(fields.line_of("layout"), "unknown-name", f"has an unknown layout {name!r}", hint)
        return name if name in self.known else ""

    def note_unused(self, used: set[str]) -> None:
        """Warn of layouts that nothing shows."""
        for name, layout in sorted(self.known.items()):
            if name not in used:
                message, hint = f"no campaign shows the layout {name!r}", "use it in a campaign, or delete it"
                self._problems.warn(layout.path, layout.line, "unused", message, hint)

    def _read(self, node: Node, path: str, where: str, name: str) -> Layout | None:
        fields = Fields(node, path, where, self._problems)
        if not isinstance(node.value, dict):
            return None
        errors = self._problems.error_count
        named: dict[str, None] = {}
        written = fields.texts("order")
        order = self._names(fields, written, named)
        hide = self._names(fields, fields.texts("hide"), named)
        swap = [self._pair(entry, fields, named) for entry in fields.items("swap")]
        fields.close()
        if len(written) == 1:
            hint = "name two at least, in the order in which they shall stand"
            fields.error(fields.line_of("order"), "bad-value", "orders a single block", hint)
        if not (order or hide or swap) and errors == self._problems.error_count:
            fields.error(
                node.line, "empty", "changes nothing", f"write {', '.join(KEYS)}, or several of them"
            )
        if errors != self._problems.error_count:
            return None
        if set(hide) == set(self._blocks):
            hint = "leave out of `hide` what shall be seen"
            self._problems.warn(path, node.line, "hides-everything", f"{where} hides all blocks", hint)
        found = Layout(name, order, hide, tuple(swap), path, node.line)
        return found if name else Layout(_words(found), order, hide, tuple(swap), path, node.line)

    def _pair(self, node: Node, fields: Fields, named: dict[str, None]) -> tuple[str, str]:
        entries = node.value if isinstance(node.value, list) else []
        texts = [(entry.value, entry.line) for entry in entries if isinstance(entry.value, str)]
        if len(texts) != _PAIR or len(entries) != _PAIR:
            hint = "write pairs, like swap: [[offers, news]]"
            fields.error(node.line, "bad-value", "swaps what is no pair of blocks", hint)
            return "", ""
        one, other = (self._names(fields, [entry], named) for entry in texts)
        return (one[0], other[0]) if one and other else ("", "")

    def _names(
        self, fields: Fields, written: list[tuple[str, int]], named: dict[str, None]
    ) -> tuple[str, ...]:
        """Known blocks, each named once in the whole layout."""
        found = []
        for name, line in written:
            if name not in self._blocks:
                hint = nearest(name, self._blocks) if self._blocks else "list the blocks in site.yaml"
                fields.error(line, "unknown-name", f"has an unknown block {name!r}", hint)
            elif name in named:
                fields.error(line, "duplicate-id", f"names the block {name!r} twice", "keep one of them")
            else:
                named[name] = None
                found.append(name)
        return tuple(found)


def _has_name(name: str) -> bool:
    return " " not in name


def _words(layout: Layout) -> str:
    """What a layout without a name is called in records and reports: what it does."""
    parts = [f"order {', '.join(layout.order)}"] if layout.order else []
    parts += [f"hide {', '.join(layout.hide)}"] if layout.hide else []
    parts += [f"swap {one} with {other}" for one, other in layout.swap]
    words = "; ".join(parts)
    if len(words) <= MAX_INLINE_CHARACTERS:
        return words
    return f"{words[:MAX_INLINE_CHARACTERS]}… {hashlib.sha256(words.encode()).hexdigest()[:8]}"
