"""Keys and facts that an operator replaces are taken while pages are served; what is wrong leaves the old."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.keys import EdgeKeys, Key, PublicKey
from edge.settings import Settings
from edge.visitor.fact_file import build, write
from edge.visitor.facts import Facts
from edge.worker.active import Active
from edge.worker.attributes.shelf import Shelf
from edge.worker.counters import Counters
from edge.worker.renewal import Renewal, raw
from tests.edge.worker.conftest import Worker
from tests.workspaces.make import FILES, SITE, make_bundle

TOLD: Mapping[str, str] = {
    "site.yaml": FILES["site.yaml"].replace(
        "attributes:\n",
        "attributes:\n  visitor.segment: {type: string, source: fact:segment}\n"
        "  visitor.ltv: {type: number, source: fact:ltv}\n  visitor.vip: {type: boolean, source: fact:vip}\n",
    ),
    "rules/facts.yaml": """\
campaigns:
  - id: loyal
    audience: {visitor.segment: loyal, visitor.ltv: {$gte: 100}, visitor.vip: true}
    placement: hero
    priority: 90
    show: {content: app}
""",
}
ANN = b"v" * 16
LOYAL: Facts = {"segment": "loyal", "ltv": "120.5", "vip": "1"}


def _key(number: int, letter: bytes) -> Key:
    return Key(number, base64.b64encode(letter * 32).decode())


def _keys(*event: Key, site: str = SITE) -> EdgeKeys:
    trust = {role: (PublicKey("1", base64.b64encode(bytes(32)).decode()),) for role in
             ("rules", "models", "catalog", "online")}  # fmt: skip
    return EdgeKeys(site, event, event, "t", trust)


class Dict:
    """A store that counts what it is asked."""

    def __init__(self, told: Mapping[bytes, Facts]) -> None:
        self.told, self.asked = told, 0

    def get(self, visitor: bytes) -> Facts:
        self.asked += 1
        return self.told.get(visitor, {})


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.load(open_bundle(make_bundle(tmp_path_factory.mktemp("told"), TOLD), SITE))


@pytest.fixture
def worker(tmp_path: Path, telling: Engine) -> Iterator[Worker]:
    worker = Worker(tmp_path, telling)
    yield worker
    worker.spool.close()


def _with(worker: Worker, shelf: Shelf) -> None:
    worker.holder.active = replace(worker.holder.active, shelf=shelf)


def _visit(worker: Worker, consent: str = "full") -> bool:
    page = worker.get("/", {"cookie": f"consent={consent}; {worker.cookie('alien', visitor=ANN)}"})
    return b'href="/app"' in page.body


def test_rules_go_by_what_is_told_of_a_visitor(worker: Worker) -> None:
    store = Dict({ANN: LOYAL})
    assert not _visit(worker)
    _with(worker, Shelf(store))
    assert _visit(worker)
    assert store.asked == 1  # for three attributes
    record = worker.decisions()[-1]
    assert record.context.attributes["visitor.ltv"] == 120.5
    assert record.context.attributes["visitor.vip"] is True
    engine = worker.holder.active.engine
    assert isinstance(engine, Engine)
    assert engine.decide(record.context).slots == record.slots


@pytest.mark.parametrize("consent", ["session", "contextual", "none"])
def test_below_full_nobody_is_looked_up(worker: Worker, consent: str) -> None:
    store = Dict({ANN: LOYAL})
    _with(worker, Shelf(store))
    assert not _visit(worker, consent)
    worker.get("/", {"cookie": "consent=full"})  # a new visitor can't be known
    assert store.asked == 0


@pytest.mark.parametrize(
    "told", [{}, {"segment": "loyal"}, {**LOYAL, "ltv": "much"}, {**LOYAL, "vip": "maybe"}]
)
def test_a_fact_of_another_type_is_missing(worker: Worker, told: Facts) -> None:
    _with(worker, Shelf(Dict({ANN: told})))
    assert not _visit(worker)


def test_a_bundle_that_reads_no_facts_never_asks(tmp_path: Path, engine: Engine) -> None:
    worker, store = Worker(tmp_path, engine), Dict({ANN: LOYAL})
    _with(worker, Shelf(store))
    _visit(worker)
    assert store.asked == 0
    worker.spool.close()


class Reader:
    """A renewal over files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.keys, self.facts = folder / "edge.json", folder / "facts"
        self.put_keys(_keys(_key(1, b"t")))
        self.taken: list[EdgeKeys] = []
        self.shelf, self.counters = Shelf(), Counters()
        settings = Settings(keys=str(self.keys), facts=str(self.facts))
        self.renewal = Renewal(settings, _keys(_key(1, b"t")), self.shelf, self.taken.append, self.counters)

    def put_keys(self, keys: EdgeKeys) -> None:
        write(self.keys, msgspec.json.encode(keys))

    def put_facts(self, number: int, letter: bytes, facts: Facts) -> None:
        write(self.facts, build(SITE, (number, letter * 32), [(ANN, facts)]))

    def counted(self) -> dict[str, float]:
        return {name.partition("{")[2]: count for name, count in self.counters.snapshot().items()}


