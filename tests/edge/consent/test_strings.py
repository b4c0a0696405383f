"""Whatever stands in a consent string: it is read or refused, with one type of error, quickly."""

import contextlib
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.consent import canada, gpp, tcf, us
from edge.consent.bits import MAX_CHARS, Bits, ids_of
from edge.errors import ConsentError
from tests.edge.consent.make import BASE64, encoded

TC = "COvzTO5OvzTO5BRAAAENAPCoALIAADgAAAAAAewAwABAAlAB6ABBFADBQAQA9hAAAcAA"
GPP = "DBACNYA~CPSG_8APSG_8ANwAAAENAwCgAAAAAAAAAAAAAAAAAAAA.IAAA.YAAAAAAAAAAA~1YNN"
CANADIAN = "BPSG_8APSG_8AAyACAENGdCgf_gfgAfgfgBhADVqxGAD0AILVgAA.fHHHA4444ao"

READERS: tuple[Callable[[str], object], ...] = (tcf.decode, gpp.decode, canada.read, us.read_usp)


def read_by_all(text: str) -> None:
    for read in READERS:
        with contextlib.suppress(ConsentError):
            read(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    read_by_all(text)


@given(st.sampled_from((TC, GPP, CANADIAN)), st.text(BASE64 + ".~", max_size=40), st.integers(0, 80))
def test_what_looks_like_a_consent_string_is_read_or_refused(text: str, other: str, at: int) -> None:
    read_by_all(text[:at] + other + text[at + len(other) :])
    read_by_all(text[:at] + other)


@given(st.integers(0, 27), st.text(BASE64 + ".", max_size=40))
def test_any_section_of_a_gpp_string_is_read_or_refused(number: int, section: str) -> None:
    if number in us.SECTIONS:
        with contextlib.suppress(ConsentError):
            us.opted_out(us.read(number, section))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "base64"),
        ("CO=", "base64"),
        ("COvzTO5", "short"),
        ("D" + TC[1:], "version"),
        (TC + ".A", "segment"),
        (TC + ".QAAo.QAAo", "segment"),
        (TC + ".", "base64"),
        ("C" * (MAX_CHARS + 1), "too-long"),
        ("Ｃ" + TC[1:], "base64"),
    ],
)
def test_a_broken_tc_string_says_what_is_wrong(text: str, code: str) -> None:
    with pytest.raises(ConsentError) as caught:
        tcf.decode(text)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DCABLA~BVVqAAEABCA", "header"),
        ("DBABLA", "sections"),
        ("DBABLA~BVVqAAEABCA~1YNN", "sections"),
        ("DBABRO~ ", "sections"),
        ("DBABTA~2YNN", "usp"),
        ("DBABTA~1YN", "usp"),
    ],
)
def test_a_broken_gpp_string_says_what_is_wrong(text: str, code: str) -> None:
    with pytest.raises(ConsentError) as caught:
        gpp.decode(text)

    assert caught.value.code == code


def test_a_section_of_a_law_to_come_is_passed_over() -> None:
    found = gpp.decode("DBABRO~whatever-it.says")

    assert (found.section_ids, found.tc, found.states) == ((43,), {}, {})


def test_the_longest_strings_take_little_time_and_space() -> None:
    # As many ranges over all vendors as fit: what a hostile cookie would ask for.
    head = f"{2:06b}" + "0" * 72 + f"{50:012b}" + "0" * 24 + "0" * 12 + "0" * 75
    ranges = "1" + f"{1:016b}{65535:016b}"
    for count, rest in ((1400, ""), (0, f"{900:012b}" + (f"{1:06b}00" + f"{1:012b}" + ranges) * 900)):
        vendors = f"{65535:016b}1{count:012b}" + ranges * count
        text = encoded(head + vendors + "0" * 17 + rest)[:MAX_CHARS]
        tracemalloc.start()
        begun = time.process_time()
        read_by_all(text)
        spent_s = time.process_time() - begun
        _, most_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert spent_s < 0.5
        assert most_bytes < 16 << 20


@pytest.mark.parametrize(
    ("bits", "number"),
    [("11", 1), ("011", 2), ("0011", 3), ("1011", 4), ("00011", 5), ("01011", 7), ("1010011", 17)],
)
def test_fibonacci_numbers(bits: str, number: int) -> None:
    assert Bits(encoded(bits)).fibonacci() == number


def test_a_fibonacci_number_out_of_bounds_is_refused() -> None:
    with pytest.raises(ConsentError):
        Bits(encoded("0" * 60 + "11")).fibonacci()


@given(st.sets(st.integers(1, 3000), max_size=50))
def test_a_set_is_read_alike_as_a_bit_field_and_as_ranges(numbers: set[int]) -> None:
    greatest = max(numbers, default=0)
    field = "".join("01"[n in numbers] for n in range(1, greatest + 1))
    ranges = "".join(f"0{n:016b}" for n in sorted(numbers))

    for bits in (f"{greatest:016b}0{field}", f"{greatest:016b}1{len(numbers):012b}{ranges}"):
        assert set(ids_of(Bits(encoded(bits)).vendors())) == numbers


OBJECTIONS = [
    ({"SaleOptOut": 1}, True),
    ({"SharingOptOut": 1}, True),
    ({"TargetedAdvertisingOptOut": 1}, True),
    ({"SaleOptOut": 2, "SharingOptOut": 2, "TargetedAdvertisingOptOut": 0, "Gpc": False}, False),
    ({"SaleOptOut": 2, "Gpc": True}, True),
    ({"KnownChildSensitiveDataConsents": (2, 1)}, True),
    ({"KnownChildSensitiveDataConsents": 2, "PersonalDataConsents": 2}, False),
    ({"PersonalDataConsents": 1, "AdditionalDataProcessingConsent": 1}, False),
    (us.read_usp("1YYN"), True),
    (us.read_usp("1YNN"), False),
    (us.read_usp("1---"), False),
]


@pytest.mark.parametrize(("fields", "objected"), OBJECTIONS)
def test_what_counts_as_an_objection(fields: us.Fields, objected: bool) -> None:
    assert us.opted_out(fields) is objected
