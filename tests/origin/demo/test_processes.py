"""The demo's processes: what fails is named, with its log; what is left over is ended."""

import socket
import sys
import time
from pathlib import Path

import pytest

from origin.demo.processes import LOOPBACK, DemoError, Ports, Processes, program
from origin.demo.stage import Folder


def test_one_that_ends_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    code = "import sys; print('line one'); sys.exit('no port left')"
    with Processes(tmp_path) as processes:
        processes.start("origin", (sys.executable, "-c", code))
        with pytest.raises(DemoError, match=r"(?s)origin ended with status 1.*origin\.log.*no port left"):
            processes.wait("the origin", lambda: False, timeout_s=20)


def test_waiting_ends_with_the_logs_of_all(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("site", (sys.executable, "-c", "import time; time.sleep(60)"))
        with pytest.raises(DemoError, match=r"(?s)the site: not within 0 s.*site\.log"):
            processes.wait("the site", lambda: False, timeout_s=0.1)


def test_leaving_ends_children_of_children_that_do_not_listen(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    start = f"print(subprocess.Popen([sys.executable, '-c', {deaf!r}]).pid)"
    code = f"import subprocess, sys, time; {start}; time.sleep(60)"
    with Processes(tmp_path) as processes:
        process = processes.start("pop", (sys.executable, "-u", "-c", code))
        processes.wait("the child", lambda: process.log.read_text().strip().isdigit(), timeout_s=20)
        child = int(process.log.read_text())
    deadline = time.monotonic() + 5
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_settings_of_another_edge_do_not_reach_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARSIDE_EDGE_WORKERS", "99")
    code = "import os; print(os.environ.get('NEARSIDE_EDGE_WORKERS'))"
    with Processes(tmp_path) as processes:
        assert processes.ask("show", (sys.executable, "-c", code), 20) == (0, "None\n")


def test_a_port_that_is_taken_is_not_given() -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        taken = other.getsockname()[1]
        ports = Ports()
        assert ports.take(taken) != taken
        given = [ports.take(taken) for _ in range(20)]
        assert len(set(given)) == 20


def test_a_command_that_is_not_installed_is_named() -> None:
    with pytest.raises(DemoError, match="no-such-command"):
        program("no-such-command")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(DemoError, match="holds something else"):
        Folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_is_held_by_one_demo(tmp_path: Path) -> None:
    held = Folder(tmp_path / "demo")
    (tmp_path / "demo" / "pages").mkdir()
    with pytest.raises(DemoError, match="Another demo"):
        Folder(tmp_path / "demo")
    assert (tmp_path / "demo" / "pages").is_dir()
    held.close()
    Folder(tmp_path / "demo").close()
    assert not (tmp_path / "demo" / "pages").exists()
