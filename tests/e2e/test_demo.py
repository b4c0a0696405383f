"""The demo as a newcomer runs it: real processes, generated films. About a minute together."""

import os
import re
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

NEARSIDE = Path(sysconfig.get_path("scripts")) / "nearside"
ONCE_TIMEOUT_S = 120
START_TIMEOUT_S = 45
TRY_TIMEOUT_S = 30
END_TIMEOUT_S = 20


def _environment() -> dict[str, str]:
    """Of a terminal in which the virtual environment is active."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("NEARSIDE_")}
    return {**given, "PATH": f"{NEARSIDE.parent}{os.pathsep}{given.get('PATH', os.defpath)}"}


def _other_terminal() -> dict[str, str]:
    """Of a terminal in which it is not."""
    tools = {str(Path(found).parent) for tool in ("bash", "curl") if (found := shutil.which(tool))}
    return {**_environment(), "PATH": os.pathsep.join([*sorted(tools), os.defpath])}


def test_the_demo_runs_to_its_end_and_all_of_it_holds(tmp_path: Path) -> None:
    done = subprocess.run(
        [NEARSIDE, "demo", "--once"],
        cwd=tmp_path,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=ONCE_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DOES NOT HOLD" not in done.stdout
    assert done.stderr == ""
    for campaign in ("evening-on-the-phone", "welcome-back", "picked-for-you", "trending-now"):
        assert campaign in done.stdout
    pages = {path.stem: path.read_text() for path in (tmp_path / ".demo/pages").glob("*.html")}
    personal = {"phone", "science-fiction", "science-fiction-revision-2"}
    assert set(pages) == {"plain", "no-consent", "compare", *personal}
    assert "Feierabend" in pages["phone"]
    assert "Your seat is still warm." in pages["science-fiction"]
    assert pages["plain"] == pages["no-consent"]
    assert {name for name, page in pages.items() if "data-nearside" in page} >= personal
    assert "new visitors looked at it" in done.stdout
    assert "revisions 1 and 2" in done.stdout
    for secret in (tmp_path / ".demo/keys").iterdir():
        assert secret.stat().st_mode & 0o777 == 0o600
    assert not _processes_of(tmp_path)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    out = tmp_path / "out.txt"
    with out.open("w") as file:
        demo = subprocess.Popen([NEARSIDE, "demo"], cwd=tmp_path, env=_environment(), stdout=file, text=True)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while "Ctrl-C" not in out.read_text() and demo.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "Ctrl-C" in out.read_text(), out.read_text()
        yield demo, out
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.wait(30)


def _to_try(told: str) -> list[tuple[str, str]]:
    """Each command with what it is said to show; empty where nothing is said."""
    return re.findall(r"^  \$ (.*)\n(?:    → … (.*) …\n)?", told, re.M)


def _try(command: str, shows: str, folder: Path) -> None:
    """Run a command as a person would; once more where a change is still on its way to the edges."""
    deadline = time.monotonic() + TRY_TIMEOUT_S
    while True:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=folder,
            env=_other_terminal(),
            capture_output=True,
            text=True,
            timeout=TRY_TIMEOUT_S,
            check=False,
        )
        output = done.stdout + done.stderr
        if done.returncode == 0 and shows in output:
            return
        changes_nothing = command.startswith(("curl", "sleep"))
        if not changes_nothing or time.monotonic() > deadline:
            pytest.fail(f"{command} ended with {done.returncode} and shows no {shows!r}: {output}")
        time.sleep(0.1)


def test_what_it_says_to_try_works_and_ctrl_c_ends_it(
    running: tuple[subprocess.Popen[str], Path], tmp_path: Path
) -> None:
    demo, out = running
    commands = _to_try(out.read_text())
    assert len(commands) >= 20
    assert sum(bool(shows) for _, shows in commands) >= 14
    assert any("locust" in command for command, _ in commands)
    # A change takes a moment: who pastes all of it at once waits for it, too.
    for (change, _), (following, _) in pairwise(commands):
        if re.search(r"nearside (publish|rollout)", change) and "nearside" not in following:
            assert re.match(r"sleep \d; ", following), following
    has_curl = shutil.which("curl") is not None
    for command, shows in commands:
        if has_curl or "curl" not in command:
            _try(command.replace("-t 20s", "-t 3s"), shows, tmp_path)
    assert not list((tmp_path / ".demo").rglob("*.old"))
    demo.send_signal(signal.SIGINT)
    assert demo.wait(30) == 0
    assert not _processes_of(tmp_path)
    if not has_curl:
        pytest.skip("there is no curl here: the commands that need it were not tried")


def test_a_demo_that_is_killed_leaves_no_process(
    running: tuple[subprocess.Popen[str], Path], tmp_path: Path
) -> None:
    demo, _ = running
    assert len(_processes_of(tmp_path)) >= 10
    demo.kill()
    demo.wait(10)
    deadline = time.monotonic() + END_TIMEOUT_S
    while _processes_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _processes_of(tmp_path)


def test_a_process_that_dies_ends_the_demo_by_name(
    running: tuple[subprocess.Popen[str], Path], tmp_path: Path
) -> None:
    demo, out = running
    site = [pid for pid, line in _processes_of(tmp_path).items() if "origin.demo.film_site" in line]
    os.kill(site[0], signal.SIGKILL)
    assert demo.wait(30) == 1
    assert "site ended with status -9" in out.read_text()
    assert "site.log" in out.read_text()
    assert not _processes_of(tmp_path)


def _processes_of(folder: Path) -> dict[int, str]:
    """Processes that run in a folder, with their command lines; the demo itself is not among them."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            here = (entry / "cwd").resolve() == folder.resolve()
        except OSError:
            continue
        if here and line and not line.rstrip().endswith("nearside demo"):
            found[int(entry.name)] = line
    return found
