"""The agent tells of files that were replaced, once each."""

from pathlib import Path

from edge.agent.renewal import Watch


def test_a_replaced_file_is_told_once(tmp_path: Path) -> None:
    keys, facts, told = tmp_path / "edge.json", tmp_path / "facts", list[int]()
    keys.write_text("1")
    watch = Watch([keys, facts], lambda: told.append(1))
    assert not watch.look()
    (tmp_path / "new").write_text("2")
    (tmp_path / "new").replace(keys)
    assert watch.look() and not watch.look()
    facts.write_text("now it is there")
    assert watch.look() and not watch.look()
    facts.unlink()
    assert watch.look()
    assert len(told) == 3
