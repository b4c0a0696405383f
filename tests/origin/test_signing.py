"""Signatures: public vectors, and that a role's key speaks for its role alone."""

import base64
import json
from pathlib import Path

import pytest

from edge.agent.trust import Trust
from edge.bundle.format import Signature, Signed
from edge.errors import BundleError
from edge.keys import PublicKey
from origin import signing
from tests.origin.world import Keys


def test_wycheproof(suites_dir: Path) -> None:
    suite = json.loads((suites_dir / "wycheproof" / "ed25519_test.json").read_text())
    seen = 0
    for group in suite["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            value, message = bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"])
            assert signing.is_valid(public, value, message) == (case["result"] == "valid"), case
            seen += 1
    assert seen == suite["numberOfTests"] > 100


def test_a_key_that_is_none_is_invalid_rather_than_an_error() -> None:
    assert not signing.is_valid(b"short", b"", b"")


def test_the_role_is_part_of_what_is_signed() -> None:
    key_id, private, public = signing.new_pair("rules")
    signed = signing.sign(b"payload", "rules", key_id, private)
    assert signing.verify(signed, "rules", [public]) == b"payload"
    with pytest.raises(BundleError, match="signature"):
        signing.verify(signed, "models", [public])
    bare = signing.Ed25519PrivateKey.from_private_bytes(private).sign(b"nearside:rules\0payload")
    assert signed.signatures[0].value == bare


def test_only_trusted_keys_count_and_one_is_enough() -> None:
    key_id, private, public = signing.new_pair("rules")
    other_id, other_private, other = signing.new_pair("rules")
    signed = signing.sign(b"payload", "rules", key_id, private)
    both = Signed(
        b"payload",
        (*signing.sign(b"payload", "rules", other_id, other_private).signatures, *signed.signatures),
    )
    assert signing.verify(both, "rules", [public]) == b"payload"
    with pytest.raises(BundleError, match=key_id):
        signing.verify(signed, "rules", [other])
    renamed = PublicKey(key_id, other.public)
    with pytest.raises(BundleError):
        signing.verify(signed, "rules", [renamed])


def test_the_edge_believes_what_the_origin_and_its_publishers_sign(keys: Keys) -> None:
    trust = Trust(keys.edge)
    signers = {**keys.publisher.sign, **keys.origin.sign}
    assert set(signers) == {"rules", "models", "catalog", "online"}
    for role, key in signers.items():
        signed = signing.sign(b"payload", role, key.id, key.raw())
        trust.verify(signed, role)
        with pytest.raises(BundleError):
            trust.verify(signed, "online" if role == "rules" else "rules")


def test_nobody_and_a_crowd_are_refused() -> None:
    with pytest.raises(BundleError, match="nobody"):
        signing.verify(Signed(b"x", ()), "rules", [])
    crowd = Signed(b"x", (Signature("a", b""),) * 17)
    with pytest.raises(BundleError, match="more than 16"):
        signing.verify(crowd, "rules", [PublicKey("a", base64.b64encode(bytes(32)).decode())])
