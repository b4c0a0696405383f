"""Serves one compiled recipe from a running worker, and asks it for visitors' lists as an app would."""

import csv
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from compiler.build import compile_workspace
from compiler.workspace import read_workspace
from loadtest.bench_page import lay_down, start
from models.data.interactions import Interactions
from models.recipe import Trained

SITE = """\
site: films
placements: [list]
items: {path: "/film/{item}"}
consent: {cookie: consent, default: contextual}
"""
Ask = Callable[[Sequence[str]], list[str]]


def served_lists(
    model: Trained, known: Interactions, asked: Sequence[Sequence[int]], length: int, top: int
) -> list[list[int]]:
    """The worker's answers to ``/_nearside/decide``, as catalog positions, for each history."""
    place = {item: position for position, item in enumerate(known.item_ids)}
    with tempfile.TemporaryDirectory(prefix="nearside-models-") as name:
        folder = Path(name)
        bundle = _compile(folder, model, known, length, top)
        with _serving(folder, bundle) as ask:
            answers = (ask([known.item_ids[position] for position in history]) for history in asked)
            return [[place[item] for item in items] for items in answers]


def _compile(folder: Path, model: Trained, known: Interactions, length: int, top: int) -> Path:
    workspace = folder / "workspace"
    for name in ("rules", "catalogs/cards", "models", "data"):
        (workspace / name).mkdir(parents=True)
    (workspace / "site.yaml").write_text(SITE)
    (workspace / "catalogs/cards/line.html").write_text('<li data-item="{{ id }}">{{ title }}</li>')
    titles = zip(known.item_ids, known.item_columns["title"], strict=True)
    _write(workspace / "catalogs/films.csv", ("id", "title"), titles)
    rows = zip(known.users.tolist(), known.items.tolist(), known.timestamps.tolist(), strict=True)
    views = ((user, known.item_ids[item], at) for user, item, at in rows)
    _write(workspace / "data/views.csv", ("user", "item", "timestamp"), views)
    recipe = f"recipe: {model.card['recipe']}\ninteractions: data/views.csv\nmax_history: {length}\n"
    (workspace / f"models/{model.name}.yaml").write_text(recipe)
    show = {"recommender": model.name, "card": "line", "limit": top}
    campaign = {"id": "list", "placement": "list", "show": show}
    (workspace / "rules/lists.yaml").write_text(json.dumps({"campaigns": [campaign]}))
    compile_workspace(read_workspace(workspace), {model.name: model}, folder / "bundle")
    return folder / "bundle"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(header)
        out.writerows(rows)


@contextmanager
def _serving(folder: Path, bundle: Path) -> Iterator[Ask]:
    """A worker on the bundle; what it answers to a history."""
    state, keys = lay_down(folder, bundle)
    command = [sys.executable, "-m", "edge.worker", "--origin", "http://127.0.0.1:1"]
    command += ["--upstream", "http://127.0.0.1:1", "--keys", str(keys), "--state-dir", str(state)]
    worker = start([*command, "--log-level", "warning", "--fd"])
    client = httpx.Client(base_url=f"http://127.0.0.1:{worker.port}", timeout=30)

    def ask(history: Sequence[str]) -> list[str]:
        body: Mapping[str, object] = {"placements": ["list"], "history": list(history), "tier": "session"}
        answer = client.post("/_nearside/decide", json=body)
        if answer.status_code != httpx.codes.OK or not answer.json()["slots"]:
            raise SystemExit(f"{answer.status_code}: {answer.text[:300]}")
        items: list[str] = answer.json()["slots"][0]["items"]
        return items

    try:
        yield ask
    finally:
        client.close()
        worker.process.terminate()
        worker.process.wait()
