"""OFREP: placements and experiments as flags, by the published schema and by a client from the registry."""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.rules.bucketing import bucket
from loadtest.bench_page import lay_down
from origin.lake.replay import replay
from tests.edge.worker.conftest import Answer, Worker
from tests.workspaces.make import EXPERIMENTS, SITE, make_bundle

PATH = "/ofrep/v1/evaluate/flags"
JAVASCRIPT = Path(__file__).parent / "openfeature_js"
FULL = {"consent.tier": "full", "geo": {"country": "DE"}}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("flags"), EXPERIMENTS)


@pytest.fixture
def worker(tmp_path: Path, bundle: Path) -> Worker:
    return Worker(tmp_path, Engine.load(open_bundle(bundle, SITE)))


def user(low: float, high: float) -> str:
    """A targeting key whose place in the experiment hero-words is there, and whom no holdout holds."""
    for number in range(10_000):
        key = f"user-{number}"
        held = any((bucket(seed, key, 2) or 0.0) < 0.1 for seed in ("quiet-2026", "never"))
        if not held and low <= (bucket("hero-words", key, 2) or 0.0) < high:
            return key
    raise AssertionError("nobody is there")


CONTROL, WARM = (0.0, 0.45), (0.5, 0.77)


def ask(worker: Worker, key: str = "", headers: Any = (), **context: Any) -> Answer:
    body = json.dumps({"context": {"targetingKey": "somebody", **context}}).encode()
    fields = {"content-length": str(len(body)), **dict(headers)}
    return worker.get(f"{PATH}/{key}" if key else PATH, fields, method="POST", body=[body])


def test_a_placement_is_a_flag_with_what_stands_in_it(worker: Worker) -> None:
    answer = ask(worker, "recommended", **{"consent.tier": "full", "history": ["alien", "dune"]})
    assert (answer.status, answer.value("cache-control")) == (200, "private, no-store")
    flag = answer.json
    assert (flag["key"], flag["reason"], flag["variant"]) == ("recommended", "TARGETING_MATCH", "taste")
    assert len(flag["value"]["items"]) == 4
    assert not {"alien", "dune"} & set(flag["value"]["items"])
    assert flag["value"]["html"].count("data-item=") == 4
    (record,) = worker.decisions()
    assert flag["metadata"]["decision"] == record.id
    assert not record.teaches


@pytest.mark.parametrize(("part", "variation"), [(CONTROL, "control"), (WARM, "warm")])
def test_an_experiment_is_a_flag_with_its_variation(
    worker: Worker, part: tuple[float, float], variation: str
) -> None:
    flag = ask(worker, "hero-words", **FULL, targetingKey=user(*part)).json
    assert (flag["value"], flag["variant"], flag["reason"]) == (variation, variation, "SPLIT")


def test_who_takes_no_part_has_the_codes_default(worker: Worker) -> None:
    contextual = ask(worker, "hero-words", targetingKey=user(*WARM)).json
    assert contextual["reason"] == "UNKNOWN"
    assert "value" not in contextual
    (record,) = worker.decisions()
    assert record.context.unit == ""  # below full consent, nothing of the key is used


def test_no_consent_is_no_decision(worker: Worker) -> None:
    flags = ask(worker, **{"consent.tier": "none"}).json["flags"]
    assert flags
    assert all(flag["reason"] == "UNKNOWN" and "value" not in flag for flag in flags)
    assert not worker.records()


def test_all_flags_at_once(worker: Worker) -> None:
    answer = ask(worker, **FULL, targetingKey=user(*WARM))
    flags = {flag["key"]: flag for flag in answer.json["flags"]}
    schema = worker.holder.active.engine.schema
    assert set(schema.placements) < set(flags)
    assert flags["hero-words"]["value"] == "warm"
    assert flags["hero"]["value"]["content"] == "warm"
    assert len(worker.decisions()) == 1


