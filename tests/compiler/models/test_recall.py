"""Bundles of models in blocks: what they find is certified, and too little of it means a scan."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compiler.build import compile_workspace
from compiler.models.certificate_words import certificate_line
from compiler.problems import WorkspaceError
from compiler.workspace import read_workspace
from edge.bundle.certificate import load_certificate
from edge.bundle.reader import open_bundle
from edge.decide.recommender import Recommender
from models.graphs import blocked, blocks, shortlist
from models.graphs.blocked import BlockFinder, with_blocks
from models.trained import Trained
from tests.workspaces.make import SITE, make_workspace, train_models

N_ITEMS = 300


def _files() -> dict[str, str]:
    draw = np.random.default_rng(4)
    rows = [
        f"u{user},i{(user % 10 * 30 + item) % N_ITEMS:03},{1_700_000_000 + 60 * turn}"
        for user in range(200)
        for turn, item in enumerate(draw.integers(0, 45, 12))
    ]
    return {
        "catalogs/films.csv": "id,title,genre\n"
        + "".join(f"i{n:03},Film {n},{'even' if n % 2 == 0 else 'odd'}\n" for n in range(N_ITEMS)),
        "interactions.csv": "\n".join(["user,item,timestamp", *rows, ""]),
        "models/taste.yaml": "recipe: bpr\ninteractions: interactions.csv\nfactors: 8\nfallback: popular\n",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("large"), _files())


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[str, Trained]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocked, "FEWEST", 0)
        patch.setattr(blocked, "TIMES", 1)
        patch.setattr(blocked, "STEP", 1)
        patch.setattr(shortlist, "FEWEST", 0)
        patch.setattr(blocks.block_arrays, "__defaults__", (None, 1.0, 8))
        models = train_models(read_workspace(folder))
        return {name: with_blocks(model) for name, model in models.items()}


def test_a_bundle_says_what_its_blocks_find(
    folder: Path, trained: dict[str, Trained], tmp_path: Path
) -> None:
    report = compile_workspace(read_workspace(folder), trained, tmp_path / "bundle")
    bundle = open_bundle(tmp_path / "bundle", SITE)
    certificate = load_certificate(bundle)
    assert certificate is not None
    popular, taste = certificate.models
    assert popular.shortlist is None
    assert taste.shortlist is not None
    assert taste.shortlist.recall >= 0.95
    assert 0 < taste.shortlist.looked_at < N_ITEMS
    assert f"{taste.shortlist.recall:.1%} of the best 50 among" in certificate_line(taste)
    assert not [warning for warning in report.warnings if warning.code == "recall"]
    lists = Recommender.load(bundle).recommend([[], [5, 9], [120]])
    assert all(len(list_) >= 4 for list_ in lists["taste"])


def _graph(folder: Path) -> bytes:
    bundle = open_bundle(folder, SITE)
    return bytes(bundle.read(bundle.one("models", "graph")))


def test_what_finds_too_little_is_told_and_scanned(
    folder: Path, trained: dict[str, Trained], tmp_path: Path
) -> None:
    taste = trained["taste"]
    card = {**taste.card, "settings": {**taste.card["settings"], "recall": 0.9999}}
    weak = {**trained, "taste": replace(taste, card=card)}
    compile_workspace(read_workspace(folder), trained, tmp_path / "bundle")
    assert b"/short/" in _graph(tmp_path / "bundle")
    report = compile_workspace(read_workspace(folder), weak, tmp_path / "bundle")
    (warning,) = (one for one in report.warnings if one.code == "recall")
    assert warning.path == "models/taste.yaml"
    assert "all items are scored instead" in warning.message
    assert b"taste/short/" not in _graph(tmp_path / "bundle")


def test_who_asks_for_what_too_few_blocks_hold_is_told(
    folder: Path, trained: dict[str, Trained], tmp_path: Path
) -> None:
    card = {**trained["taste"].card, "shortlist": {"probes": 0}}
    scanned = replace(trained["taste"], card=card, shortlist=b"", finder=None)
    report = compile_workspace(read_workspace(folder), {**trained, "taste": scanned}, tmp_path / "bundle")
    (warning,) = (one for one in report.warnings if one.code == "recall")
    assert "model 'taste' scores all 300 items" in warning.message


def test_a_graph_that_looks_elsewhere_than_its_reference_is_refused(
    folder: Path, trained: dict[str, Trained], tmp_path: Path
) -> None:
    wide = BlockFinder(len(trained["taste"].arrays["block_items"]))
    models = {**trained, "taste": replace(trained["taste"], finder=wide)}
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(read_workspace(folder), models, tmp_path / "bundle")
    (problem,) = caught.value.problems
    assert (problem.code, problem.path) == ("parity", "models/taste.yaml")
    assert "shortlist" in problem.message
