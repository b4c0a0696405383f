"""What an edge refuses of caps and of behaviours that pages feed."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge.bundle import format as fmt
from edge.bundle.format import Artifact, Manifest
from edge.bundle.reader import Bundle
from edge.decide.behaviours import NONE, Behaviour, Behaviours
from edge.decide.caps import MAX_CAPS, MAX_KINDS, Cap, Caps, Reports, load_reports
from edge.errors import BundleError

CAP = Cap("cap.a.7d", "a", 7, "impression", "count", 604_800, 3)


def loaded(folder: Path, reports: Reports) -> Reports | None:
    body = fmt.encode(reports)
    artifact = Artifact("events", "events", fmt.digest(body), len(body))
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / artifact.sha256).write_bytes(body)
    manifests = {"rules": Manifest(1, "rules", "films", {}, {}, (artifact,))}
    return load_reports(Bundle(folder, manifests, "0"))


def test_what_was_compiled_is_loaded(tmp_path: Path) -> None:
    reports = Reports(("signup",), (CAP, replace(CAP, tag=8, campaign="b", name="cap.b.7d")), everywhere=True)
    found = loaded(tmp_path, reports)
    assert found == reports
    assert {name: len(caps) for name, caps in Caps(found.caps).of.items()} == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    "reports",
    [
        Reports(tuple(f"k{n}" for n in range(MAX_KINDS + 1))),
        Reports((), tuple(replace(CAP, tag=n) for n in range(MAX_CAPS + 1))),
        Reports((), (CAP, replace(CAP, campaign="b"))),
        Reports((), (replace(CAP, event="view"),)),
        Reports((), (replace(CAP, measure="sum"),)),
        Reports((), (replace(CAP, tag=1 << 32),)),
        Reports((), (replace(CAP, window_s=0),)),
        Reports((), (replace(CAP, window_s=401 * 86_400),)),
    ],
)
def test_caps_that_no_edge_counts_are_refused(tmp_path: Path, reports: Reports) -> None:
    with pytest.raises(BundleError) as caught:
        loaded(tmp_path, reports)
    assert caught.value.code == "caps"


@pytest.mark.parametrize(
    "changes",
    [
        {"event": "No Kind"},
        {"last": 1001},
        {"last": 50, "measure": "count"},
        {"basis": "impression", "measure": "sum"},
        {"window_s": 0},
        {"measure": "sum"},  # of no column, and not of the event's value
    ],
)
def test_behaviours_that_no_edge_counts_are_refused(changes: dict[str, Any]) -> None:
    one = replace(Behaviour("x", 7, "click", "rate", 60), **changes)
    with pytest.raises(BundleError) as caught:
        Behaviours((one,), {}, 0)
    assert caught.value.code == "behaviours"


def test_most_bundles_hear_nothing() -> None:
    assert not NONE.hears
    assert NONE.fed_by_event("click", -1, "", 0) == ()