def test_a_tag_stands_for_the_answer_to_this_context(worker: Worker) -> None:
    warm, control = user(*WARM), user(*CONTROL)
    first = ask(worker, **FULL, targetingKey=warm)
    tag = first.value("etag")
    for stated in (tag, tag.strip('"'), f'"other", W/{tag}'):
        again = ask(worker, "", {"if-none-match": stated}, **FULL, targetingKey=warm)
        assert (again.status, again.body, again.value("etag")) == (304, b"", tag)
    other = ask(worker, "", {"if-none-match": tag}, **FULL, targetingKey=control)
    assert other.status == 200
    assert other.value("etag") != tag
    worker.holder.active = type(worker.holder.active)(worker.holder.active.engine, 8, ("words",))
    killed = ask(worker, "", {"if-none-match": tag}, **FULL, targetingKey=warm)
    assert killed.status == 200
    assert killed.json["flags"] != first.json["flags"]


def test_decisions_are_replayed_alike(worker: Worker) -> None:
    for number in range(20):
        ask(worker, **FULL, targetingKey=f"user-{number}")
    engine = worker.holder.active.engine
    again = replay({engine.id: engine}, worker.decisions())
    assert (again.decided, again.different) == (20, 0)


def _body(document: Any) -> bytes:
    return document if isinstance(document, bytes) else json.dumps(document).encode()


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        (b"{", 400, "PARSE_ERROR"),
        (b"\xff", 400, "PARSE_ERROR"),
        (b"[]", 400, "PARSE_ERROR"),
        ({}, 400, "PARSE_ERROR"),
        ({"context": []}, 400, "PARSE_ERROR"),
        ({"context": {}}, 400, "TARGETING_KEY_MISSING"),
        ({"context": {"targetingKey": ""}}, 400, "TARGETING_KEY_MISSING"),
        ({"context": {"targetingKey": 7}}, 400, "TARGETING_KEY_MISSING"),
        ({"context": {"targetingKey": "u" * 513}}, 400, "TARGETING_KEY_MISSING"),
        ({"context": {"targetingKey": "u", "geo.country": 7}}, 400, "INVALID_CONTEXT"),
        ({"context": {"targetingKey": "u", "geo": {"country": ["DE"]}}}, 400, "INVALID_CONTEXT"),
        ({"context": {"targetingKey": "u", "visitor.visits": 10**30}}, 400, "INVALID_CONTEXT"),
        ({"context": {"targetingKey": "u", "consent.tier": "most"}}, 400, "INVALID_CONTEXT"),
        ({"context": {"targetingKey": "u", "consent.tier": 1}}, 400, "INVALID_CONTEXT"),
        ({"context": {"targetingKey": "u", "history": "alien"}}, 400, "INVALID_CONTEXT"),
        ({"context": {"targetingKey": "u", "history": [{}]}}, 400, "INVALID_CONTEXT"),
        ({"context": {"targetingKey": "u", "geo.country": "x" * 70_000}}, 413, "GENERAL"),
    ],
)
@pytest.mark.parametrize("key", ["", "hero"])
def test_a_request_that_can_not_be_is_told_so(
    worker: Worker, document: Any, status: int, code: str, key: str
) -> None:
    body = _body(document)
    path = f"{PATH}/{key}" if key else PATH
    answer = worker.get(path, {"content-length": str(len(body))}, method="POST", body=[body])
    assert (answer.status, answer.json["errorCode"]) == (status, code)
    assert answer.json.get("key", "") == key
    assert answer.json["errorDetails"]
    assert not worker.records()


@pytest.mark.parametrize("key", ["nothing", "hero/words", "%2e%2e", "hero%00"])
def test_an_unknown_flag(worker: Worker, key: str) -> None:
    answer = ask(worker, key)
    assert (answer.status, answer.json["errorCode"]) == (404, "FLAG_NOT_FOUND")


def test_other_attributes_of_an_application_are_left_out(worker: Worker) -> None:
    ask(worker, "hero", email="a@b.example", plan={"name": "free", "seats": 3}, admin=True, nothing=None)
    (record,) = worker.decisions()
    assert not {"email", "plan.name", "admin", "nothing"} & set(record.context.attributes)


