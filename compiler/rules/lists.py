"""Reads audiences that are lists of ids, and packs them as filters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from compiler.conditions.check import parse
from compiler.draft import Draft
from compiler.files.fields import Fields, check_id
from compiler.files.text_files import is_file, read_text
from compiler.problems import Problems, nearest
from compiler.rules.fuse import build_fuse
from compiler.types import Audience, IdList
from edge.bundle import format as fmt
from edge.bundle.arrays import pack
from edge.decide.fuse import VISITOR_ID

PREFIX: Final = "audience."
MAX_LISTS: Final = 64
MAX_LIST_BYTES: Final = 64 << 20
MAX_IDS: Final = 1_000_000
MAX_ID_CHARACTERS: Final = 256
HEADER: Final = "id"


def read_lists(
    fields: Fields, folder: Path, attributes: Sequence[fmt.Attribute], problems: Problems
) -> tuple[IdList, ...]:
    """What the site says under ``audiences``, with the ids of each, sorted by name."""
    node = fields.mapping("audiences")
    if node is None:
        return ()
    assert isinstance(node.value, dict)
    if len(node.value) > MAX_LISTS:
        fields.error(node.line, "too-large", f"has {len(node.value)} lists", f"at most {MAX_LISTS}")
        return ()
    types = {attribute.name: attribute.type for attribute in attributes}
    found = []
    for name, entry in node.value.items():
        inner = Fields(entry, fields.path, f"audience {name!r}", problems)
        check_id(name, "an audience", (fields.path, entry.line), problems)
        file, by = inner.text("list", required=True), inner.text("by", required=True)
        inner.close()
        if by is not None and by != VISITOR_ID and types.get(by) != "string":
            texts = [VISITOR_ID, *(known for known, type_ in types.items() if type_ == "string")]
            message = f"goes by {by!r}, which is no attribute of type string"
            inner.error(inner.line_of("by"), "unknown-name", message, nearest(by, texts))
        if file is not None and not is_file(folder / file):
            hint = "paths are relative to the workspace"
            inner.error(inner.line_of("list"), "missing", f"has no file {file!r}", hint)
        elif file is not None and by is not None:
            ids = _read_ids(folder, file, problems)
            # Ours are hexadecimal, however a table program wrote them.
            ids = tuple(map(str.lower, ids)) if by == VISITOR_ID else ids
            found.append(IdList(name, by, ids, fields.path, entry.line))
    return tuple(sorted(found, key=lambda one: one.name))


def _read_ids(folder: Path, path: str, problems: Problems) -> tuple[str, ...]:
    """One id in a line, which may be quoted; a first line ``id`` is a header."""
    text = read_text(folder, path, problems, MAX_LIST_BYTES)
    if text is None:
        return ()
    lines = [line.strip() for line in text.split("\n")]
    if lines and lines[0].strip('"') == HEADER:
        lines[0] = ""
    ids = []
    for number, line in enumerate(lines, 1):
        id_ = line[1:-1] if len(line) > 1 and line[0] == line[-1] == '"' else line
        if "," in id_ or '"' in id_ or len(id_) > MAX_ID_CHARACTERS:
            hint = f"write one id in a line, of at most {MAX_ID_CHARACTERS} characters, and nothing else"
            problems.error(path, number, "csv", f"{id_[:40]!r} is not one id", hint)
            return ()
        if id_:
            ids.append(id_)
    if not ids:
        problems.error(path, 0, "empty", "the list has no ids", "write one id in a line")
    elif len(ids) > MAX_IDS:
        hint = f"at most {MAX_IDS:,}; for more, mark the visitors by a cookie or header of your own"
        problems.error(path, 0, "too-large", f"the list has {len(ids):,} ids", hint)
        return ()
    return tuple(ids)


def attributes_of_lists(lists: Sequence[IdList]) -> list[fmt.Attribute]:
    """An attribute for each, as conditions name it."""
    return [fmt.Attribute(PREFIX + one.name, "boolean", f"list:{one.by}") for one in lists]


def audiences_of(lists: Sequence[IdList]) -> dict[str, Audience]:
    """The same as audiences that campaigns may name."""
    found = {}
    for one in lists:
        written: Mapping[str, bool] = {PREFIX + one.name: True}
        condition = parse(written, {PREFIX + one.name: "boolean"})
        found[one.name] = Audience(one.name, condition, written, one.path, one.line)
    return found


def put_lists(draft: Draft, lists: Sequence[IdList]) -> None:
    """Add the filter of each list."""
    for one in lists:
        draft.put(f"lists/{one.name}", "lists", pack(build_fuse(one.ids)))
