"""Reads catalogs and cards, and renders each item as each card's fragment."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import jinja2
import jinja2.meta
from jinja2 import nodes
from jinja2.sandbox import SandboxedEnvironment

from compiler.catalog.content import removed, sanitize
from compiler.files.fields import check_id
from compiler.files.text_files import find_control, read_text, settle
from compiler.problems import Problems, nearest
from compiler.types import Card, Catalog, Item

FOLDER: Final = "catalogs"
CARDS: Final = "catalogs/cards"
MAX_CATALOG_BYTES: Final = 256 << 20
MAX_CARD_BYTES: Final = 64 << 10
MAX_CARDS: Final = 256
MAX_ITEM_ID_BYTES: Final = 128
MAX_COLUMNS: Final = 256
MAX_RENDERED_BYTES: Final = 64 << 10
MAX_PROBLEMS: Final = 100
"""After that many bad rows or items, reading a catalog stops: the cause is a common one."""

EMPTY: Final = Catalog("", (), ())


def read_catalog(folder: Path, problems: Problems) -> Catalog:
    """The workspace's catalog; `EMPTY` where there is none."""
    files = sorted((folder / FOLDER).glob("*.csv"))
    for file in files[1:]:
        message = f"a second catalog beside {files[0].name}"
        problems.error(f"{FOLDER}/{file.name}", 0, "not-supported", message, "join them into one file")
    return _read_csv(folder, f"{FOLDER}/{files[0].name}", problems) if files else EMPTY


def _read_csv(folder: Path, path: str, problems: Problems) -> Catalog:
    text = read_text(folder, path, problems, MAX_CATALOG_BYTES)
    if text is None:
        return EMPTY
    rows = _rows(text, path, problems)
    line, header = next(rows, (0, []))
    if not _check_header(header, path, line, problems):
        return EMPTY
    reading = _Reading(header, path, problems)
    for line, row in rows:
        reading.take(line, row)
        if reading.wrong >= MAX_PROBLEMS:
            message = f"{MAX_PROBLEMS} rows are wrong; the rest was not read"
            problems.error(path, line, "csv", message, "mend these first")
            break
    _note_control(text, path, problems)
    items = sorted(reading.items.values(), key=lambda item: item.id.encode())
    return Catalog(path, tuple(header), tuple(items))


