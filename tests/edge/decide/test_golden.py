"""Golden decisions refuse a bundle that answers differently."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.bundle import format as fmt
from edge.bundle.arrays import pack, unpack
from edge.bundle.reader import Bundle, artifact_path, open_bundle
from edge.bundle.strings import pack_strings
from edge.decide.golden import check
from edge.errors import BundleError
from tests.workspaces.contextual import make_contextual
from tests.workspaces.make import SITE, make_bundle


def _replace(bundle: Bundle, role: str, name: str, body: bytes) -> Bundle:
    """The bundle again, with one artifact exchanged, as its own signer could."""
    manifest = bundle.manifests[role]
    artifact = fmt.Artifact(
        name, next(a.kind for a in manifest.artifacts if a.name == name), fmt.digest(body), len(body)
    )
    artifacts = tuple(artifact if a.name == name else a for a in manifest.artifacts)
    (artifact_path(bundle.folder, artifact.sha256)).write_bytes(body)
    new = msgspec.structs.replace(manifest, artifacts=artifacts)
    (bundle.folder / f"{role}.manifest").write_bytes(fmt.encode(new))
    return open_bundle(bundle.folder, SITE)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_bundle(make_bundle(tmp_path), SITE)


def _refused(bundle: Bundle) -> str:
    with pytest.raises(BundleError) as caught:
        check(bundle)
    assert caught.value.code == "golden"
    return str(caught.value)


def test_another_winner_is_caught(bundle: Bundle) -> None:
    golden = fmt.decode(bundle.read(bundle.one("rules", "golden")), list[fmt.RulesGolden])
    golden[0] = fmt.RulesGolden(golden[0].attributes, ("app", *golden[0].winners[1:]))
    message = _refused(_replace(bundle, "rules", "golden", msgspec.msgpack.encode(golden)))
    assert "'hero'" in message
    assert "'app'" in message


def test_another_index_is_caught(bundle: Bundle) -> None:
    arrays = dict(unpack(bundle.read(bundle.one("rules", "index"))))
    arrays["default"] = np.zeros_like(arrays["default"])
    arrays["absent"] = np.zeros_like(arrays["absent"])
    _refused(_replace(bundle, "rules", "index", pack(arrays)))


def test_other_scores_are_caught(bundle: Bundle) -> None:
    arrays = dict(unpack(bundle.read(bundle.artifacts("models", "arrays")["arrays/popular"])))
    arrays["score"] = -arrays["score"]
    assert "'popular' lists" in _refused(_replace(bundle, "models", "arrays/popular", pack(arrays)))


def test_scores_that_drift_are_caught_while_the_order_is_the_same(bundle: Bundle) -> None:
    arrays = dict(unpack(bundle.read(bundle.artifacts("models", "arrays")["arrays/popular"])))
    arrays["score"] = arrays["score"] * np.float32(1.001)
    assert "'popular' gives" in _refused(_replace(bundle, "models", "arrays/popular", pack(arrays)))


def test_a_score_that_is_no_number_is_caught(bundle: Bundle) -> None:
    golden = fmt.decode(bundle.read(bundle.one("models", "golden")), list[fmt.ModelsGolden])
    scores = {name: (float("nan"), *values[1:]) for name, values in golden[0].scores.items()}
    golden[0] = fmt.ModelsGolden(golden[0].history, golden[0].items, scores)
    _refused(_replace(bundle, "models", "golden", msgspec.msgpack.encode(golden)))


def test_lists_without_scores_are_those_of_older_bundles(bundle: Bundle) -> None:
    golden = fmt.decode(bundle.read(bundle.one("models", "golden")), list[fmt.ModelsGolden])
    assert all(set(case.scores) == set(case.items) for case in golden)
    older = [fmt.ModelsGolden(case.history, case.items) for case in golden]
    assert b"scores" not in msgspec.msgpack.encode(older)
    check(_replace(bundle, "models", "golden", msgspec.msgpack.encode(older)))


def test_golden_lists_of_unknown_items_are_caught(bundle: Bundle) -> None:
    golden = fmt.decode(bundle.read(bundle.one("models", "golden")), list[fmt.ModelsGolden])
    golden[1] = fmt.ModelsGolden(("nosferatu",), golden[1].items)
    assert "catalog lacks" in _refused(_replace(bundle, "models", "golden", msgspec.msgpack.encode(golden)))


def test_lists_of_other_recommenders_are_caught(bundle: Bundle) -> None:
    golden = fmt.decode(bundle.read(bundle.one("models", "golden")), list[fmt.ModelsGolden])
    golden[0] = fmt.ModelsGolden((), {"taste": golden[0].items["taste"]})
    _refused(_replace(bundle, "models", "golden", msgspec.msgpack.encode(golden)))


def test_too_many_golden_decisions_are_caught(bundle: Bundle) -> None:
    golden = [fmt.RulesGolden({}, ("", "", ""))] * 5000
    assert "more than" in _refused(_replace(bundle, "rules", "golden", msgspec.msgpack.encode(golden)))


def test_winners_of_other_placements_are_caught(bundle: Bundle) -> None:
    golden = [fmt.RulesGolden({}, ("",))]
    assert "1 winners for 3" in _refused(_replace(bundle, "rules", "golden", msgspec.msgpack.encode(golden)))


def test_what_a_worker_could_not_load_is_refused(bundle: Bundle) -> None:
    body = pack(pack_strings("bodies", [b"<b>one</b>"]))
    with pytest.raises(BundleError) as caught:
        check(_replace(bundle, "catalog", "cards/film", body))
    assert caught.value.code == "interface"


def test_a_whole_bundle_passes_and_is_counted(bundle: Bundle) -> None:
    contexts, histories = check(bundle)
    assert contexts >= 5
    assert histories == 32


@pytest.mark.parametrize("row", [(), (1.0,), (2.0, 11.0)])
def test_golden_contexts_are_checked(tmp_path: Path, row: tuple[float, ...]) -> None:
    bundle = make_contextual(tmp_path)
    assert check(bundle)[1] > 32
    golden = fmt.decode(bundle.read(bundle.one("models", "golden")), list[fmt.ModelsGolden])
    golden[3] = msgspec.structs.replace(golden[3], row=row)
    _refused(_replace(bundle, "models", "golden", msgspec.msgpack.encode(golden)))
