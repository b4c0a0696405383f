"""What may be kept, for how long, and for what after that."""

import pytest

from edge.proxy.policy import MAX_STALE_S, Received, Terms, terms, vary

NOW = 784111777.0
DATE = (b"date", b"Sun, 06 Nov 1994 08:49:37 GMT")
TEN_DAYS_AGO = (b"last-modified", b"Thu, 27 Oct 1994 08:49:37 GMT")


def received(*fields: tuple[bytes, bytes], status: int = 200, took_s: float = 0) -> Received:
    return Received(status, list(fields), NOW - took_s, NOW)


def of(control: bytes, *more: tuple[bytes, bytes], known: bool = False, **asked: bytes) -> Terms | None:
    fields = ((b"cache-control", control), *more) if control else more
    return terms(received(*fields), {k.replace("_", "-").encode(): v for k, v in asked.items()}, known=known)


@pytest.mark.parametrize(
    ("control", "lifetime_s", "known_s"),
    [
        (b"", None, None),
        (b"max-age=60", 60, None),
        (b"public, max-age=60", 60, 60),
        (b"max-age=60, s-maxage=10", 10, 10),
        (b"s-maxage=0, max-age=60", None, None),
        (b"MAX-AGE=60,Public", 60, 60),
        (b"max-age=-1", None, None),
        (b"max-age=x", None, None),
        (b"x-max-age=60", None, None),
        (b"private, max-age=60", None, None),
        (b'private="x", max-age=60', None, None),
        (b"no-store, max-age=60", None, None),
        (b"no-cache, max-age=60", None, None),
        (b"must-understand, no-store, max-age=60", 60, None),
        (b"max-age=60, must-revalidate", 60, None),
        (b"max-age=99999999999", 2147483647, None),
        (b"public", None, None),
    ],
)
def test_lifetimes(control: bytes, lifetime_s: int | None, known_s: int | None) -> None:
    for known, wanted in ((False, lifetime_s), (True, known_s)):
        found = of(control, known=known)
        assert (found.lifetime_s if found else None) == wanted


@pytest.mark.parametrize(
    "more",
    [
        (b"set-cookie", b"a=1"),
        (b"vary", b"*"),
        (b"vary", b"accept, *"),
        (b"vary", b"X-Forwarded-For"),
        (b"cache-control", b"private"),
        (b"cdn-cache-control", b"no-store"),
        (b"cdn-cache-control", b"private, max-age=60"),
        (b"cdn-cache-control", b"max-age=0"),
    ],
)
def test_what_forbids_keeping(more: tuple[bytes, bytes]) -> None:
    assert of(b"max-age=60", more) is None


@pytest.mark.parametrize("status", [100, 103, 206, 304, 400, 413, 429, 431])
def test_statuses_that_are_never_kept(status: int) -> None:
    assert terms(received((b"cache-control", b"max-age=60"), status=status), {}) is None


def test_what_the_request_forbids() -> None:
    assert of(b"max-age=60", cache_control=b"no-store") is None
    assert of(b"max-age=60", authorization=b"Basic x") is None
    assert of(b"max-age=60", (b"vary", b"cookie"), cookie=b"a=1") is None
    assert of(b"max-age=60", (b"vary", b"cookie")) is not None


def test_a_field_for_caches_like_this_one_comes_before_the_others() -> None:
    own = (b"cdn-cache-control", b"max-age=5")
    assert of(b"no-store", own) == Terms(5, 0, MAX_STALE_S)
    assert of(b"private, max-age=60", own, known=True) == Terms(5, 0, MAX_STALE_S)
    assert of(b"", (b"cdn-cache-control", b"foo"), (b"cache-control", b"max-age=60"), known=True) is None
    assert of(b"no-store", (b"cdn-cache-control", b"max-age=5, &&")) is None


def test_expires_is_counted_from_the_date() -> None:
    later = (b"expires", b"Sun, 06 Nov 1994 08:50:37 GMT")
    assert of(b"", DATE, later) == Terms(60, 0, MAX_STALE_S)
    assert of(b"", (b"expires", b"0"), DATE) is None
    assert of(b"max-age=5", DATE, later) == Terms(5, 0, MAX_STALE_S)


def test_a_tenth_of_its_age_where_nothing_is_stated() -> None:
    assert of(b"", DATE, TEN_DAYS_AGO) == Terms(86_400, 0, MAX_STALE_S)
    for status, kept_s in ((202, 0), (404, 86_400), (503, 0)):
        found = terms(received(DATE, TEN_DAYS_AGO, status=status), {})
        assert found is not None
        assert found.lifetime_s == kept_s


def test_what_can_be_asked_about_is_kept_without_a_lifetime() -> None:
    assert of(b"no-cache, max-age=60", (b"etag", b'"1"')) == Terms(0)
    assert of(b"", (b"etag", b'"1"')) == Terms(0)
    assert of(b"", (b"etag", b"1")) is None


@pytest.mark.parametrize(
    ("control", "while_s", "error_s"),
    [
        (b"max-age=9", 0, MAX_STALE_S),
        (b"s-maxage=9", 0, 0),
        (b"s-maxage=9, stale-if-error=5, stale-while-revalidate=7", 7, 5),
        (b"max-age=9, must-revalidate, stale-if-error=5", 0, 0),
        (b"max-age=9, proxy-revalidate", 0, 0),
        (b"max-age=9, stale-if-error=0", 0, 0),
        (b"max-age=0, stale-while-revalidate=60", 60, 0),
    ],
)
def test_use_after_its_time(control: bytes, while_s: int, error_s: int) -> None:
    found = of(control)
    assert found is not None
    assert (found.while_revalidate_s, found.if_error_s) == (while_s, error_s)


def test_listed_fields_are_not_used_again() -> None:
    found = of(b'max-age=9, no-cache="A, b"')
    assert found is not None
    assert (found.lifetime_s, found.without) == (9, {b"a", b"b"})


@pytest.mark.parametrize(
    ("fields", "took_s", "age"),
    [
        ([], 0, 0),
        ([], 2, 2),
        ([(b"age", b"30")], 2, 32),
        ([(b"date", b"Sun, 06 Nov 1994 08:48:37 GMT")], 0, 60),
        ([(b"date", b"Sun, 06 Nov 1994 08:59:37 GMT")], 0, 0),
        ([(b"date", b"Sun, 06 Nov 1994 08:48:37 GMT"), (b"age", b"30")], 0, 60),
    ],
)
def test_how_old_it_comes(fields: list[tuple[bytes, bytes]], took_s: float, age: float) -> None:
    assert NOW - received(*fields, took_s=took_s).made_s() == age


def test_what_selects() -> None:
    assert vary([(b"vary", b"B, a"), (b"vary", b" A")]) == (b"a", b"b")
