"""Holes of contents on the page path: filled, escaped, recorded, and replayed alike."""

from pathlib import Path

import numpy as np
import pytest

from edge.bundle.arrays import Array, pack, unpack
from edge.bundle.reader import Bundle, open_bundle
from edge.bundle.strings import Strings, pack_strings
from edge.decide.engine import Engine
from edge.decide.holes import Holes
from edge.errors import BundleError
from tests.edge.worker.conftest import Worker
from tests.workspaces.make import FILES, SITE, make_bundle

CHANGES = {
    "content/app.html": '<p>In {{ geo.city | default: "your city" | upper }}: '
    '<a href="/app?from={{ utm.source | default: "page" }}">the app</a></p>\n',
    "content/summer.txt": 'Good {{ language | default: "day" }}',
    "site.yaml": FILES["site.yaml"] + "front: cloudflare\n",
}
APP = "sec-ch-ua-mobile"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("holes"), CHANGES)


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return open_bundle(folder, SITE)


@pytest.fixture
def worker(tmp_path: Path, bundle: Bundle) -> Worker:
    return Worker(tmp_path, Engine.load(bundle))


def test_a_page_shows_the_visitors_city_and_the_record_holds_it(worker: Worker) -> None:
    headers = {APP: "?1", "cf-ipcity": "Graz<br>"}
    answer = worker.get("/?utm_source=a%26b", headers)
    assert b'In GRAZ&lt;BR&gt;: <a href="/app?from=a%26b">' in answer.body
    (record,) = worker.decisions()
    attributes = record.context.attributes
    assert (attributes["geo.city"], attributes["utm.source"]) == ("Graz<br>", "a&b")
    slot = next(slot for slot in record.slots if slot.content == "app")
    assert worker.holder.active.engine.render(slot, attributes) in answer.body  # type: ignore[union-attr]


def test_without_values_the_defaults_stand(worker: Worker) -> None:
    answer = worker.get("/", {APP: "?1"})
    assert b'In your city: <a href="/app?from=page">' in answer.body


def test_visitors_of_one_turn_see_their_own_values(worker: Worker) -> None:
    cities = [f"city-{n}" for n in range(5)]
    answers = worker.together(*(("/", {APP: "?1", "cf-ipcity": city}) for city in cities))
    assert [city.upper().encode() in answer.body for city, answer in zip(cities, answers, strict=True)] == [
        True
    ] * 5


def test_an_app_states_the_values_itself(worker: Worker) -> None:
    asked = {"placements": ["hero"], "attributes": {"device.type": "mobile", "geo.city": "Wien & Co"}}
    (slot,) = worker.post("/_nearside/decide", asked).json["slots"]
    assert slot["html"].startswith("<p>In WIEN &amp; CO: ")


def test_the_edge_reads_what_holes_show_and_no_more(bundle: Bundle) -> None:
    engine = Engine.load(bundle)
    assert {"geo.city", "utm.source", "language"} <= set(engine.reads)
    assert "geo.region" not in engine.reads


def test_a_bundle_without_holes_has_no_artifact_of_them(bundle_folder: Path) -> None:
    assert open_bundle(bundle_folder, SITE).artifacts("rules", "holes") == {}


BAD = {
    "content": [7],
    "first": [0, 1],
    "start": [9],
    "end": [0],
    "attribute": [3],
    "context": [3],
    "case": [4],
}


def _arrays() -> dict[str, Array]:
    columns = {"content": [0], "first": [0, 1], "start": [1], "end": [2], "attribute": [0], "longest": [0]}
    arrays: dict[str, Array] = {name: np.array(column, "<u4") for name, column in columns.items()}
    arrays |= {"context": np.zeros(1, np.uint8), "case": np.zeros(1, np.uint8)}
    return unpack(pack(arrays | pack_strings("names", [b"a.b"])))


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_hole_is_refused(name: str) -> None:
    contents = Strings(pack_strings("bodies", [b"abc"]), "bodies")
    arrays = _arrays()
    assert len(Holes(arrays, contents).of[0]) == 1
    changed = [0, 2] if name == "first" else BAD[name]
    for value in (np.array(changed, arrays[name].dtype), np.zeros((1, 1), np.uint8), None):
        bad = {key: array for key, array in arrays.items() if key != name}
        if value is not None:
            bad[name] = value
        with pytest.raises(BundleError) as caught:
            Holes(bad, contents)
        assert caught.value.code == "holes"
