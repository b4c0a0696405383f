"""Runs of numbers read as one agree with numbers read one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto, helper

from edge.decide.protobuf import fields, floats, ints, runs
from edge.errors import BundleError

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


@given(st.lists(INT64, max_size=20), st.lists(st.floats(width=32, allow_nan=False), max_size=20))
def test_runs_hold_what_was_written(whole: list[int], real: list[float]) -> None:
    attribute = AttributeProto(name="a", ints=whole, floats=real, i=3, s=b"end", doc_string="x" * 300)
    read_ints, read_floats = [], []
    for number, value in runs(memoryview(attribute.SerializeToString())):
        if number == 8:
            read_ints += ints(value).tolist()
        if number == 7:
            read_floats += floats(value).tolist()
    assert read_ints == whole
    assert read_floats == real


@given(st.lists(INT64, max_size=20))
def test_packed_lists_read_alike(whole: list[int]) -> None:
    tensor = helper.make_tensor("t", 7, [len(whole)], whole)
    packed = [value for number, value in fields(memoryview(tensor.SerializeToString())) if number == 7]
    assert [number for part in packed for number in ints(part).tolist()] == whole


@given(st.binary(max_size=80))
def test_noise_ends_in_an_error_or_at_its_end(noise: bytes) -> None:
    try:
        for _, value in runs(memoryview(noise)):
            if not isinstance(value, int):
                ints(value)
    except BundleError as error:
        assert error.code == "graph"


@pytest.mark.parametrize("noise", [b"\x40", b"\x40\x80", b"\x3d\x00", b"\x3d\x00\x00\x00\x00\x3d\x00"])
def test_cut_runs_are_refused(noise: bytes) -> None:
    with pytest.raises(BundleError):
        list(runs(memoryview(noise)))