@pytest.fixture
def files(tmp_path: Path) -> Reader:
    folder = tmp_path / "files"
    folder.mkdir()
    return Reader(folder)


def test_new_facts_replace_the_old_ones(files: Reader) -> None:
    for segment in ("new", "loyal"):
        files.put_facts(1, b"t", {"segment": segment})
        files.renewal.renew()
        assert files.shelf.store.get(ANN) == {"segment": segment}
    before = files.shelf.store
    files.renewal.renew()
    assert files.shelf.store is before  # nothing is new, nothing is read


def test_facts_that_can_not_be_read_leave_the_old_ones(files: Reader) -> None:
    files.put_facts(1, b"t", LOYAL)
    files.renewal.renew()
    write(files.facts, b"nonsense")
    files.renewal.renew()
    files.facts.unlink()
    files.renewal.renew()
    assert files.shelf.store.get(ANN) == LOYAL
    assert files.counted() == {'what="facts",outcome="taken"}': 1, 'what="facts",outcome="refused"}': 2}


def test_new_keys_are_given_to_all(files: Reader) -> None:
    files.renewal.renew()
    assert not files.taken
    files.put_keys(_keys(_key(2, b"n"), _key(1, b"t")))
    files.put_facts(2, b"n", LOYAL)
    files.renewal.renew()
    assert [raw(keys.event)[0] for keys in files.taken] == [(2, b"n" * 32)]
    assert files.shelf.store.get(ANN) == LOYAL


@pytest.mark.parametrize("wrong", [b"{", msgspec.json.encode(_keys(_key(1, b"t"), site="shop"))])
def test_keys_that_can_not_be_used_leave_the_old_ones(files: Reader, wrong: bytes) -> None:
    write(files.keys, wrong)
    files.renewal.renew()
    assert not files.taken
    assert files.counted()['what="keys",outcome="refused"}'] == 1
    files.put_keys(_keys(_key(2, b"n")))
    files.renewal.renew()
    assert len(files.taken) == 1


def test_a_rotated_key_seals_and_the_old_one_still_opens(worker: Worker) -> None:
    old = worker.cookie("alien", visitor=ANN)
    worker.desk.cookies.renew([(2, b"n" * 32), (1, b"c" * 32)])
    answer = worker.get("/", {"cookie": f"consent=full; {old}"})
    assert worker.state(answer).visitor == ANN
    worker.desk.cookies.renew([(2, b"n" * 32)])
    again = worker.get("/", {"cookie": f"consent=full; {answer.values('set-cookie')[0].partition(';')[0]}"})
    assert worker.state(again).visitor == ANN
    assert worker.state(worker.get("/", {"cookie": f"consent=full; {old}"})).visitor != ANN


def test_the_same_visitor_at_another_pop_is_the_same_visitor(tmp_path: Path, telling: Engine) -> None:
    here, there = Worker(tmp_path / "here", telling), Worker(tmp_path / "there", telling)
    jar: dict[str, str] = {"consent": "full"}
    for worker, path in ((here, "/film/alien"), (there, "/film/dune"), (here, "/film/heat"), (there, "/")):
        answer = worker.get(path, {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())})
        for line in answer.values("set-cookie"):
            name, _, rest = line.partition("=")
            jar[name] = rest.partition(";")[0]
    assert len({record.visitor for worker in (here, there) for record in worker.decisions()}) == 1
    last = there.decisions()[-1]
    assert last.context.history == ("heat", "dune", "alien")
    assert telling.decide(last.context).slots == last.slots
    for worker in (here, there):
        worker.spool.close()


def test_active_without_a_shelf_knows_nobody(telling: Engine) -> None:
    assert Active(telling).shelf.store.get(ANN) == {}
