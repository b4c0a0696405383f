"""Starts the real processes of a site, an origin and one PoP, and takes them all down again."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx

from edge.keys import EdgeKeys, load_keys
from origin.keys import PublisherKeys, load_publisher, new_keys
from origin.publishing.publish import Published, publish

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sysconfig.get_path("scripts"))
LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.02
TAIL_LINES = 40
SITE = "films"
PAGE = """\
<!doctype html><html lang=en><head><title>Films</title></head><body>
<section data-placement="hero"><h1>Films</h1></section>
<ul data-placement="recommended"><li>All films</li></ul>
<ul data-placement="trending"></ul>
</body></html>
"""

T = TypeVar("T")


def until(what: str, ask: Callable[[], T], timeout_s: float = START_TIMEOUT_S) -> T:
    """The first answer that is true; what could not be reached yet is asked again."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if answer := ask():
                return answer
            last = repr(answer)
        except httpx.TransportError as error:
            last = repr(error)
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}; at last {last}"
        time.sleep(POLL_S)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Stack:
    """One site, one origin and one PoP, each in processes of its own, in one folder.

    Attributes
    ----------
    origin_url, edge_url, admin_url, site_url : str
        Where they listen; the same after a restart.
    """

    def __init__(
        self, folder: Path, *, workers: int = 2, page: str = PAGE, edge: Path = SCRIPTS / "nearside-edge"
    ) -> None:
        self.folder, self.workers, self.edge_program = folder, workers, edge
        self.data, self.state, self.logs = folder / "origin", folder / "state", folder / "logs"
        self.logs.mkdir(parents=True)
        new_keys(folder / "keys", SITE)
        self.page = page.encode()
        (folder / "page.html").write_bytes(self.page)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ports = {name: free_port() for name in ("origin", "edge", "admin")}
        self.origin_url, self.edge_url, self.admin_url = (
            f"http://{LOOPBACK}:{self._ports[name]}" for name in ("origin", "edge", "admin")
        )
        self.site_url = ""
        self._client = httpx.Client(timeout=10)

    @property
    def port(self) -> int:
        """The port that serves pages."""
        return self._ports["edge"]

    @property
    def publisher(self) -> PublisherKeys:
        """What those who publish hold."""
        return load_publisher(self.folder / "keys/publisher.json")

    @property
    def edge_keys(self) -> EdgeKeys:
        """What the edge holds."""
        return load_keys(self.folder / "keys/edge.json")

    def start_all(self) -> None:
        """Start everything, and wait until the origin and the admin listener answer."""
        self.start_origin()
        self.start_site()
        self.start_edge()
        self.wait_origin()
        self.wait_connected()

    def start_origin(self) -> None:
        """Start the origin, or start it again on the same data."""
        keys = self.folder / "keys/origin.json"
        listen = f"{LOOPBACK}:{self._ports['origin']}"
        options = ("--keys", str(keys), "--data", str(self.data), "--listen", listen)
        self._start("origin", (str(SCRIPTS / "nearside"), "origin", *options))

    def start_site(self) -> None:
        """Start the site: one page, whatever the path."""
        listener = socket.create_server((LOOPBACK, 0), backlog=256)
        with listener:
            self.site_url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
            page = str(self.folder / "page.html")
            command = (sys.executable, "-m", "loadtest.peers", "site", page, str(listener.fileno()))
            self._start("site", command, listener.fileno())

    def start_edge(self, origin_url: str = "") -> None:
        """Start the PoP: a supervisor with its agent and workers."""
        options = {
            "origin": origin_url or self.origin_url,
            "upstream": self.site_url,
            "pop": "lab",
            "keys": self.folder / "keys/edge.json",
            "facts": self.folder / "facts",
            "state-dir": self.state,
            "listen": f"{LOOPBACK}:{self._ports['edge']}",
            "admin": f"{LOOPBACK}:{self._ports['admin']}",
            "workers": self.workers,
            "decision-budget-ms": 10_000,  # a test's machine may be busy with others
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        self._start("edge", (str(self.edge_program), *arguments))

    def _start(self, name: str, command: Sequence[str], descriptor: int = -1) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NEARSIDE_")}
        with (self.logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment,
                pass_fds=[descriptor] if descriptor >= 0 else [],
                process_group=0,
            )

    def kill(self, name: str) -> None:
        """End ``origin``, ``site`` or ``edge`` (its supervisor) without warning."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> int:
        """Ask it to stop, and wait; its exit status."""
        process = self._running.pop(name)
        process.terminate()
        try:
            return process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def close(self) -> None:
        """Take all down; nothing that runs on this folder outlives it."""
        self._client.close()
        with contextlib.ExitStack() as last:
            last.callback(self._end_strays)
            for name in ("edge", "site", "origin"):
                if name in self._running:
                    last.callback(self.stop, name)

    def _end_strays(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def processes(self) -> dict[int, str]:
        """What runs on this stack's folder: command lines by process id."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if f"{self.folder}/" in line and alive(int(entry.name)):
                        found[int(entry.name)] = line
        return found

    def tail(self) -> str:
        """The end of every log."""
        parts = []
        for path in sorted(self.logs.glob("*.log")):
            lines = path.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]
            parts.append("\n".join([f"--- {path.name}", *lines]))
        return "\n".join(parts)

    def publish(self, bundle: Path, *, activate: bool = True) -> Published:
        """Sign a bundle, hand it to the origin, and let all PoPs have it."""
        return publish(bundle, self.origin_url, self.publisher, "test", "because", activate=activate)

    def roll_out(self, **order: object) -> None:
        """Order what PoPs serve: ``pops`` (revision by PoP), ``kill`` (campaigns); the rest stays."""
        self._client.post(
            f"{self.origin_url}/v1/sites/{SITE}/rollout",
            json={"author": "test", "reason": "because", **order},
            headers={"authorization": f"Bearer {self.publisher.publish_token}"},
        ).raise_for_status()

    def roll_to(self, revision: int) -> None:
        """Let all PoPs serve a revision."""
        self.roll_out(pops={"*": revision})

    def all_committed(self) -> bool:
        """Whether the origin has every byte of every segment on disk: nothing is left to be shipped."""
        keys = self.edge_keys
        authority = {"authorization": f"Bearer {keys.ingest_token}"}
        for path in self.state.glob("spool/*/*.seg"):
            place = f"{self.origin_url}/v1/sites/{SITE}/events/lab/{path.parent.name}/{int(path.stem)}"
            with contextlib.suppress(FileNotFoundError):
                size = path.stat().st_size
                if self._client.get(place, headers=authority).raise_for_status().json()["committed"] != size:
                    return False
        return True

    def status(self) -> dict[str, Any]:
        """The admin listener's status."""
        found: dict[str, Any] = self._client.get(self.admin_url + "/status").raise_for_status().json()
        return found

    def metric(self, key: str) -> float:
        """One sample of the admin listener's metrics; 0 when it is not there."""
        for line in self._client.get(self.admin_url + "/metrics").raise_for_status().text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == key:
                return float(value)
        return 0.0

    def wait_origin(self) -> None:
        """Wait until the origin answers."""

        def answers() -> bool:
            assert self._running["origin"].poll() is None, "the origin ended"
            return self._client.get(self.origin_url + "/live").is_success

        until("the origin", answers)

    def wait_connected(self) -> None:
        """Wait until all workers are connected to the agent, and serve."""
        until("the workers", lambda: len(self.status()["workers"]) == self.workers)

    def wait_revision(self, number: int) -> None:
        """Wait until every worker serves this revision, and the PoP says that it is ready."""

        def served() -> bool:
            workers = [worker["activated"] or {} for worker in self.status()["workers"]]
            return len(workers) == self.workers and {w.get("revision") for w in workers} == {number}

        until(f"revision {number} on all workers", served)
        until("ready", lambda: self._client.get(self.admin_url + "/ready").is_success)

    def worker_pids(self) -> list[int]:
        """The workers' process ids, by their number."""
        return [worker["pid"] for worker in self.status()["workers"]]

    def agent_pid(self) -> int:
        """The agent's process id."""
        return int(self.status()["agent"]["pid"])

    def supervisor_pid(self) -> int:
        """The supervisor's process id."""
        return self._running["edge"].pid

    def on_both_workers(self, path: str = "/", requests: int = 24, **headers: str) -> list[httpx.Response]:
        """The page, on so many new connections that every worker will have served some."""
        fields = {"cookie": "consent=full", **headers}
        found = []
        for _ in range(requests):
            with httpx.Client(headers=fields) as client:
                found.append(client.get(self.edge_url + path))
        return found


@contextlib.contextmanager
def running(folder: Path, **options: Any) -> Iterator[Stack]:
    """A stack that is up, without a bundle; what it logged is shown when the block fails."""
    stack = Stack(folder, **options)
    try:
        stack.start_all()
        yield stack
    except BaseException:
        sys.stdout.write(stack.tail() + "\n")
        raise
    finally:
        stack.close()
