"""What an edge finds in a page, in lines."""

import pytest

from origin.commands.marks_shown import marks


@pytest.mark.parametrize(
    ("page", "lines", "usable"),
    [
        (b"<p>x</p>", ["no marks"], True),
        (b"\n<b data-placement=a>1\n</b>\n<!-- nearside:script --><p data-block=p></p>",
         ["line 2: placement a, 2 bytes by default", "line 4: our script", "line 4: block p"], True),
        (b"<!-- placement:a -->", ["left alone: a: nothing closes it (unclosed)"], False),
        (b"<i data-placement=a></i>" * 65,
         ["line 1: placement a, 0 bytes by default"] * 64
         + ["left alone: a: a page has 64 placements at most (too-many)"], False),
    ],
)  # fmt: skip
def test_what_is_found(page: bytes, lines: list[str], usable: bool) -> None:
    assert marks(page) == (lines, usable)


def test_the_sites_content_type_counts() -> None:
    page = b"<i data-placement=a></i>"
    assert marks(page, "text/html; charset=windows-1251")[1]
    assert marks(page, "text/html; charset=iso-2022-jp") == (
        ["left alone: page: a page in this encoding can't be cut (charset)"], False
    )  # fmt: skip
