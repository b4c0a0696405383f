"""Facts in a mapped file: each visitor's own, nobody else's, whatever the file holds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.arrays import pack, unpack
from edge.errors import ConfigError
from edge.visitor.fact_file import FactFile, build, write
from edge.visitor.facts import Facts, FactStore, NoFactStore, hash_of

KEY, OTHER = (3, b"k" * 32), (4, b"o" * 32)
IDS = st.binary(min_size=16, max_size=16)
FACTS = st.dictionaries(st.sampled_from(("segment", "ltv", "vip")), st.text(min_size=1, max_size=20))


def _opened(folder: Path, body: bytes) -> FactFile:
    path = folder / f"facts{len(list(folder.iterdir()))}"
    write(path, body)
    return FactFile(path, "films", (KEY,))


@given(st.dictionaries(IDS, FACTS, max_size=12), IDS)
def test_everyone_has_their_own_facts(
    tmp_path_factory: pytest.TempPathFactory, told: dict[bytes, Facts], stranger: bytes
) -> None:
    store = _opened(tmp_path_factory.mktemp("facts"), build("films", KEY, told.items()))
    for visitor, facts in told.items():
        assert store.get(visitor) == facts
    assert store.get(stranger) == told.get(stranger, {})
    assert len(store) == len(told)


@given(st.dictionaries(IDS, FACTS, max_size=8))
def test_the_same_facts_are_the_same_bytes(told: dict[bytes, Facts]) -> None:
    assert build("films", KEY, told.items()) == build("films", KEY, reversed(told.items()))


def test_the_file_says_nothing_of_ids_without_the_key(tmp_path: Path) -> None:
    visitor = b"v" * 16
    body = build("films", KEY, [(visitor, {"segment": "new"})])
    assert visitor not in body and visitor.hex().encode() not in body
    hashes = {
        hash_of("films", KEY[1], visitor),
        hash_of("shop", KEY[1], visitor),
        hash_of("films", OTHER[1], visitor),
    }
    assert len(hashes) == 3


def test_many_visitors_are_found_in_microseconds(tmp_path: Path) -> None:
    ids = [number.to_bytes(16, "big") for number in range(20_000)]
    store = _opened(tmp_path, build("films", KEY, [(one, {"n": str(at)}) for at, one in enumerate(ids)]))
    assert [store.get(ids[at])["n"] for at in (0, 9_999, 19_999)] == ["0", "9999", "19999"]


def _arrays(change: Callable[[dict[str, np.ndarray]], None]) -> bytes:
    arrays = dict(unpack(build("films", KEY, [(b"v" * 16, {"segment": "new"})])))
    change(arrays)
    return pack(arrays)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "0 bytes"),
        (b"nonsense of some length", "is no file of facts"),
        (build("films", KEY, [])[:-70], "is no file of facts"),
        (build("shop", KEY, []), "about visitors of 'shop', not of 'films'"),
        (build("films", OTHER, []), "made with event key 4, which is not held"),
        (_arrays(lambda arrays: arrays.pop("first")), "is no file of facts"),
        (_arrays(lambda arrays: arrays.update(first=np.zeros(2, np.uint64))), "do not fit each other"),
        (_arrays(lambda arrays: arrays.update(first=np.zeros(1, np.uint32))), "do not fit each other"),
    ],
)
def test_what_is_no_file_of_facts_is_refused_with_the_reason(tmp_path: Path, body: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _opened(tmp_path, body)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make one with `nearside facts`"):
        FactFile(tmp_path / "none", "films", [KEY])


def test_damage_inside_is_a_visitor_of_whom_nothing_is_known(tmp_path: Path) -> None:
    store = _opened(tmp_path, _arrays(lambda arrays: arrays["values.blob"].flags))
    assert store.get(b"v" * 16) == {"segment": "new"}

    def damage(arrays: dict[str, np.ndarray]) -> None:
        arrays["values.blob"] = np.full(len(arrays["values.blob"]), 0xC1, np.uint8)

    assert _opened(tmp_path, _arrays(damage)).get(b"v" * 16) == {}


def test_a_file_that_is_replaced_does_not_change_what_is_open(tmp_path: Path) -> None:
    path = tmp_path / "facts"
    write(path, build("films", KEY, [(b"v" * 16, {"segment": "old"})]))
    before = FactFile(path, "films", [KEY])
    write(path, build("films", KEY, [(b"v" * 16, {"segment": "new"})]))
    assert before.get(b"v" * 16) == {"segment": "old"}
    assert FactFile(path, "films", [KEY]).get(b"v" * 16) == {"segment": "new"}
    assert [file.name for file in tmp_path.iterdir()] == ["facts"]


def test_no_store_knows_nobody() -> None:
    store: FactStore = NoFactStore()
    assert store.get(b"v" * 16) == {}
