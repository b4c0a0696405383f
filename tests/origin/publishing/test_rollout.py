"""Forward, back, one PoP alone: what is in force after each order, and that its history stays."""

from pathlib import Path

import pytest

from edge.errors import ConfigError, OriginError
from origin.publishing import rollout
from origin.publishing.client import OriginClient
from origin.publishing.publish import publish
from origin.publishing.rollout import Moved, Orderer
from tests.origin.world import Keys, make_parts


@pytest.fixture
def orderer(served: str, keys: Keys, tmp_path: Path) -> Orderer:
    """Of a site with three revisions; the last is in force."""
    for text in ("one", "two", "three"):
        publish(make_parts(text).write(tmp_path / text), served, keys.publisher, "ann", text)
    return Orderer(served, keys.publisher, "bob", "because")


def pops(orderer: Orderer) -> dict[str, int]:
    with OriginClient(orderer.url, orderer.keys) as client:
        current = client.rollout()
        assert current
        return current.pops


def test_back_goes_further_back_each_time_and_never_forward(orderer: Orderer) -> None:
    assert rollout.back(orderer) == Moved(4, 3, 2)
    assert rollout.back(orderer) == Moved(5, 2, 1)
    with pytest.raises(ConfigError, match="all PoPs never served an older revision than 1"):
        rollout.back(orderer)
    assert rollout.to(orderer, 3) == Moved(6, 1, 3)
    assert pops(orderer) == {"*": 3}


def test_one_pop_alone(orderer: Orderer) -> None:
    assert rollout.to(orderer, 1, "lab") == Moved(4, 3, 1)
    assert pops(orderer) == {"*": 3, "lab": 1}
    with pytest.raises(ConfigError, match="PoP 'lab' never served"):
        rollout.back(orderer, "lab")
    assert rollout.back(orderer, "vienna") == Moved(5, 3, 2)
    assert pops(orderer) == {"*": 3, "lab": 1, "vienna": 2}
    assert rollout.unpin(orderer, "lab") == Moved(6, 1, 3)
    with pytest.raises(ConfigError, match="'lab' is not named"):
        rollout.unpin(orderer, "lab")
    assert rollout.back(orderer) == Moved(7, 3, 2)
    assert pops(orderer) == {"*": 2}


def test_a_revision_that_never_was_in_force_is_no_way_back(orderer: Orderer, tmp_path: Path) -> None:
    draft = make_parts("draft").write(tmp_path / "draft")
    publish(draft, orderer.url, orderer.keys, "ann", "", activate=False)
    last = make_parts("five").write(tmp_path / "five")
    assert publish(last, orderer.url, orderer.keys, "ann", "").number == 5
    assert rollout.back(orderer).after == 3


def test_the_history_tells_what_who_when_and_why(orderer: Orderer) -> None:
    rollout.back(orderer)
    rollout.kill(orderer, ["spring"])
    with OriginClient(orderer.url, orderer.keys) as client:
        history, revisions = client.rollouts(), client.revisions()
    assert [(e.serial, e.pops, e.kill, e.author, e.reason) for e in history[:3]] == [
        (5, {"*": 2}, ("spring",), "bob", "because"),
        (4, {"*": 2}, (), "bob", "because"),
        (3, {"*": 3}, (), "ann", "three"),
    ]
    assert history[0].created_ms >= history[-1].created_ms > 1_600_000_000_000
    assert [(r.number, r.pops) for r in revisions] == [(3, ()), (2, ("*",)), (1, ())]
    assert {r.bytes for r in revisions if r.number == 1} == {sum(map(len, make_parts().artifacts.values()))}


def test_another_change_in_between_is_kept(orderer: Orderer, monkeypatch: pytest.MonkeyPatch) -> None:
    read = OriginClient.rollout
    raced = []

    def late(self: OriginClient) -> object:
        found = read(self)
        if not raced:
            raced.append(True)
            self.post_rollout({"pops": {"*": 3, "lab": 2}, "author": "eve"})
        return found

    monkeypatch.setattr(OriginClient, "rollout", late)
    assert rollout.to(orderer, 1, "vienna") == Moved(5, 3, 1)
    assert pops(orderer) == {"*": 3, "lab": 2, "vienna": 1}


def test_what_can_not_be_is_refused(orderer: Orderer) -> None:
    with pytest.raises(OriginError, match="no-revision"):
        rollout.to(orderer, 9)
    with pytest.raises(OriginError, match="pops: "):
        rollout.to(orderer, 1, "no such name")
    with OriginClient(orderer.url, orderer.keys) as client, pytest.raises(OriginError, match="no-revision"):
        client.post_rollout({"pops": {"*": 10**30}, "author": "eve"})


def test_the_artifact_level_diff(orderer: Orderer) -> None:
    with OriginClient(orderer.url, orderer.keys) as client:
        diff, same = client.diff(1, 2), client.diff(2, 2)
        detail = client.revision(2)
    assert (diff.a, diff.b) == (1, 2)
    assert diff.download_bytes == sum(map(len, make_parts("two").artifacts.values())) == detail.bytes
    for role, changed in diff.roles.items():
        assert not (changed.same or changed.added or changed.removed)
        (pair,) = changed.changed
        assert pair.after == detail.manifests[role].artifacts[0]
        assert pair.before != pair.after
        assert detail.manifests[role].signed_by == (orderer.keys.sign[role].id,)
    assert same.download_bytes == 0
    assert all(role.same for role in same.roles.values())
