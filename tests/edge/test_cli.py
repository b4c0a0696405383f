"""The command refuses what can't work before anything runs."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge import cli
from edge.errors import ConfigError
from edge.settings import Settings, read_origins, read_settings, to_arguments
from tests.edge.origin_sim import OriginSim

ORIGIN, UPSTREAM = "--origin=http://origin:8090", "--upstream=http://site:8000"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "edge.json"
    path.write_bytes(msgspec.json.encode(OriginSim().keys()))
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(arguments) == 2
    return capsys.readouterr().err


def test_settings_survive_the_command_line() -> None:
    settings = Settings(
        origin="http://origin", upstream="http://site", pop="-odd name", workers=3, upstream_timeout_s=0.5
    )
    assert read_settings(to_arguments(settings), {}) == settings


def test_a_child_is_told_its_settings_and_descriptors() -> None:
    settings = Settings(origin="http://origin", upstream="http://site", workers=2)
    agent, *workers = cli.commands(settings, pages_fd=5, admin_fd=6)
    assert agent.name == "agent"
    assert agent.stops_last
    assert agent.descriptors == (6,)
    assert [worker.name for worker in workers] == ["worker-0", "worker-1"]
    assert workers[1].descriptors == (5,)
    assert {"--fd=5", "--index=1", "--origin=http://origin"} <= set(workers[1].arguments)


def test_a_url_without_host_is_refused(keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--upstream" in refused(capsys, ORIGIN, "--upstream=http://", f"--keys={keys}")
    assert "--origin" in refused(capsys, "--origin=http://a:b", UPSTREAM, f"--keys={keys}")


def test_a_pop_that_no_url_can_hold_is_refused(keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--pop" in refused(capsys, ORIGIN, UPSTREAM, f"--keys={keys}", "--pop=a/b")


def test_missing_keys_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nearside keys new" in refused(capsys, ORIGIN, UPSTREAM, f"--keys={tmp_path / 'none.json'}")


def test_an_address_that_is_taken_is_refused(
    keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"--listen=127.0.0.1:{taken.getsockname()[1]}"
        said = refused(capsys, ORIGIN, UPSTREAM, f"--keys={keys}", f"--state-dir={tmp_path / 's'}", listen)
    assert "--listen" in said


def test_a_state_folder_belongs_to_one_site_and_one_edge(tmp_path: Path) -> None:
    lock = cli.claim(tmp_path, "films")
    with pytest.raises(ConfigError, match="another nearside-edge"):
        cli.claim(tmp_path, "films")
    os.close(lock)
    with pytest.raises(ConfigError, match="holds site 'films'"):
        cli.claim(tmp_path, "books")
    os.close(cli.claim(tmp_path, "films"))


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="too long a path"):
        cli.claim(tmp_path / ("x" * 120), "films")


def test_a_state_folder_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="choose another --state-dir"):
        cli.claim(tmp_path / "file" / "state", "films")


def test_signals_that_nobody_could_believe_are_refused(
    keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, ORIGIN, UPSTREAM, f"--keys={keys}", "--signals=hero")
    assert "--signals needs a signal key" in said
    assert "--kind signal" in said


@pytest.mark.parametrize("text", ["*", "https://*.example", "www.example", "https://www.example/", "null"])
def test_what_no_browser_calls_an_origin_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, ORIGIN, UPSTREAM, f"--allow-origins=https://a.example {text}")
    assert f"{text!r} is not like https://www.example" in said
    assert read_origins("https://a.example, http://b:81") == ("https://a.example", "http://b:81")


def test_all_that_is_needed_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys)
    assert all(option in said for option in ("--origin URL", "--upstream URL", "--keys FILE"))
    assert "--origin" not in refused(capsys, ORIGIN).partition("--upstream")[0]


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out.startswith("nearside 0.")


def test_another_key_file_is_told_by_name(
    keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    credential = tmp_path / "lab.json"
    credential.write_text('{"site": "films", "pop": "lab", "token": "x"}')
    assert "is a PoP's credential, and this needs edge.json" in refused(
        capsys, ORIGIN, UPSTREAM, f"--keys={credential}"
    )
    assert "is edge.json, and this needs a PoP's credential, which `nearside pops add`" in refused(
        capsys, ORIGIN, UPSTREAM, f"--keys={keys}", f"--credential={keys}"
    )


def test_a_missing_package_is_named_with_its_extra() -> None:
    program = "import sys; sys.modules['msgspec'] = None\nfrom edge.start import main\nsys.exit(main())\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "this needs 'msgspec'" in done.stderr
    assert done.stderr.endswith("install it with: pip install '.[edge]'\n")
