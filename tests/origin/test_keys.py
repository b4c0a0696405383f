"""Key files: three holders, nobody holds more than they need."""

import json
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.keys import load_keys
from origin.keys import load_origin, load_publisher, new_keys, token_digest


def test_three_files_that_only_their_owner_may_read(tmp_path: Path) -> None:
    paths = new_keys(tmp_path / "keys", "films")
    assert [path.name for path in paths] == ["publisher.json", "origin.json", "edge.json"]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}


def test_the_files_belong_together(tmp_path: Path) -> None:
    publisher_path, origin_path, edge_path = new_keys(tmp_path, "films")
    publisher, origin, edge = load_publisher(publisher_path), load_origin(origin_path), load_keys(edge_path)
    assert origin.publish_token_sha256 == token_digest(publisher.publish_token)
    assert origin.ingest_token_sha256 == token_digest(edge.ingest_token)
    assert origin.trust == edge.trust
    assert set(publisher.sign) == {"rules", "models", "catalog"}
    assert set(origin.sign) == {"online"}


def test_the_origin_and_the_edge_hold_no_key_of_a_publisher(tmp_path: Path) -> None:
    publisher_path, origin_path, edge_path = new_keys(tmp_path, "films")
    publisher = load_publisher(publisher_path)
    secrets = [publisher.publish_token, *(key.private for key in publisher.sign.values())]
    for path in (origin_path, edge_path):
        assert not any(secret in path.read_text() for secret in secrets)


@pytest.mark.parametrize("name", ["publisher", "origin", "edge"])
def test_keys_are_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.json").write_text("mine")
    with pytest.raises(ConfigError, match="never overwritten"):
        new_keys(tmp_path, "films")
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.json"]


@pytest.mark.parametrize("site", ["", "Films", "a/b", "..", "a" * 64, "é"])
def test_a_site_id_is_safe_in_urls_and_paths(tmp_path: Path, site: str) -> None:
    with pytest.raises(ConfigError, match="no site id"):
        new_keys(tmp_path, site)


def test_a_bad_file_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nearside keys new"):
        load_origin(tmp_path / "origin.json")
    _, origin_path, edge_path = new_keys(tmp_path / "keys", "films")
    with pytest.raises(ConfigError, match=r"edge\.json"):
        load_publisher(edge_path)
    document = json.loads(origin_path.read_text())
    document["trust"]["rules"] = []
    origin_path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match="nobody is trusted to sign for 'rules'"):
        load_origin(origin_path)
    document["sign"] = {}
    origin_path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match="no 'online' signing key"):
        load_origin(origin_path)
