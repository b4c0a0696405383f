"""The real process, killed without warning while it takes batches."""

import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from edge.decide.types import Event
from edge.events import spool
from origin.lake import reader as lake
from tests.origin.world import Keys

SEGMENTS = 3
RECORDS = 400
BATCH_RECORDS = 4


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(keys: Keys, data: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from origin.cli import main; main()", "origin", "--data", str(data)]
    command += ["--keys", str(keys.folder / "origin.json"), "--listen", f"127.0.0.1:{port}"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, env={"NEARSIDE_ORIGIN_LOG_LEVEL": "error"})


def segment(number: int) -> list[bytes]:
    return [
        spool.frame(Event(f"{number:016x}{n:016x}", "click", "f", 0, "hero", "", n)) for n in range(RECORDS)
    ]


class Shipper(threading.Thread):
    """Sends a segment in small batches as an edge does: again and again, from the origin's watermark."""

    def __init__(self, url: str, keys: Keys, number: int) -> None:
        super().__init__()
        self.url = f"{url}/v1/sites/films/events/lab/0123/{number}"
        self.keys, self.frames = keys, segment(number)
        self.end = sum(map(len, self.frames))
        self.committed = 0

    def run(self) -> None:
        body = b"".join(self.frames)
        step = len(self.frames[0]) * BATCH_RECORDS + 5  # not on a record's edge
        with httpx.Client(headers=self.keys.ingest, timeout=10) as client:
            while self.committed < self.end:
                try:
                    answer = client.post(
                        self.url,
                        params={"offset": self.committed},
                        content=body[self.committed : self.committed + step],
                    )
                    self.committed = max(self.committed, answer.json()["committed"])
                except (httpx.HTTPError, ValueError, KeyError):
                    time.sleep(0.05)


def test_nothing_is_lost_or_doubled_by_kill_9(keys: Keys, tmp_path: Path) -> None:
    data, port, dice = tmp_path / "data", free_port(), random.Random(7)
    process = start(keys, data, port)
    shippers = [Shipper(f"http://127.0.0.1:{port}", keys, n) for n in range(SEGMENTS)]
    kills = 0
    try:
        for shipper in shippers:
            shipper.start()
        deadline = time.monotonic() + 60
        for share in (0.15, 0.4, 0.7):
            while sum(s.committed / s.end for s in shippers) < share * SEGMENTS:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            time.sleep(dice.random() * 0.02)
            process.kill()
            process.wait()
            kills += 1
            process = start(keys, data, port)
        for shipper in shippers:
            shipper.join(60)
            assert not shipper.is_alive()
    finally:
        for shipper in shippers:
            shipper.committed = shipper.end
        process.kill()
        process.wait()
    assert kills == 3
    found = sorted(event.decision for event in lake.events(data, "films"))
    wanted = sorted(f"{number:016x}{n:016x}" for number in range(SEGMENTS) for n in range(RECORDS))
    assert found == wanted
