"""Who may sign what."""

import msgspec
import pytest

from edge.agent.trust import MAX_SIGNATURES, Trust
from edge.bundle import format as fmt
from edge.bundle.format import Signature, Signed
from edge.errors import BundleError
from tests.edge.origin_sim import OriginSim


def refusal(sim: OriginSim, data: bytes, role: str) -> str:
    with pytest.raises(BundleError) as caught:
        Trust(sim.keys()).open(data, role)
    return caught.value.code


@pytest.mark.parametrize("role", ["rules", "models", "catalog", "online"])
def test_a_key_signs_for_its_role(sim: OriginSim, role: str) -> None:
    assert Trust(sim.keys()).open(sim.sign(b"payload", role), role).payload == b"payload"


def test_a_changed_byte_is_refused(sim: OriginSim) -> None:
    signed = fmt.decode(sim.sign(b"payload", "rules"), Signed)
    assert refusal(sim, fmt.encode(Signed(b"paylord", signed.signatures)), "rules") == "signature"


def test_a_key_of_another_role_is_named(sim: OriginSim) -> None:
    assert refusal(sim, sim.sign(b"payload", "rules"), "models") == "wrong-role"


def test_the_signature_of_another_role_is_not_carried_over(sim: OriginSim) -> None:
    # The same key id, so only the role inside what was signed tells them apart.
    sim.private["models"] = sim.private["rules"]
    assert refusal(sim, sim.sign(b"payload", "rules", key_id="models-1"), "models") == "signature"


def test_an_unknown_key_is_refused(sim: OriginSim) -> None:
    assert refusal(sim, sim.sign(b"payload", "rules", key_id="stranger"), "rules") == "unknown-key"


def test_an_unknown_role_trusts_nobody(sim: OriginSim) -> None:
    assert refusal(sim, sim.sign(b"payload", "rules"), "press") == "wrong-role"


@pytest.mark.parametrize("count", [0, MAX_SIGNATURES + 1])
def test_the_number_of_signatures_is_bounded(sim: OriginSim, count: int) -> None:
    good = fmt.decode(sim.sign(b"payload", "rules"), Signed).signatures
    assert refusal(sim, fmt.encode(Signed(b"payload", good * count)), "rules") == "signature"


def test_one_good_signature_among_strangers_is_enough(sim: OriginSim) -> None:
    good = fmt.decode(sim.sign(b"payload", "rules"), Signed).signatures
    signatures = (Signature("stranger", b"x"), Signature("rules-1", b"short"), *good)
    data = fmt.encode(Signed(b"payload", signatures))
    assert Trust(sim.keys()).open(data, "rules").payload == b"payload"


NOT_UTF_8 = msgspec.msgpack.encode({"payload": b"", "signatures": [{"key": "AA", "value": b""}]}).replace(
    b"AA", b"\xff\xff"
)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", NOT_UTF_8, b"\x91" * 10_000, fmt.encode(Signature("a", b"b"))]
)
def test_what_is_no_signed_document_is_refused(sim: OriginSim, data: bytes) -> None:
    assert refusal(sim, data, "rules") == "malformed"
