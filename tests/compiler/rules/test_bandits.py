"""Bandits as people write them: mistakes are told where they are, and what is in vain is doubted."""
# ruff: noqa: E501 -- the table of mistakes reads best with one in a line

from collections.abc import Mapping
from pathlib import Path

import pytest

from compiler.workspace import WorkspaceError, read_workspace
from tests.workspaces.make import BANDITS, make_workspace

ARMS = "[{key: a, show: nothing}, {key: b, show: {content: app}}]"


def bandit(text: str = "", arms: str = ARMS, show: str = "b") -> str:
    shown = f"campaigns:\n  - {{id: c, placement: hero, show: {{bandit: {show}}}}}\n"
    return f"bandits:\n  - id: b\n    {text}\n    arms: {arms}\n{shown}"


MISTAKES: Mapping[str, tuple[str, int, str]] = {
    "no id": (f"bandits:\n  - arms: {ARMS}\n", 2, "missing-key"),
    "bad id": (bandit().replace("id: b\n", "id: B!\n"), 2, "bad-id"),
    "no arms": ("bandits:\n  - {id: b}\n", 2, "missing-key"),
    "one arm": (bandit("", "[{key: a, show: nothing}]"), 4, "bad-value"),
    "too many arms": (bandit("", "[" + "{key: a, show: nothing}, " * 65 + "]"), 4, "bad-value"),
    "arm twice": (bandit("", "[{key: a, show: nothing}, {key: a, show: nothing}]"), 4, "duplicate-id"),
    "arm without a key": (bandit("", "[{show: nothing}, {key: b, show: nothing}]"), 4, "missing-key"),
    "arm without a show": (bandit("", "[{key: a}, {key: b, show: nothing}]"), 4, "missing-key"),
    "arm of a gone content": (bandit("", "[{key: a, show: {content: ap}}, {key: b, show: nothing}]"), 4, "unknown-name"),
    "arm elsewhere": (bandit("", "[{key: a, show: {heroo: {content: app}}}, {key: b, show: nothing}]"), 4, "unknown-name"),
    "unknown key of an arm": (bandit("", "[{key: a, show: nothing, wait: 1}, {key: b, show: nothing}]"), 4, "unknown-key"),
    "some weights": (bandit("", "[{key: a, weight: 0.5, show: nothing}, {key: b, show: nothing}]"), 4, "missing-key"),
    "weights of 2": (bandit("", "[{key: a, weight: 1, show: nothing}, {key: b, weight: 1, show: nothing}]"), 4, "bad-value"),
    "weight below the floor": (bandit("floor: 0.2", "[{key: a, weight: 0.1, show: nothing}, {key: b, weight: 0.9, show: nothing}]"), 4, "bad-value"),
    "weight of none": (bandit("", "[{key: a, weight: 0, show: nothing}, {key: b, weight: 1, show: nothing}]"), 4, "bad-value"),
    "no floor": (bandit("floor: 0"), 3, "bad-value"),
    "floor in percent": (bandit("floor: 5"), 3, "bad-value"),
    "floor of all": (bandit("floor: 0.4", "[{key: a, show: nothing}, {key: b, show: nothing}, {key: c, show: nothing}]"), 3, "bad-value"),
    "unknown key": (bandit("flor: 0.1"), 3, "unknown-key"),
    "bandit twice": (bandit().replace("campaigns:", f"  - {{id: b, arms: {ARMS}}}\ncampaigns:"), 5, "duplicate-id"),
    "unknown bandit": (bandit(show="bb"), 6, "unknown-name"),
    "bandit and content": (bandit(show="b, content: app"), 6, "unknown-key"),
    "name of an experiment": (bandit() + "experiments:\n  - {id: b, variations: [{key: a, show: nothing}]}\n", 2, "duplicate-id"),
    "bandits are a mapping": ("bandits: {}\n", 1, "wrong-type"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_where_it_is(case: str, tmp_path: Path) -> None:
    text, line, code = MISTAKES[case]
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(make_workspace(tmp_path, {"rules/more.yaml": text}))
    told = [p for p in caught.value.problems if p.severity == "error"]
    assert (line, code) in [(p.line, p.code) for p in told], told
    assert all(p.hint for p in told)
    assert len(told) <= 2, told


def warned(folder: Path, text: str) -> list[str]:
    found = read_workspace(make_workspace(folder, {"rules/more.yaml": text})).warnings
    return [f"{p.line}: {p.message}" for p in found if p.path == "rules/more.yaml"]


def test_what_is_in_vain_gets_a_warning(tmp_path: Path) -> None:
    alone = bandit().partition("campaigns:")[0]
    assert warned(tmp_path / "a", alone) == ["2: no campaign shows the bandit 'b'"]
    elsewhere = bandit("", "[{key: a, show: {trending: {content: app}}}, {key: b, show: {content: app}}]")
    (told,) = warned(tmp_path / "b", elsewhere)
    assert told == "2: bandit 'b' shows something in 'trending', and no campaign of it is there"
    assert warned(tmp_path / "c", bandit()) == []


def test_what_a_bandit_shows_is_used(tmp_path: Path) -> None:
    found = read_workspace(make_workspace(tmp_path, BANDITS))
    assert [problem for problem in found.warnings if problem.path != "rules/campaigns.yaml"] == []
    assert {show.content for show in found.shows()} >= {"warm", "cool"}
