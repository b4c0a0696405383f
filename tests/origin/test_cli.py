"""The command line: the way of a workspace to a page, and what goes wrong in one line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from edge.decide.types import Context, DecisionRecord, Event
from edge.events import spool
from edge.keys import load_credential, load_keys
from edge.worker.beside.routes import _slots
from origin import cli
from origin.explain.inspection import slot_document
from origin.lake.replay import load_engine
from tests.origin.world import Keys
from tests.workspaces.make import EXPERIMENTS, make_bundle, make_workspace

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `nearside` in this process: exit code, output, errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nearside", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        printed = capsys.readouterr()
        return int(exit_.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "workspace")


def test_from_a_workspace_to_a_rollout_and_back(
    run: Run, workspace: Path, served: str, keys: Keys, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    origin = ("--origin", served, "--keys", keys.folder / "publisher.json", "--author", "ann")
    assert run("validate", workspace)[:2] == (0, f"{workspace} is fine: 5 campaigns, 8 items\n")
    code, out, _ = run("train", workspace)
    assert code == 0
    assert "ndcg@10" in out
    assert "taste" in out
    assert run("compile", workspace, "-o", bundle)[0] == 0
    code, out, _ = run("inspect", bundle)
    assert code == 0
    assert "hero: alpine-summer, mobile-hero, welcome" in out
    assert json.loads(run("inspect", bundle, "--json")[1])["items"] == 8
    first = run("publish", workspace, *origin, "--reason", "first")[1]
    assert first.startswith("this is the first bundle that is rolled out\nrevision 1 (rollout 1;")
    second = run("publish", bundle, *origin, "--no-activate")[1]
    assert second.startswith("it says the same as the bundle in force\nrevision 2 (not rolled out; 0 bytes")
    assert run("rollout", "to", 2, *origin)[1] == "rollout 2: all PoPs serve revision 2 (was 1)\n"
    assert run("rollout", "kill", "welcome", *origin)[1] == "rollout 3: welcome killed\n"
    code, out, _ = run("rollout", "show", *origin[:4])
    assert "rollout 3: *: revision 2; killed: welcome" in out
    assert "ann" in out
    assert run("rollout", "kill", "welcome", "--undo", *origin)[1] == "rollout 4: welcome on again\n"


def test_history_diff_and_the_way_back(
    *, run: Run, bundle: Path, other_bundle: Path, served: str, keys: Keys, tmp_path: Path
) -> None:
    client = ("--origin", served, "--keys", keys.folder / "publisher.json")
    origin = (*client, "--author", "ann", "--reason", "spring")
    assert "no revision yet" in run("revisions", *client)[1]
    assert run("rollout", "history", *client)[1] == "nothing was rolled out yet\n"
    run("publish", bundle, *origin)
    out = run("publish", other_bundle, *origin)[1]
    assert "against the bundle in force:\ncampaigns:\n  campaign mobile-hero in hero: content app" in out
    assert (
        run("rollout", "to", 1, "--pop", "lab", *origin)[1]
        == "rollout 3: PoP lab serves revision 1 (was 2)\n"
    )
    rows = run("revisions", *client)[1].splitlines()
    assert [row.split()[:3] for row in rows[1:]] == [["2", "all", "others"], ["1", "lab", rows[2].split()[2]]]
    shown = run("revisions", 1, *client)[1]
    assert f"signed by {keys.publisher.sign['rules'].id}" in shown
    assert json.loads(run("revisions", *client, "--json")[1])[0]["pops"] == ["*"]

    named = run("diff", 1, 2, *client)
    assert named == run("diff", bundle, other_bundle)
    assert named[0] == 0
    assert "campaign mobile-hero in hero: content app → content welcome" in named[1]
    assert "0 of" in named[1]
    assert run("diff", 1, other_bundle, *client)[1] == named[1]
    assert json.loads(run("diff", bundle, other_bundle, "--json")[1])["changes"]["campaigns"]
    assert "name the origin" in run("diff", 1, 2)[2]
    assert "no-revision" in run("diff", 1, 9, *client)[2]

    assert run("rollout", "unpin", "lab", *origin)[1] == "rollout 4: PoP lab serves revision 2 (was 1)\n"
    assert run("rollout", "back", *origin)[1] == "rollout 5: all PoPs serve revision 1 (was 2)\n"
    assert "never served an older" in run("rollout", "back", *origin)[2]
    run("rollout", "kill", "welcome", *origin)
    rows = [" ".join(row.split()) for row in run("rollout", "history", *client)[1].splitlines()[1:]]
    wanted = ("killed welcome", "all others: 2 → 1", "lab named no more", "lab → 1", "all others: 1 → 2")
    assert [what in row for what, row in zip(wanted, rows, strict=False)] == [True] * 5
    assert all(row.endswith("ann spring") for row in rows)


def test_a_log_says_for_how_many_requests_the_page_changes(
    run: Run, bundle: Path, other_bundle: Path, tmp_path: Path
) -> None:
    engine = load_engine(bundle)
    log = tmp_path / "1.seg"
    for number, device in enumerate(["mobile", "desktop", "mobile", "tablet"]):
        context = Context(1_800_000_000_000, 1, "full", {"device.type": device}, (), ("hero",))
        slots = engine.decide(context).slots
        record = DecisionRecord(f"{number:032x}", "films", "lab", engine.id, 1, "", (), "v", context, slots)
        with log.open("ab") as file:
            file.write(spool.frame(record))
    assert "2 of 4 pages change (50.0%)" in run("diff", bundle, other_bundle, "--log", log)[1]
    document = json.loads(run("diff", bundle, other_bundle, "--log", log, "--json")[1])
    assert (document["log"]["requests"], document["log"]["changed"]) == (4, 2)


def test_pops_come_and_go(run: Run, served: str, keys: Keys, tmp_path: Path) -> None:
    client = ("--origin", served, "--keys", keys.folder / "publisher.json")
    file = tmp_path / "lab.json"
    assert "no PoP was heard yet" in run("pops", "list", *client)[1]
    code, out, _ = run("pops", "add", "lab", "-o", file, *client)
    assert (code, f"--credential {file}" in out) == (0, True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(load_credential(file, "films", "lab")) > 30
    assert "never overwritten" in run("pops", "add", "lab", "-o", file, *client)[2]
    assert "pop-exists" in run("pops", "add", "lab", "-o", tmp_path / "two.json", *client)[2]
    assert run("pops", "add", "lab", "-o", tmp_path / "two.json", "--replace", *client)[0] == 0
    assert [entry["credential"] for entry in json.loads(run("pops", "list", *client, "--json")[1])] == ["own"]
    assert run("pops", "revoke", "lab", *client)[1].startswith("the origin takes nothing from PoP lab")
    row = run("pops", "list", *client)[1].splitlines()[1].split()
    assert row == ["lab", "revoked", "no", "never", "never", "none"]
    assert "no-pop" in run("pops", "revoke", "lab", *client)[2]


def test_keys_rotate_says_what_to_do_next(run: Run, keys: Keys, tmp_path: Path) -> None:
    file = keys.folder / "edge.json"
    out = run("keys", "rotate", file)[1]
    assert "cookie key 2 seals; older ones that still open: 1" in out
    assert f"nearside keys rotate {file} --drop-old" in out
    assert "end that rotation first" in run("keys", "rotate", file)[2]
    assert (
        "event key 2 seals; older ones that still open: none" in run("keys", "rotate", file, "--drop-old")[1]
    )
    assert run("keys", "rotate", file, "--kind", "ingest")[0] == 2
    assert run("keys", "new", tmp_path / "own", "--site", "films", "--per-pop")[0] == 0
    assert load_keys(tmp_path / "own/edge.json").ingest_token == ""


def test_decide_shows_the_slots(run: Run, bundle: Path, tmp_path: Path) -> None:
    context = tmp_path / "context.json"
    context.write_text(json.dumps({"attributes": {"device.type": "mobile"}, "placements": ["hero"]}))
    slots = json.loads(run("decide", bundle, "--context", context)[1])["slots"]
    assert [(slot["campaign"], slot["content"]) for slot in slots] == [("mobile-hero", "app")]
    slots = json.loads(run("decide", bundle, "--context", context, "--kill", "mobile-hero")[1])["slots"]
    assert [slot["campaign"] for slot in slots] == ["welcome"]
    context.write_text("{}")
    slots = json.loads(run("decide", bundle, "--context", context)[1])["slots"]
    assert [slot.get("recommender", "") for slot in slots] == ["", "taste", "popular"]


def test_decide_leaves_out_what_is_sold_out(run: Run, bundle: Path, tmp_path: Path) -> None:
    context = tmp_path / "context.json"
    context.write_text('{"placements": ["trending"]}')
    first, *_ = json.loads(run("decide", bundle, "--context", context)[1])["slots"][0]["items"]
    asked = ("decide", bundle, "--context", context, "--sold-out", first)
    assert first not in json.loads(run(*asked)[1])["slots"][0]["items"]
    code, _, err = run(*asked, "--sold-out", "alian")
    assert (code, err) == (1, "error: item: this bundle has no item 'alian'; did you mean 'alien'?\n")


def test_decisions_are_told_in_the_words_of_the_edge(tmp_path: Path) -> None:
    rules = "campaigns: [{id: moved, audience: {geo.country: FR}, show: {redirect: /fr}}]\n"
    engine = load_engine(make_bundle(tmp_path, {**EXPERIMENTS, "rules/moved.yaml": rules}))
    places, seen = engine.schema.placements, set()
    for country, device in (("DE", "mobile"), ("FR", "mobile"), ("US", "mobile"), ("US", "desktop")):
        attributes = {"geo.country": country, "device.type": device}
        context = Context(0, 0, "full", attributes, ("alien",), places, f"{7:032x}")
        decision = engine.decide(context)
        for slot, told in zip(decision.slots, _slots(engine, decision, attributes), strict=True):
            document = slot_document(slot)
            common = document.keys() & told.keys()
            assert {name: document[name] for name in common} == {name: told[name] for name in common}
            assert document.keys() - told.keys() <= {"card"}
            seen |= common
    assert seen >= {"placement", "campaign", "content", "recommender", "items", "redirect", "variation"}


def test_a_misspelt_killed_campaign_is_named(run: Run, bundle: Path, tmp_path: Path) -> None:
    context = tmp_path / "context.json"
    context.write_text("{}")
    code, _, err = run("decide", bundle, "--context", context, "--kill", "mobil-hero")
    assert (code, err) == (
        1,
        "error: campaign: this bundle has no campaign 'mobil-hero'; did you mean 'mobile-hero'?\n",
    )


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "context"),
        ('{"attributes": {"device.typ": "x"}}', "no attribute 'device.typ'"),
        ('{"attributes": {"device.type": 3}}', "device.type is a string, not the number 3"),
        ('{"attributes": {"visitor.new": 1}}', "visitor.new is a boolean"),
        ('{"attributes": {"visitor.visits": true}}', "visitor.visits is a number, not the boolean"),
        ('{"placements": ["heros"]}', "no placement 'heros'"),
        ('{"tier": "all"}', "tier is one of"),
        ('{"colour": 1}', "colour"),
    ],
)
def test_a_bad_context_is_named(run: Run, bundle: Path, tmp_path: Path, document: str, message: str) -> None:
    path = tmp_path / "context.json"
    path.write_text(document)
    code, _, err = run("decide", bundle, "--context", path)
    assert code == 1
    assert message in err
    assert "Traceback" not in err


def test_replay_and_report_over_an_origins_lake(
    *, run: Run, bundle: Path, other_bundle: Path, served: str, keys: Keys, tmp_path: Path
) -> None:
    engine = load_engine(bundle)
    context = Context(1_800_000_000_000, 1, "full", {"device.type": "mobile"}, ("alien",), ("hero",))
    slots = engine.decide(context).slots
    record = DecisionRecord("a" * 32, "films", "lab", engine.id, 1, "", (), "v", context, slots)
    events = [
        Event("a" * 32, "impression", "", 0, "hero", "v", 1),
        Event("a" * 32, "click", "", 0, "hero", "v", 2),
        Event("a" * 32, "view", "dune", 0, "", "v", 3),
        Event("a" * 32, "dwell", "", 0, "", "v", 4, 12.5),
        Event("a" * 32, "scroll", "", 0, "", "v", 4, 80),
        Event("a" * 32, "dwell", "", 0, "", "v", 4, 12.5),
    ]
    body = b"".join(map(spool.frame, [record, *events]))
    url = f"{served}/v1/sites/films/events/lab/0123/1?offset=0"
    httpx.post(url, content=body, headers=keys.ingest).raise_for_status()

    data = tmp_path / "data"
    assert run("replay", bundle, data)[:2] == (0, "1 decision again: 1 identical\n")
    code, out, _ = run("replay", bundle, data, "--against", other_bundle)
    assert code == 0
    assert "with the other bundle 1 of 1 pages change (100.0%)" in out
    assert '"content": "app"' in out
    assert run("replay", other_bundle, data)[0] == 1
    assert json.loads(run("report", data, "--json")[1]) == {
        "decisions": 1,
        "visitors": 1,
        "views": 1,
        "impressions": 1,
        "clicks": 1,
        "left": 1,
        "dwell_s": 12.5,
        "scroll": 80,
        "campaigns": {"mobile-hero": {"shown": 1, "impressions": 1, "clicks": 1}},
        "variations": {},
    }
    assert "mobile-hero" in run("report", data)[1]
    assert "1 page told how long: 12.5 s, 80 % of their height" in run("report", data)[1]
    sizes = json.loads(run("audience", bundle, "--log", data, "--json")[1])
    assert [sizes["sample"][name] for name in ("requests", "visitors", "anonymous")] == [1, 1, 0]
    assert {one["id"]: one["requests"] for one in sizes["campaigns"]}["mobile-hero"] == 1
    assert run("audience", bundle, "--log", data)[1].startswith("1 request, 2027-01-15 08:00 to ")


def test_problems_of_a_workspace_are_lines_that_editors_know(run: Run, workspace: Path) -> None:
    (workspace / "site.yaml").write_text("site: films\nplacements: [hero]\nattributs: {}\n")
    code, _, err = run("validate", workspace)
    assert code == 1
    assert "site.yaml:3: error [unknown-key]" in err
    assert err.endswith("problems\n")
    code, _, err = run("train", workspace)
    assert code == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile", "{w}", "-o", "{t}/out"),
        ("publish", "{w}", "--origin", "http://127.0.0.1:9", "--keys", "{k}"),
        ("publish", "{b}", "--origin", "http://127.0.0.1:9", "--keys", "{k}"),
        ("publish", "{b}", "--origin", "http://127.0.0.1:9", "--keys", "{t}/none.json"),
        ("rollout", "show", "--origin", "http://127.0.0.1:9", "--keys", "{k}"),
        ("inspect", "{t}"),
        ("replay", "{b}", "{t}/nothing"),
        ("report", "{t}"),
        ("origin", "--keys", "{t}/none.json"),
        ("origin", "--keys", "{k}"),
        ("keys", "new", "{k}/..", "--site", "films"),
        ("keys", "new", "{t}/new", "--site", "No Site"),
    ],
)
def test_what_goes_wrong_is_one_line_and_code_1(
    *, run: Run, workspace: Path, bundle: Path, keys: Keys, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    names = {"w": workspace, "b": bundle, "k": keys.folder / "publisher.json", "t": tmp_path}
    code, out, err = run(*(argument.format(**names) for argument in arguments))
    assert (code, out) == (1, "")
    assert "error" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_missing_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['yaml'] = None; sys.argv = ['nearside', 'validate', 'x']\n"
        "from origin.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("install it with: pip install '.[compiler]'\n")
    assert "Traceback" not in done.stderr


def test_our_own_missing_module_is_a_bug_and_not_an_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "origin.commands.root", None)
    monkeypatch.setattr(sys, "argv", ["nearside"])
    with pytest.raises(ModuleNotFoundError):
        cli.main()


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['nearside', '--help']\n"
        "from origin.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'onnx', 'onnxruntime', 'pyarrow', 'sqlalchemy', 'starlette', 'httpx', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "replay" in done.stdout
