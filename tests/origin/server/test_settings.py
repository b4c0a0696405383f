"""Settings: given before variables before defaults, and nothing misspelt in silence."""

from pathlib import Path

import pytest

from edge.errors import ConfigError
from origin.server.settings import Settings, read_settings


def test_given_wins_over_a_variable_over_a_default() -> None:
    environment = {"NEARSIDE_ORIGIN_DATA": "/v", "NEARSIDE_ORIGIN_HEARTBEAT_S": "2.5", "HOME": "/"}
    settings = read_settings({"data": Path("/g"), "listen": None}, environment)
    assert settings == Settings(data="/g", heartbeat_s=2.5)


def test_several_key_files() -> None:
    assert Settings(keys="a.json, b.json").key_files() == [Path("a.json"), Path("b.json")]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATTA", "x", "did you mean NEARSIDE_ORIGIN_DATA"),
        ("HEARTBEAT_S", "soon", "could not convert"),
        ("HEARTBEAT_S", "0", "must be positive"),
        ("LISTEN", "8090", "not HOST:PORT"),
        ("LOG_LEVEL", "loud", "log_level is one of"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_settings({}, {f"NEARSIDE_ORIGIN_{name}": value})