def test_without_a_bundle_there_are_no_flags(empty_worker: Worker) -> None:
    assert ask(empty_worker).json["flags"] == []
    assert ask(empty_worker, "hero").status == 404


def _anything_of(document: Any) -> Any:
    """The schema with `oneOf` as `anyOf`: its kinds of values overlap, an integer being a number, too."""
    if isinstance(document, dict):
        return {"anyOf" if name == "oneOf" else name: _anything_of(part) for name, part in document.items()}
    return [_anything_of(part) for part in document] if isinstance(document, list) else document


def test_answers_are_what_the_published_schema_says(worker: Worker, suites_dir: Path) -> None:
    document = _anything_of(yaml.safe_load((suites_dir / "ofrep/service/openapi.yaml").read_text()))

    def check(name: str, answer: Answer) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json)

    for context in ({}, FULL, {**FULL, "targetingKey": user(*WARM)}, {"consent.tier": "none"}):
        check("bulkEvaluationSuccess", ask(worker, **context))
        for key in ("hero", "recommended", "hero-words"):
            check("serverEvaluationSuccess", ask(worker, key, **context))
    check("flagNotFound", ask(worker, "nothing"))
    check("evaluationFailure", ask(worker, "hero", targetingKey=""))
    check("bulkEvaluationFailure", ask(worker, targetingKey=""))


@contextlib.contextmanager
def _serving(folder: Path, bundle: Path) -> Iterator[str]:
    state, keys = lay_down(folder, bundle)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "edge.worker", "--origin", "http://127.0.0.1:1", "--upstream", url]
        command += ["--keys", str(keys), "--state-dir", str(state), "--fd", str(listener.fileno())]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)
    try:
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[str]:
    """A worker in a process of its own, listening."""
    folder = tmp_path_factory.mktemp("served")
    with _serving(folder, bundle) as url:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.post(url + PATH, content=b"", timeout=30)
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield url
    assert any((folder / "state/spool").iterdir())


def test_a_client_from_the_registry(url: str) -> None:
    api.set_provider(OFREPProvider(url))
    client = api.get_client()
    for part, variation in ((CONTROL, "control"), (WARM, "warm")):
        context = EvaluationContext(user(*part), FULL)
        details = client.get_string_details("hero-words", "mine", context)
        assert (details.value, details.variant) == (variation, variation)
    shown = client.get_object_value("hero", {}, EvaluationContext(user(*WARM), FULL))
    assert isinstance(shown, dict)
    assert shown["content"] == "warm"
    assert client.get_string_value("nothing", "mine", EvaluationContext("somebody")) == "mine"
    api.shutdown()


def test_clients_for_javascript(url: str) -> None:
    """One of servers, and one of browsers that asks for all flags again and again by their ETag."""
    node = shutil.which("node")
    if node is None or not (JAVASCRIPT / "node_modules/@openfeature").is_dir():
        pytest.skip(f"run `npm install --ignore-scripts` in {JAVASCRIPT}")
    command = [node, "client.cjs", url, user(*WARM), json.dumps(FULL)]
    told = subprocess.run(command, cwd=JAVASCRIPT, capture_output=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr.decode()
    found = json.loads(told.stdout)
    expected = {"value": "warm", "variant": "warm"}
    assert found["server"] == {**expected, "content": "warm", "missing": "mine"}
    assert found["browser"] == {**expected, "changes": 0}


def test_a_default_is_a_flag_that_is_always_there(tmp_path: Path) -> None:
    site = EXPERIMENTS["site.yaml"].replace("trending]", "{name: trending, default: app}]")
    folder = make_bundle(tmp_path / "made", {**EXPERIMENTS, "site.yaml": site})
    worker = Worker(tmp_path, Engine.load(open_bundle(folder, SITE)))
    worker.holder.active = replace(worker.holder.active, killed=("popular",))
    flag = ask(worker, "trending").json
    assert (flag["reason"], flag["variant"], flag["value"]["campaign"]) == ("STATIC", "app", "$default")
