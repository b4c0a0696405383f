"""The encodings of pages: which one a page has, and fragments in it."""

import re
from typing import Final

UTF_8: Final = "utf-8"
ASCII: Final = "ascii"
"""For pages that don't say: any browser reads character references."""

PRESCAN_BYTES: Final = 1024
"""So far browsers look for a declaration in the page."""

# By Python's codec, the labels of https://encoding.spec.whatwg.org/#names-and-labels.
_LABELS: Final = {
    UTF_8: "utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
    "cp866": "866 cp866 csibm866 ibm866",
    "iso8859_2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    "iso8859_3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
    "iso8859_4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
    "iso8859_5": "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 "
    "iso_8859-5:1988",
    "iso8859_6": "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e "
    "iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
    "iso8859_7": "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 "
    "iso_8859-7 iso_8859-7:1987 sun_eu_greek",
    "iso8859_8": "csiso88598e csiso88598i csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-8859-8-i "
    "iso-ir-138 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 logical visual",
    "iso8859_10": "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
    "iso8859_13": "iso-8859-13 iso8859-13 iso885913",
    "iso8859_14": "iso-8859-14 iso8859-14 iso885914",
    "iso8859_15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
    "iso8859_16": "iso-8859-16",
    "koi8_r": "cskoi8r koi koi8 koi8-r koi8_r",
    "koi8_u": "koi8-ru koi8-u",
    "mac_roman": "csmacintosh mac macintosh x-mac-roman",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "cp1250": "cp1250 windows-1250 x-cp1250",
    "cp1251": "cp1251 windows-1251 x-cp1251",
    "cp1252": "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 "
    "iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
    "cp1253": "cp1253 windows-1253 x-cp1253",
    "cp1254": "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 "
    "latin5 windows-1254 x-cp1254",
    "cp1255": "cp1255 windows-1255 x-cp1255",
    "cp1256": "cp1256 windows-1256 x-cp1256",
    "cp1257": "cp1257 windows-1257 x-cp1257",
    "cp1258": "cp1258 windows-1258 x-cp1258",
    "mac_cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gbk": "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk",
    "gb18030": "gb18030",
    "cp950": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc_jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "cp932": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "cp949": "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 "
    "windows-949",
}
_CODECS: Final = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}

# In these a byte that looks like < may be half of a character, so that no mark can be told from text.
_NOT_CUT: Final = frozenset(
    ("csiso2022jp", "iso-2022-jp", "csunicode", "iso-10646-ucs-2", "ucs-2", "unicode", "unicodefeff",
     "unicodefffe", "utf-16", "utf-16le", "utf-16be", "csiso2022kr", "hz-gb-2312", "iso-2022-cn",
     "iso-2022-cn-ext", "iso-2022-kr", "replacement", "x-user-defined")
)  # fmt: skip
_IN_HEADER: Final = re.compile(r";\s*charset\s*=\s*\"?\s*([^\s\";]+)", re.I)
_META: Final = re.compile(rb"<meta[\s/]((?:[^>\"']|\"[^\"]*+\"|'[^']*+')*+)", re.I)
_ATTRIBUTE: Final = re.compile(rb"([^\s=\"'/]++)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s]++))")
_IN_CONTENT: Final = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';]+)", re.I)
_COMMENT: Final = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)


def codec_of(content_type: str, body: bytes) -> str:
    """The codec that fragments for this page need; empty if a page of its encoding can't be cut.

    As browsers find it: a byte order mark, then the header, then the page's beginning.
    """
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ""
    if body.startswith(b"\xef\xbb\xbf"):
        return UTF_8
    told = _IN_HEADER.search(content_type)
    label = told[1].lower() if told else ""
    if label in _CODECS or label in _NOT_CUT:
        return _CODECS.get(label, "")
    label = _declared(_COMMENT.sub(b"", body[:PRESCAN_BYTES]))
    if label.startswith("utf-16"):
        return UTF_8  # it could not be read if it were
    return "" if label in _NOT_CUT else _CODECS.get(label, ASCII)


def _declared(head: bytes) -> str:
    """The label that the page itself states, in lower case; empty if it states none."""
    for meta in _META.finditer(head):
        found = {
            name.decode("latin-1").lower(): (double or single or bare).decode("latin-1").lower()
            for name, double, single, bare in reversed(_ATTRIBUTE.findall(meta[1]))
        }
        if "charset" in found:
            return str(found["charset"]).strip()
        told = _IN_CONTENT.search(found.get("content", ""))
        if told and found.get("http-equiv") == "content-type":
            return str(told[1])
    return ""


def in_codec(fragment: bytes, codec: str) -> bytes:
    """A fragment of UTF-8 for a page of another encoding: what it has no bytes for is a character reference.

    Contents hold no scripts and no styles, in which a reference would be text.
    """
    return fragment.decode().encode(codec, "xmlcharrefreplace")
