"""Pictures are read as they were written, and what is none is refused by name."""

import struct
from pathlib import Path

import numpy as np
import pytest

from edge.errors import GivenError
from models.content.pictures import read_picture
from tests.models.png import write_png


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("filters", [(0,), (1,), (2,), (3,), (4,), (4, 3, 2, 1, 0)])
def test_png_of_any_filter_and_channels_is_read_as_it_was_written(
    tmp_path: Path, channels: int, filters: tuple[int, ...]
) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (11, 7, channels)).astype(np.uint8)
    write_png(tmp_path / "a.png", colours, filters)
    values = colours / 255
    opacity = values[:, :, -1:] if channels in (2, 4) else 1
    plain = values[:, :, : 1 if channels < 3 else 3]
    wanted = np.broadcast_to(plain * opacity + 1 - opacity, (11, 7, 3))
    assert np.allclose(read_picture(tmp_path / "a.png"), wanted, atol=1e-6)


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.array([[[0], [1]]], np.uint8))
    data = (tmp_path / "a.png").read_bytes()
    palette = struct.pack(">I", 6) + b"PLTE" + bytes([255, 0, 0, 0, 0, 255]) + bytes(4)
    data = data[:25] + b"\x03" + data[26:33] + palette + data[33:]
    (tmp_path / "a.png").write_bytes(data)
    assert read_picture(tmp_path / "a.png").tolist() == [[[1, 0, 0], [0, 0, 1]]]


def _deep(data: bytes) -> bytes:
    return data[:24] + b"\x10" + data[25:]


def _huge(data: bytes) -> bytes:
    return data[:16] + struct.pack(">II", 60_000, 60_000) + data[24:]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: data[:20], "picture"),
        (lambda data: data[:8], "ends before the picture begins"),
        (_deep, "save it as a plain one"),
        (_huge, "60000 x 60000 pixels"),
        (lambda data: data[:45] + b"\0\0\0\0" + data[49:], "a.png"),
    ],
)
def test_damaged_and_odd_pictures_are_refused_with_their_file(
    tmp_path: Path, spoil: object, said: str
) -> None:
    assert callable(spoil)
    write_png(tmp_path / "a.png", np.full((9, 9, 3), 77, np.uint8))
    (tmp_path / "a.png").write_bytes(spoil((tmp_path / "a.png").read_bytes()))
    with pytest.raises(GivenError, match=said) as caught:
        read_picture(tmp_path / "a.png")
    assert "a.png" in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GivenError, match=r"none\.png: can't be read"):
        read_picture(tmp_path / "none.png")