def _rows(text: str, path: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line where each begins; empty lines are left out."""
    reader = csv.reader(io.StringIO(text), strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        problems.error(path, line, "csv", str(error), "check quotes and line breaks of this row")


def _check_header(header: Sequence[str], path: str, line: int, problems: Problems) -> bool:
    if not header:
        problems.error(path, 0, "empty", "the catalog has no header", "begin with a line like id,title")
    elif "id" not in header:
        problems.error(path, line, "missing-key", "the catalog has no column 'id'", nearest("id", header))
    elif len(set(header)) < len(header):
        twice = sorted({name for name in header if header.count(name) > 1})
        problems.error(
            path, line, "duplicate-key", f"columns are there twice: {', '.join(twice)}", "rename one"
        )
    elif not all(header):
        problems.error(path, line, "empty", "a column has no name", "name every column")
    elif len(header) > MAX_COLUMNS:
        problems.error(path, line, "too-large", f"{len(header)} columns", f"at most {MAX_COLUMNS}")
    else:
        return True
    return False


class _Reading:
    """The items so far, and how many rows were wrong."""

    def __init__(self, header: list[str], path: str, problems: Problems) -> None:
        self.items: dict[str, Item] = {}
        self.wrong = 0
        self._header = header
        self._path = path
        self._problems = problems

    def take(self, line: int, row: list[str]) -> None:
        """Add one row, or note what is wrong with it."""
        if len(row) != len(self._header):
            message = f"{len(row)} fields under {len(self._header)} columns"
            self._error(line, "csv", message, "quote fields that hold a comma")
            return
        values = dict(zip(self._header, row, strict=True))
        id_ = values["id"]
        if not id_ or id_ != id_.strip() or find_control(id_) or settle(id_) != id_ or "\n" in id_:
            self._error(line, "bad-id", f"{id_!r} can't be an item's id", "use visible characters")
        elif len(id_.encode()) > MAX_ITEM_ID_BYTES:
            self._error(
                line, "bad-id", f"the id has {len(id_.encode())} bytes", f"at most {MAX_ITEM_ID_BYTES}"
            )
        elif id_ in self.items:
            message = f"item {id_!r} is also on line {self.items[id_].line}"
            self._error(line, "duplicate-id", message, "keep one of them")
        else:
            self.items[id_] = Item(id_, values, line)

    def _error(self, line: int, code: str, message: str, hint: str) -> None:
        self.wrong += 1
        self._problems.error(self._path, line, code, message, hint)


def _note_control(text: str, path: str, problems: Problems) -> None:
    control = find_control(text)
    if control is not None:
        line, name = control
        problems.warn(path, line, "replaced-text", f"{name} is replaced in cards", "delete it")


def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.globals.clear()
    # The same inputs compile to the same bytes.
    del environment.filters["random"]
    return environment


_ENVIRONMENT: Final = _environment()


def read_cards(folder: Path, catalog: Catalog, problems: Problems) -> tuple[Card, ...]:
    """The workspace's cards, sorted by name; their templates fit the catalog's columns."""
    found = []
    for file in sorted((folder / CARDS).glob("*.html")):
        path = f"{CARDS}/{file.name}"
        if not check_id(file.stem, "a card", (path, 0), problems):
            continue
        source = read_text(folder, path, problems, MAX_CARD_BYTES)
        if source is not None and _check_template(source, path, catalog, problems):
            found.append(Card(file.stem, source, path))
    if len(found) > MAX_CARDS:
        problems.error(CARDS, 0, "too-large", f"{len(found)} cards", f"at most {MAX_CARDS}")
    return tuple(found)


def _check_template(source: str, path: str, catalog: Catalog, problems: Problems) -> bool:
    if not source.strip():
        problems.error(path, 0, "empty", "the card is empty", "write its HTML, or delete the file")
        return False
    try:
        tree = _ENVIRONMENT.parse(source)
        _ENVIRONMENT.compile(source)
    except jinja2.TemplateSyntaxError as error:
        problems.error(
            path, error.lineno, "template", error.message or "not a template", "see Jinja's syntax"
        )
        return False
    known = {*catalog.columns, "item"}
    unknown = jinja2.meta.find_undeclared_variables(tree) - known if catalog.path else set()
    for node in tree.find_all(nodes.Name):
        if node.name in unknown and node.ctx == "load":
            message = f"the catalog has no column {node.name!r}"
            problems.error(path, node.lineno, "template", message, nearest(node.name, known))
    return not unknown


def render_cards(card: Card, catalog: Catalog, problems: Problems) -> list[bytes]:
    """One safe fragment per item, in the catalog's order; templates see only settled text."""
    template = _ENVIRONMENT.from_string(card.source)
    bodies: list[bytes] = []
    lost: dict[str, list[Item]] = {}
    wrong = 0
    for item in catalog.items:
        try:
            fragment = _render(template, item)
        except Exception as error:  # a template can fail in as many ways as a program
            problems.error(
                card.path, _line_in(error), "template", f"item {item.id!r}: {error}", "see the item"
            )
            wrong += 1
            if wrong >= MAX_PROBLEMS:
                break
            continue
        body = sanitize(fragment)
        for _, name in removed(fragment, body):
            lost.setdefault(name, []).append(item)
        if len(body) > MAX_RENDERED_BYTES:
            message = f"item {item.id!r} renders to more than {MAX_RENDERED_BYTES} characters"
            problems.error(card.path, 0, "too-large", message, "show less of it")
        bodies.append(body.encode())
    for name, items in lost.items():
        message = f"{name} was taken out of {len(items)} items, as of {items[0].id!r}"
        problems.warn(card.path, 0, "sanitized", message, "fragments hold plain, inert HTML")
    return bodies


def _render(template: jinja2.Template, item: Item) -> str:
    values = {name: settle(value) for name, value in item.values.items()}
    return template.render(values, item=values)


def _line_in(error: BaseException) -> int:
    """The template's line where rendering failed; 0 where it can't be told."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
