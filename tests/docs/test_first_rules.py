"""docs/first-rules.md works as written: each file is saved, each command is run, each output is compared."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

PORT_IN_TEXT = "8090"
SERVER = "nearside origin "
START_S = 30
_STEP = re.compile(
    r"(?:[Ss]ave this as `(?P<path>[^`]+)`:\n\n)?```(?P<kind>\w+)\n(?P<body>.*?)```", re.DOTALL
)


@dataclass(frozen=True)
class Command:
    """One line to type, and what the document says it answers."""

    line: str
    output: str


def _steps(text: str) -> Iterator[tuple[str, str] | Command]:
    """Files to save as (path, text), and commands, in the order of the document."""
    for found in _STEP.finditer(text):
        if found["path"]:
            yield found["path"], found["body"]
        elif found["kind"] == "console":
            for block in found["body"].split("$ ")[1:]:
                line, _, output = block.partition("\n")
                yield Command(line, output)


def _pattern(output: str) -> re.Pattern[str]:
    """What the document shows, with `…` for anything."""
    return re.compile(".*".join(map(re.escape, output.split("…"))), re.DOTALL)


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _wait_until_live(port: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/live").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the origin did not start")


def test_the_page_works_as_written(docs: Path, tmp_path: Path) -> None:
    port = _free_port()
    text = (docs / "first-rules.md").read_text(encoding="utf-8").replace(PORT_IN_TEXT, port)
    steps = list(_steps(text))
    assert sum(isinstance(step, Command) for step in steps) >= 14
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    servers: list[subprocess.Popen[bytes]] = []
    try:
        for step in steps:
            if not isinstance(step, Command):
                (tmp_path / step[0]).write_text(step[1], encoding="utf-8")
            elif step.line.startswith(SERVER):
                servers.append(subprocess.Popen(shlex.split(step.line), cwd=tmp_path, env=environment))
                _wait_until_live(port)
            else:
                _run(step, tmp_path, environment)
    finally:
        for server in servers:
            server.terminate()
            server.wait(START_S)


def _run(command: Command, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        shlex.split(command.line),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").split("\n"))
    assert _pattern(command.output).fullmatch(printed), (
        f"$ {command.line}\n{printed}\n--- not:\n{command.output}"
    )
    assert (done.returncode == 0) == ("error: " not in command.output)


def test_links_lead_somewhere(docs: Path) -> None:
    for name in ("first-rules.md", "workspace.md"):
        for link in re.findall(r"\]\(([^)#]+)", (docs / name).read_text(encoding="utf-8")):
            assert (docs / link).exists(), f"{name}: {link}"
