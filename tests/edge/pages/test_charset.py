"""A page's encoding is what a browser takes it for, and fragments come in it."""

import codecs

import pytest

from edge.pages import charset as module
from edge.pages.charset import ASCII, PRESCAN_BYTES, UTF_8, codec_of, in_codec

HTML = "text/html"


@pytest.mark.parametrize(
    ("content_type", "page", "codec"),
    [
        ("text/html; charset=utf-8", "", UTF_8),
        ('text/html;charset="UTF8"', "", UTF_8),
        ("text/html; charset=ISO-8859-1", "", "cp1252"),
        ("text/html; charset=latin1", "<meta charset=utf-8>", "cp1252"),
        ("text/html; charset=nonsense", "<meta charset=utf-8>", UTF_8),
        ("text/html; charset=", "<meta charset=koi8-r>", "koi8_r"),
        (HTML, "", ASCII),
        (HTML, "<meta charset=nonsense>", ASCII),
        (HTML, "<meta charset=utf-7>", ASCII),
        (HTML, "<META CHARSET = 'Windows-1251' />", "cp1251"),
        (HTML, '<meta name=x content=y/><meta charset="shift_jis">', "cp932"),
        (HTML, '<meta http-equiv="Content-Type" content="text/html; charset=euc-jp">', "euc_jp"),
        (HTML, '<meta content="text/html;charset=gbk" http-equiv=content-type>', "gbk"),
        (HTML, '<meta name=description content="charset=gbk"><meta charset=big5>', "cp950"),
        (HTML, '<meta name=description content="a > b charset=gbk">', ASCII),
        (HTML, "<!-- <meta charset=gbk> --><meta charset=euc-kr>", "cp949"),
        (HTML, " " * PRESCAN_BYTES + "<meta charset=gbk>", ASCII),
        (HTML, "<meta charset=utf-16>", UTF_8),
        (HTML, "<meta charset=iso-2022-jp>", ""),
        ("text/html; charset=utf-16be", "", ""),
        ("text/html; charset=hz-gb-2312", "", ""),
        ("text/html; charset=latin1", "\ufeff", UTF_8),
    ],
)
def test_the_encoding_is_what_browsers_take_it_for(content_type: str, page: str, codec: str) -> None:
    assert codec_of(content_type, page.encode()) == codec


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_is_told_by_its_mark(mark: bytes) -> None:
    assert codec_of("text/html; charset=utf-8", mark + b"<\0b\0") == ""


def test_markup_is_the_same_bytes_in_every_encoding() -> None:
    """So that no byte of a character can become markup, or the other way round."""
    markup = bytes(range(0x20, 0x7F))
    for codec in module._LABELS:
        assert codecs.lookup(codec)
        assert in_codec(markup, codec) == markup
        for character in ("ü", "ж", "字", "ア", "한", "ا", "€", "😀"):
            encoded = in_codec(character.encode(), codec)
            kept = not encoded.startswith(b"&#")
            assert not kept or not set(encoded) & set(b"<>\"'&=")
            assert not kept or encoded.decode(codec) == character


def test_what_has_no_bytes_is_a_reference() -> None:
    assert in_codec("Größe 字".encode(), "cp1252") == b"Gr\xf6\xdfe &#23383;"
    assert in_codec("Größe".encode(), ASCII) == b"Gr&#246;&#223;e"
