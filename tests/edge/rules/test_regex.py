"""Regular expressions: what they match, what is refused, and that nothing takes long."""

import re
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.rules.regex import MAX_STATES, MAX_TEXT_CHARS, Regex, RegexError, regex

ATOMS = st.sampled_from(
    ["a", "b", "ab", ".", "[ab]", "[^a]", r"\d", r"\w", r"\W", r"\b", r"\B", "^", "$", "[a-c1]", r"\."]
)


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?", "{0,}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    )


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(ATOMS, _joined, max_leaves=6),
    st.lists(st.text("abc1_. \n", min_size=1, max_size=8), min_size=1, max_size=5),
    st.booleans(),
)
def test_agrees_with_the_standard_library(pattern: str, texts: list[str], insensitive: bool) -> None:
    # No empty text: until Python 3.14, \B did not match there, as it does in JavaScript.
    # `$` is JavaScript's: the very end. Sets of characters are ASCII, as there.
    peer = re.compile(pattern.replace("$", r"\Z"), re.ASCII | (re.IGNORECASE if insensitive else 0))
    mine = Regex(pattern, insensitive)
    for text in [*texts, *[text.upper() for text in texts]]:
        assert mine.search(text) is bool(peer.search(text)), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("^$", "", True),
        (r"\x41\u0042", "AB", True),
        (r"^\/shop\/", "/shop/a", True),
        ("a{,3}", "a{,3}", True),
        ("[]a]", "]", False),
        ("[^]", "x", True),
        (r"[\d-]+$", "1-2", True),
        ("(?<year>2026)", "in 2026", True),
        (r"\bcat\b", "a cat.", True),
        (r"\bcat\b", "concat", False),
        ("a.c", "a\nc", False),
        ("x$", "x\n", False),
    ],
)
def test_reads_what_javascript_reads(pattern: str, text: str, expected: bool) -> None:
    assert Regex(pattern).search(text) is expected


@pytest.mark.parametrize("text", ["straße", "STRASSE", "ÄPFEL", "äpfel", "Κ", "K"])
def test_case_does_not_count_beyond_ascii(text: str) -> None:
    assert Regex("^äpfel$", insensitive=True).search(text) is (text.lower() == "äpfel")
    assert Regex("[ä-ö]", insensitive=True).search("Ä")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "back reference"),
        (r"\k<x>", "back reference"),
        ("(?i)a", r"\(\?i is not supported"),
        (r"\p{L}", "not supported"),
        ("a" * 513, "at most 512 characters"),
        ("(?:a{100}){100}", f"at most {MAX_STATES} states"),
        ("a{201}", "more than 200 times"),
        ("(" * 60 + ")" * 60, "nested deeper than 50"),
        ("a{3,2}", "out of order"),
        ("[b-a]", "out of order"),
        ("(a", "without its"),
        ("a)", "without its"),
        ("[a", "in the middle"),
        ("a\\", "in the middle"),
        ("a**", "nothing to repeat"),
        ("/???***[)", "nothing to repeat"),
        ("+a", "nothing to repeat"),
        ("^*", "nothing to repeat"),
        ("(?<1>a)", "name"),
    ],
)
def test_refuses_with_a_reason(pattern: str, message: str) -> None:
    with pytest.raises(RegexError, match=message):
        regex(pattern)


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "(a*)*b", "(.*a){12}", "^(([a-z])+.)+[A-Z]([a-z])+$", "a*a*a*a*a*a*b"]
)
def test_what_blows_up_elsewhere_takes_a_moment(pattern: str) -> None:
    expression = Regex(pattern)
    began = perf_counter()
    expression.search("a" * (MAX_TEXT_CHARS - 1) + "!")
    assert perf_counter() - began < 1


def test_a_long_text_has_no_match() -> None:
    assert not Regex("a").search("a" * (MAX_TEXT_CHARS + 1))
