"""The demo's cast: where its parts live, how they are started, and when they are ready."""

import fcntl
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Final

from compiler.build import compile_workspace
from compiler.report import Report
from compiler.workspace import read_workspace
from models.trained import Trained
from origin.demo.cdn import Front
from origin.demo.films import Film
from origin.demo.pops import POPS, Pop, PopPlan
from origin.demo.processes import (
    LOOPBACK,
    DemoError,
    Ports,
    Processes,
    answers,
    program,
    python_module,
)
from origin.demo.workspace_files import CATALOG, Laid, add_interactions, lay_down
from origin.keys import load_publisher, new_keys
from origin.lake.learn import lake_interactions
from origin.publishing.client import OriginClient
from origin.publishing.pop_file import add_pop
from origin.publishing.publish import Published, publish
from origin.training.recommenders import load_trained, train_workspace

SITE: Final = "films"
SITE_PORT: Final = 8000
ORIGIN_PORT: Final = 8090
START_TIMEOUT_S: Final = 60.0
MARK: Final = ".nearside-demo"
PARTS: Final = ("workspace", "keys", "origin", "pops", "logs", "pages", "bundles", "cookies.txt")


class Folder:
    """The demo's folder, held by one demo at a time, emptied of what the last one left.

    Raises
    ------
    DemoError
        It holds something else, or another demo runs in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        mark = path / MARK
        if path.exists() and not mark.exists() and any(path.iterdir()):
            raise DemoError(f"{path} holds something else; name another folder, or empty it.")
        path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(mark, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise DemoError(f"Another demo runs in {path}; stop it first.") from None
        for part in PARTS:
            target = path / part
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)

    def close(self) -> None:
        """Let another demo have it."""
        os.close(self._lock)


class Stage:
    """The running demo: one origin, one site, and the PoPs behind their CDN."""

    def __init__(self, folder: Path, processes: Processes, ports: Ports) -> None:
        self.folder = folder
        self.processes = processes
        self.workspace = folder / "workspace"
        self.bundles = folder / "bundles"
        self.lake = folder / "origin"
        self.keys = folder / "keys"
        self.cookies = folder / "cookies.txt"
        self.origin_pid = 0
        self._ports = ports
        self.site = f"http://{LOOPBACK}:{self._ports.take(SITE_PORT)}"
        self.origin = f"http://{LOOPBACK}:{self._ports.take(ORIGIN_PORT)}"
        self.pops: list[Pop] = []
        self.films: list[Film] = []

    def lay_down(self, data: Path | None) -> Laid:
        """Write the workspace and the keys."""
        laid = lay_down(self.workspace, data)
        self.films = laid.films
        new_keys(self.keys, SITE, shared_token=False)
        return laid

    def start(self) -> None:
        """Start everything that serves; `wait_ready` waits for it."""
        host = self.origin.removeprefix("http://")
        origin = ("--keys", str(self.keys / "origin.json"), "--data", str(self.lake), "--listen", host)
        process = self.processes.start("origin", (program("nearside"), "origin", *origin))
        self.origin_pid = process.pid
        site = ("--films", str(self.workspace / CATALOG), "--port", self.site.rpartition(":")[2])
        self.processes.start("site", (*python_module("origin.demo.film_site"), *site))
        self._wait_origin()
        self.pops = [self._start_pop(plan) for plan in POPS]
        fronts = [Front(int(pop.url.rpartition(":")[2]), pop.plan.country, pop.edge) for pop in self.pops]
        arguments = [f"--front={front}" for front in fronts]
        self.processes.start("cdn", (*python_module("origin.demo.cdn"), *arguments))

    def _wait_origin(self) -> None:
        self.processes.wait("the origin", lambda: answers(f"{self.origin}/live"), START_TIMEOUT_S)

    def _credential(self, name: str) -> Path:
        """A credential of one PoP, so that it alone can be shut out."""
        publisher = load_publisher(self.keys / "publisher.json")
        order = {"name": name, "author": "demo", "reason": "a PoP of the demo"}
        with OriginClient(self.origin, publisher) as client:
            return add_pop(client, order, self.keys / f"pop-{name}.json")

    def _start_pop(self, plan: PopPlan) -> Pop:
        front, listen, admin = (
            f"{LOOPBACK}:{self._ports.take(port)}" for port in (plan.port, plan.edge_port, plan.admin_port)
        )
        options = {
            "origin": self.origin,
            "upstream": self.site,
            "pop": plan.name,
            "keys": self.keys / "edge.json",
            "credential": self._credential(plan.name),
            "state-dir": self.folder / "pops" / plan.name,
            "listen": listen,
            "admin": admin,
            "workers": plan.workers,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        process = self.processes.start(f"pop-{plan.name}", (program("nearside-edge"), *arguments))
        return Pop(plan, f"http://{front}", f"http://{listen}", f"http://{admin}", process)

    def train(self) -> list[Trained]:
        """Train the workspace's models."""
        workspace = read_workspace(self.workspace)
        return [done.model for done in train_workspace(workspace, split="none")]

    def learn(self) -> int:
        """Add what visitors looked at to what the models are trained on; how many views that were."""
        return add_interactions(self.workspace, lake_interactions(self.lake, SITE))

    def bundle(self, revision: int) -> Path:
        """Where the bundle of a revision is."""
        return self.bundles / f"revision-{revision}"

    def compile(self, revision: int) -> Report:
        """Compile the workspace to a bundle."""
        workspace = read_workspace(self.workspace)
        self.bundles.mkdir(exist_ok=True)
        return compile_workspace(workspace, load_trained(workspace), self.bundle(revision))

    def publish(self, revision: int, reason: str) -> Published:
        """Publish a bundle."""
        keys = load_publisher(self.keys / "publisher.json")
        return publish(self.bundle(revision), self.origin, keys, "demo", reason)

    def wait_ready(self, revision: int) -> None:
        """Wait until the site answers and every worker of every PoP serves the revision."""
        self.processes.wait("the site", lambda: answers(self.site), START_TIMEOUT_S)
        for pop in self.pops:
            self.processes.wait(f"PoP {pop.name}", partial(pop.serves, revision), START_TIMEOUT_S)
