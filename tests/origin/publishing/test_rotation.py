"""Key rotation: the new key seals, the old one still opens, and none is lost by haste."""

from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.keys import load_keys
from origin.publishing.rotation import drop_old, rotate
from tests.origin.world import Keys


def test_rotate_then_drop(keys: Keys) -> None:
    path = keys.folder / "edge.json"
    rotated = rotate(path)
    assert load_keys(path) == rotated
    assert path.stat().st_mode & 0o777 == 0o600
    for kind in ("cookie", "event"):
        new, old = getattr(rotated, kind)
        assert old == getattr(keys.edge, kind)[0]
        assert (new.id, new.key != old.key) == (old.id + 1, True)
    with pytest.raises(ConfigError, match="--drop-old"):
        rotate(path)
    assert load_keys(path) == rotated
    dropped = drop_old(path)
    assert (dropped.cookie, dropped.event) == (rotated.cookie[:1], rotated.event[:1])
    with pytest.raises(ConfigError, match="no old key"):
        drop_old(path)
    assert rotate(path, ("cookie",)).event == dropped.event
    assert sorted(p.name for p in keys.folder.iterdir()) == ["edge.json", "origin.json", "publisher.json"]


def test_ids_start_again_after_the_last(keys: Keys) -> None:
    path = keys.folder / "edge.json"
    path.write_text(path.read_text().replace('"id": 1,', '"id": 255,'))
    assert [key.id for key in rotate(path).cookie] == [0, 255]


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nearside keys new"):
        rotate(tmp_path / "edge.json")
