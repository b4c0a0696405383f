"""Reports say how often a list takes strangers for members: as stated, and as it was tried."""

import json
from pathlib import Path

import numpy as np
import pytest

from compiler.build import compile_workspace
from compiler.rules import list_trial
from compiler.rules.fuse import build_fuse, found_in
from compiler.rules.list_trial import MAX_TAKEN, STRANGERS, Trial, try_lists
from compiler.workspace import read_workspace
from edge.bundle.arrays import unpack
from edge.bundle.reader import open_bundle
from edge.decide.fuse import FALSE_POSITIVE_RATE, Fuse, key_of
from edge.errors import BundleError
from tests.workspaces.make import FILES, make_workspace, train_models

SITE = FILES["site.yaml"] + "audiences: {vip: {list: vip.csv, by: visitor.id}}\n"


def test_the_report_has_what_was_stated_and_what_was_tried(tmp_path: Path) -> None:
    vip = "".join(f"{n:032x}\n" for n in (*range(5_000), 7))
    workspace = read_workspace(make_workspace(tmp_path / "w", {"site.yaml": SITE, "vip.csv": vip}))
    report = compile_workspace(workspace, train_models(workspace), tmp_path / "b")
    trial = report.lists["vip"]
    assert (trial.ids, trial.stated, trial.strangers) == (5_000, FALSE_POSITIVE_RATE, STRANGERS)
    # Counted by the edge's own reader of the same filter.
    bundle = open_bundle(tmp_path / "b", "films")
    members = Fuse(unpack(bundle.read(bundle.one("rules", "lists"))))
    assert trial.taken == sum(f"stranger-{n}" in members for n in range(STRANGERS))
    # Four are expected.
    assert 0 <= trial.taken <= 16
    line = (
        f"list vip: 5,000 ids, takes 1 of 65,536 strangers for members ({trial.taken} of the 262,144 tried)"
    )
    assert line in report.text().splitlines()
    document = json.loads((tmp_path / "b.report.json").read_text())
    assert document["lists"]["vip"]["taken"] == trial.taken
    assert try_lists(bundle, workspace.site.lists) == report.lists


def test_many_keys_are_looked_up_as_one() -> None:
    names = [f"u{n}" for n in range(3_000)]
    arrays = build_fuse(names[:2_000])
    keys = np.fromiter(map(key_of, names), np.uint64, len(names))
    assert found_in(arrays, keys).tolist() == [name in Fuse(arrays) for name in names]


def test_a_stranger_that_is_a_member_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_trial, "STRANGERS", 100)
    list_trial._strangers.cache_clear()
    vip = "stranger-1\nstranger-99\nsomebody\n"
    site = SITE.replace("by: visitor.id", "by: utm.campaign")
    workspace = read_workspace(make_workspace(tmp_path / "w", {"site.yaml": site, "vip.csv": vip}))
    report = compile_workspace(workspace, train_models(workspace), tmp_path / "b")
    list_trial._strangers.cache_clear()
    assert report.lists == {"vip": Trial(3, FALSE_POSITIVE_RATE, 98, 0)}


@pytest.mark.parametrize("broken", ["members", "strangers"])
def test_a_filter_that_is_at_fault_makes_no_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def build(ids: list[str]) -> dict[str, np.ndarray]:
        arrays = build_fuse(ids)
        prints = arrays["prints"]
        # Three fingerprints make an id's, so a bit that is wrong in all of them is wrong in theirs.
        return {**arrays, "prints": prints ^ 1 if broken == "members" else prints}

    monkeypatch.setattr("compiler.rules.lists.build_fuse", build)
    if broken == "strangers":
        monkeypatch.setattr(list_trial, "MAX_TAKEN", -1)
    workspace = read_workspace(
        make_workspace(tmp_path / "w", {"site.yaml": SITE, "vip.csv": f"{7:032x}\n{8:032x}\n"})
    )
    with pytest.raises(BundleError, match="list 'vip' does not find"):
        compile_workspace(workspace, train_models(workspace), tmp_path / "b")
    assert not (tmp_path / "b").exists()
    assert MAX_TAKEN == 24
