"""What is active is read whole or not at all."""

from pathlib import Path

import pytest

from edge.bundle.active import Active, active_path, read_active, write_active
from edge.errors import BundleError

ACTIVE = Active(3, "0123456789abcdef" * 2, 7, ("hero",))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_active(tmp_path) is None
    write_active(tmp_path, ACTIVE)
    assert read_active(tmp_path) == ACTIVE
    assert [path.name for path in tmp_path.iterdir()] == ["active.json"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"revision": 3}',
        b'{"revision": 3, "bundle": "\xff", "serial": 1}',
        b'{"revision": 3, "bundle": "../../etc", "serial": 1}',
        b'{"revision": 3, "bundle": "' + b"G" * 32 + b'", "serial": 1}',
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    active_path(tmp_path).write_bytes(data)
    with pytest.raises(BundleError) as caught:
        read_active(tmp_path)
    assert caught.value.code == "active"
