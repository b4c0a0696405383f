"""Header fields are read as their grammars say; what is malformed never allows more than it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.proxy.fields import age_s, date_s, directives, entity_tags, members, normalized, same_tag, targeted


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([b""], {}),
        ([b"max-age=60"], {b"max-age": b"60"}),
        ([b"MAX-AGE=60, Public"], {b"max-age": b"60", b"public": None}),
        ([b'max-age="60"'], {b"max-age": b"60"}),
        ([b"public", b"max-age=1"], {b"public": None, b"max-age": b"1"}),
        ([b"max-age=9, max-age=5"], {b"max-age": b"5"}),
        ([b"max-age=5, max-age=9"], {b"max-age": b"5"}),
        ([b"max-age=9, max-age=x"], {b"max-age": b""}),
        ([b"max-age=60a"], {b"max-age": b""}),
        ([b"max-age='60'"], {b"max-age": b""}),
        ([b"max-age = 60"], {b"max-age": b""}),
        ([b"max-age=-1"], {b"max-age": b""}),
        ([b'x="max-age=60, public", max-age=1'], {b"x": b"max-age=60, public", b"max-age": b"1"}),
        ([b"no-store=oops"], {b"no-store": b"oops"}),
        ([b"private; max-age=60"], {b"private": None}),
        ([b'max-age=60, x="no-store'], {b"private": None, b"max-age": b"60", b"x": b"no-store"}),
        ([b"=, ,, ?"], {}),
    ],
)
def test_directives(lines: list[bytes], found: dict[bytes, bytes | None]) -> None:
    assert directives(lines) == found


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], None),
        ([b""], None),
        ([b"max-age=60"], {b"max-age": b"60"}),
        ([b"max-age=60, public", b"private=?1"], {b"max-age": b"60", b"public": None, b"private": b"?1"}),
        ([b'a="x, y";q=1, max-age=2'], {b"a": b'"x, y"', b"max-age": b"2"}),
        ([b"max-age=60.5"], {b"max-age": b""}),
        ([b"Max-Age=60"], None),
        ([b"max-age =60"], None),
        ([b"max-age=60, &&&"], None),
        ([b"max-age=60,"], None),
        ([b"max-age=60 public"], None),
        ([b"max-age='60'"], None),
    ],
)
def test_targeted_fields_are_structured_or_not_there(
    lines: list[bytes], found: dict[bytes, bytes | None] | None
) -> None:
    assert targeted(lines) == found


@pytest.mark.parametrize(
    ("value", "when"),
    [
        (b"Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        (b"Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        (b"Sun Nov  6 08:49:37 1994", 784111777),
        (b"SUN, 06 NOV 1994 08:49:37 gmt", 784111777),
        (b"Thursday, 18-Aug-50 02:01:18 GMT", 2544400878),
        (b"Sun, 06 Nov 1994 08:49:37 AEST", None),
        (b"Sun 06 Nov 1994 08:49:37 GMT", None),
        (b"Sun, 06-Nov-1994 08:49:37 GMT", None),
        (b"Sun, 06 Nov 1994 8:49:37 GMT", None),
        (b"Sun, 06 Nov 94 08:49:37 GMT", None),
        (b"Sun, 41 Nov 1994 08:49:37 GMT", None),
        (b"0", None),
        (b"-1", None),
        (b"", None),
    ],
)
def test_dates(value: bytes, when: int | None) -> None:
    assert date_s(value) == when


@pytest.mark.parametrize(
    ("lines", "age"),
    [
        ([], 0), ([b"7"], 7), ([b"abc"], 0), ([b"7.0"], 0), ([b"-7"], 0), ([b"7, 0"], 7), ([b"0, 7"], 0),
        ([b"7", b"0"], 7), ([b"2147483648"], 2147483647), ([b"9" * 5000], 2147483647),
    ],
)  # fmt: skip
def test_ages(lines: list[bytes], age: int) -> None:
    assert age_s(lines) == age


def test_entity_tags() -> None:
    assert entity_tags([b'"a", W/"b,c" , d', b"*"]) == [b'"a"', b'W/"b,c"', b"*"]
    assert same_tag(b'W/"a"', b'"a"')
    assert not same_tag(b'"a"', b'"A"')


def test_spaces_and_the_case_of_languages_mean_nothing() -> None:
    assert normalized(b"accept-language", b"eN , De") == normalized(b"accept-language", b"en,de")
    assert normalized(b"x", b"A, b") != normalized(b"x", b"a,b")


@given(st.lists(st.binary(max_size=60), max_size=3))
def test_no_bytes_break_the_readers(lines: list[bytes]) -> None:
    directives(lines)
    targeted(lines)
    entity_tags(lines)
    age_s(lines)
    assert b"".join(members(lines)).count(b"\0") <= b"".join(lines).count(b"\0")
    for line in lines:
        date_s(line)


def test_a_long_list_of_quotes_takes_no_long_time() -> None:
    assert len(members([b'"\\' * 30_000 + b"," * 30_000])) < 40_000
