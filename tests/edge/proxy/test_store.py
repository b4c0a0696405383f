"""Kept responses: found by what selects them, bounded, and forgotten wholly."""

from edge.proxy.policy import Terms
from edge.proxy.store import MAX_VARIANTS, OVERHEAD_BYTES, Entry, Key, Store

KEY: Key = (b"/",)


def entry(body: bytes = b"x", *, lang: bytes | None = None, tags: tuple[bytes, ...] = ()) -> Entry:
    selecting = ((b"accept-language", lang),) if lang is not None else ()
    return Entry(200, [], body, Terms(60, 5, 9), 1000.0, selecting, frozenset(tags))


def seen(lang: bytes | None = None):
    return lambda name: lang


def test_the_variant_that_a_request_selects() -> None:
    store = Store(1 << 20)
    for lang in (b"de", b"en"):
        assert store.put(KEY, entry(lang, lang=lang))
    for lang in (b"de", b"en"):
        found = store.find(KEY, seen(lang))
        assert found is not None
        assert found.body == lang
    assert store.find(KEY, seen()) is None
    assert store.find((b"/a",), seen()) is None


def test_a_newer_response_takes_the_place_of_the_older() -> None:
    store = Store(1 << 20)
    store.put(KEY, entry(b"old"))
    store.put(KEY, entry(b"new"))
    assert len(store) == 1
    assert store.size_bytes == 3 + OVERHEAD_BYTES


def test_variants_of_one_url_are_bounded() -> None:
    store = Store(1 << 20)
    for number in range(MAX_VARIANTS + 9):
        store.put(KEY, entry(lang=b"%d" % number))
    assert len(store) == MAX_VARIANTS
    assert store.find(KEY, seen(b"0")) is None


def test_bytes_are_bounded_and_the_indexes_with_them() -> None:
    store = Store(10 * (100 + OVERHEAD_BYTES))
    for number in range(50):
        store.put((b"/%d" % number,), entry(b"x" * 100, tags=(b"t%d" % number,)))
    assert len(store) == len(store._by_target) == len(store._by_tag) == 10
    assert not store.put((b"/large",), entry(b"x" * 100_000))
    assert len(store) == 10


def test_purges() -> None:
    store = Store(1 << 20)
    store.put((b"/a", b"https"), entry(tags=(b"films", b"home")))
    store.put((b"/a", b"http"), entry(tags=(b"home",)))
    store.put((b"/b",), entry(tags=(b"films",)))
    assert store.purge_tag(b"films") == 2
    assert store.purge_tag(b"films") == 0
    assert store.purge_target(b"/a") == 1
    store.put((b"/b",), entry())
    assert store.purge_all() == 1
    assert not store._by_target
    assert not store._by_tag


def test_one_entry_is_dropped_alone() -> None:
    store = Store(1 << 20)
    de, en = entry(lang=b"de"), entry(lang=b"en")
    store.put(KEY, de)
    store.put(KEY, en)
    store.drop(KEY, de)
    store.drop(KEY, de)
    assert store.find(KEY, seen(b"en")) is en
    assert len(store) == 1


def test_times_of_an_entry() -> None:
    kept = entry()
    assert kept.fresh_until_s == 1060
    assert kept.age_s(1003.9) == 3
    assert kept.age_s(999) == 0
    assert [kept.may_wait(1064.9), kept.may_wait(1065)] == [True, False]
    assert [kept.may_replace_error(1068.9), kept.may_replace_error(1069)] == [True, False]
