"""The publisher's side: only what is missing travels, and every failure has a name."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge.bundle import format as fmt
from edge.errors import BundleError, ConfigError, OriginError
from origin.publishing.client import OriginClient
from origin.publishing.publish import kill, list_revisions, publish, revive, roll_back
from tests.origin.world import Keys, make_keys, make_parts


def test_publish_uploads_only_what_is_missing(served: str, keys: Keys, tmp_path: Path) -> None:
    first = make_parts().write(tmp_path / "one")
    done = publish(first, served, keys.publisher, "ann", "first")
    assert (done.number, done.serial, done.skipped_bytes) == (1, 1, 0)
    assert done.uploaded_bytes == sum(len(body) for body in make_parts().artifacts.values())

    again = publish(first, served, keys.publisher, "ann", "again", activate=False)
    assert (again.number, again.serial, again.uploaded_bytes) == (2, 1, 0)
    assert again.skipped_bytes == done.uploaded_bytes
    entries = list_revisions(served, keys.publisher)
    assert [(entry.number, entry.reason) for entry in entries] == [(2, "again"), (1, "first")]


def test_roll_back_kill_and_revive(served: str, keys: Keys, tmp_path: Path) -> None:
    for text in ("one", "two"):
        publish(make_parts(text).write(tmp_path / text), served, keys.publisher, "ann", text)
    order = ("ann", "because")
    assert kill(served, keys.publisher, ["b", "a"], *order) == 3
    assert roll_back(served, keys.publisher, 1, *order) == 4
    assert kill(served, keys.publisher, ["c"], *order) == 5
    assert revive(served, keys.publisher, ["a", "unknown"], *order) == 6
    with OriginClient(served, keys.publisher) as client:
        rollout = client.rollout()
    assert rollout == fmt.Rollout(1, "films", 6, {"*": 1}, ("b", "c"))
    with pytest.raises(OriginError, match="no-revision: no revision 9"):
        roll_back(served, keys.publisher, 9, *order)


def test_a_kill_waits_for_a_change_that_came_first(
    served: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = OriginClient.rollout
    raced = []

    def late(self: OriginClient) -> fmt.Rollout | None:
        found = read(self)
        if not raced:
            raced.append(True)
            self.post_rollout({"kill": ["first"], "author": "bob"})
        return found

    monkeypatch.setattr(OriginClient, "rollout", late)
    assert kill(served, keys.publisher, ["second"], "ann", "") == 2
    with OriginClient(served, keys.publisher) as client:
        rollout = client.rollout()
    assert rollout is not None
    assert rollout.kill == ("first", "second")


def test_a_holder_of_one_role_publishes_that_role(served: str, keys: Keys, tmp_path: Path) -> None:
    publish(make_parts().write(tmp_path / "one"), served, keys.publisher, "ann", "")
    marketer = replace_sign(keys, "rules")
    rules = make_parts("two")
    mixed = make_parts()
    mixed.manifests["rules"] = rules.manifests["rules"]
    mixed.artifacts.update(rules.artifacts)
    assert publish(mixed.write(tmp_path / "mixed"), served, marketer.publisher, "mia", "").number == 2
    with pytest.raises(ConfigError, match="can't sign for 'models'"):
        publish(make_parts("three").write(tmp_path / "three"), served, marketer.publisher, "mia", "")


def replace_sign(keys: Keys, *roles: str) -> Keys:
    sign = {role: keys.publisher.sign[role] for role in roles}
    publisher = type(keys.publisher)(keys.publisher.site, keys.publisher.publish_token, sign)
    return replace(keys, publisher=publisher)


def test_what_is_no_bundle_of_this_site_does_not_travel(served: str, keys: Keys, tmp_path: Path) -> None:
    foreign = make_parts(site="songs").write(tmp_path / "songs")
    with pytest.raises(BundleError, match="foreign-site"):
        publish(foreign, served, keys.publisher, "ann", "")
    parts = make_parts()
    broken = parts.write(tmp_path / "broken")
    sha256, body = next(iter(parts.artifacts.items()))
    (broken / "artifacts" / sha256).write_bytes(body[::-1])
    with pytest.raises(BundleError, match="artifact-hash"):
        publish(broken, served, keys.publisher, "ann", "")
    assert list_revisions(served, keys.publisher) == []


def test_an_origin_that_is_down_or_refuses_says_so(served: str, keys: Keys, tmp_path: Path) -> None:
    bundle = make_parts().write(tmp_path / "one")
    with pytest.raises(OriginError, match=r"origin-unreachable: http://127.0.0.1:9 .* is it up\?"):
        publish(bundle, "http://127.0.0.1:9", keys.publisher, "ann", "")
    with pytest.raises(OriginError, match="origin-url"):
        publish(bundle, "localhost", keys.publisher, "ann", "")
    stranger = make_keys(tmp_path / "stranger")
    with pytest.raises(OriginError, match=r"wrong-token: .* \(take the key file"):
        publish(bundle, served, stranger.publisher, "ann", "")
    elsewhere = make_keys(tmp_path / "songs", "songs")
    with pytest.raises(OriginError, match="no-site"):
        list_revisions(served, elsewhere.publisher)
    with pytest.raises(OriginError, match="no-route"):
        list_revisions(f"{served}/deeper", keys.publisher)
