"""The last check of a bundle is made in a process of its own, and nothing it does harms the agent."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from edge.agent import check
from edge.agent.check import run_check
from edge.errors import BundleError
from tests.workspaces.make import SITE, make_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("workspace"))


def refusal(folder: Path, site: str = SITE) -> str:
    with pytest.raises(BundleError) as caught:
        asyncio.run(run_check(folder, site))
    return caught.value.code


def test_a_compiled_bundle_passes(bundle: Path) -> None:
    asyncio.run(run_check(bundle, SITE))
    assert (bundle / "rules.manifest").exists()


def test_a_refusal_crosses_the_process_by_name(bundle: Path, tmp_path: Path) -> None:
    assert refusal(bundle, site="books") == "foreign-site"
    copy = shutil.copytree(bundle, tmp_path / "copy")
    largest = max((copy / "artifacts").iterdir(), key=lambda path: path.stat().st_size)
    largest.chmod(0o644)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    assert refusal(copy) == "artifact-hash"


def test_a_crash_is_a_refusal(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def program(text: str) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        monkeypatch.setattr(check.sys, "executable", str(path))

    program("kill -SEGV $$")
    assert refusal(bundle) == "check-crashed"
    program(f"echo nonsense; exit {check.REFUSED}")
    assert refusal(bundle) == "check-crashed"
    monkeypatch.setattr(check, "CHECK_TIMEOUT_S", 0.1)
    program(f"echo $$ > {tmp_path / 'pid'}; exec sleep 60")
    assert refusal(bundle) == "check-timeout"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), signal.SIG_DFL)
