"""The visitor's device, system and browser: by client hints where there are any, else by the user agent."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

MAX_AGENT_BYTES: Final = 512
_MAX_REMEMBERED: Final = 4096

OTHER: Final = "other"
DEVICE_TYPES: Final = ("mobile", "tablet", "desktop")

_TABLET: Final = re.compile(
    rb"(?i:ipad|tablet(?! pc)|playbook|kindle|silk/|xoom|galaxy tab|touchpad|\bmi pad)"
    rb"|Android(?!.*Mobile)(?!.*Opera M)|\b(?:SM-[TX]|GT-P|KF[A-Z]{2,5}\b)"
)
_MOBILE: Final = re.compile(
    rb"(?i:mobi|iphone|ipod|android|phone|blackberry|\bbb10\b|opera m|symbian|series ?[346]0|midp|j2me|ucweb"
    rb"|docomo|kddi|\bbrew\b|netfront|kaios|maemo|palm)"
    rb"|^(?:Nokia|SonyEricsson|SAMSUNG|LG[-/E]|MOT-|SIE-|HTC|ZTE|SEC-|SHARP|Alcatel|SoftBank|Vodafone)"
)

# The first that fits; what looks like another stands before it.
SYSTEMS: Final[tuple[tuple[str, bytes], ...]] = (
    ("windows-phone", rb"Windows Phone|Windows CE|Windows Mobile|IEMobile|ZuneWP"),
    ("kaios", rb"KAIOS|Mobile; .*rv:.*Gecko.*Firefox(?!.*Android)"),
    ("tv", rb"[Ww]eb0?OS(?:\.TV)?[;/ ].*TV|Tizen.*TV|SMART-TV|SmartTV|HbbTV|GoogleTV|Google TV|NetCast"
           rb"|AppleTV|tvOS|Roku|CrKey|BRAVIA|Apple ?TV"),
    ("watchos", rb"(?i:watch ?os)|Apple Watch"),
    ("ios", rb"iPhone|iPad|iPod|iOS|CFNetwork/(?!.*(?:x86_64|Mac))|iPh\d|\bdarwin\b"),
    ("harmonyos", rb"HarmonyOS|OpenHarmony"),
    ("tizen", rb"Tizen"),
    ("android", rb"(?i:android|silk-accelerated|kindle fire|adr \d)"),
    ("blackberry", rb"BlackBerry|BB10|PlayBook|RIM Tablet"),
    ("symbian", rb"Symbi|SymbOS|Series ?60|\bS60"),
    ("windows", rb"Windows|Win(?:NT|9[58]|32|64|dows)|Win ?(?:NT|9[58])|cygwin"),
    ("chromeos", rb"\bCrOS\b"),
    ("macos", rb"Mac ?OS|Macintosh|Mac_PowerPC|\bPPC\b|Darwin"),
    (OTHER, rb"BSD|SunOS|Solaris|hpwOS|Maemo|WeTab"),
    ("linux", rb"Linux|X11|Ubuntu|Debian|Fedora|Gentoo|Red Hat|linux"),
)  # fmt: skip
# Cubot makes telephones.
BOT: Final = (
    rb"(?i:(?<!cu)bot\b|(?<!cu)bot[/;_-]|crawl|spider|slurp|facebookexternalhit|mediapartners|headlesschrome"
    rb"|phantomjs|lighthouse|inspectiontool|\bptst/|\bmonitor(?:ing)?[/ ;)]|pingdom|statuscake|site24x7"
    rb"|gomezagent"
    rb"|archive|scrap[ei]|nutch|heritrix|indexer|collector|feedfetch|fetchlinks|newsgator|thumbnail"
    rb"|(?:web|uri|bing) ?preview"
    rb"|imgproxy|whatsapp/|validator|masscan|\+ ?https?://)"
)
BROWSERS: Final[tuple[tuple[str, bytes], ...]] = (
    ("bot", BOT),
    ("edge", rb"\bEdg(?:e|A|iOS)?/"),
    ("opera", rb"\bOPR/|\bOpera\b|\bOPiOS/|\bOPT/|\bOPX/|Opera M|OPRGX/"),
    ("samsung", rb"SamsungBrowser/"),
    ("firefox", rb"(?:Firefox|FxiOS|Fennec|Focus|Klar)/(?!.*(?:SeaMonkey|PaleMoon|Iceweasel|Waterfox))"),
    ("ie", rb"MSIE |Trident/"),
    ("chrome", rb"(?:Chrome|CriOS|CrMo|Chromium)/"),
    ("safari", rb"Version/[\d.]+.*Safari/|(?:iPhone|iPad|iPod).*AppleWebKit|Macintosh.*AppleWebKit.*Safari/"),
)
_BOT: Final = re.compile(BOT)
_SYSTEMS: Final = tuple((name, re.compile(pattern)) for name, pattern in SYSTEMS)
_BROWSERS: Final = tuple((name, re.compile(pattern)) for name, pattern in BROWSERS)

_PLATFORMS: Final = {
    b"android": "android",
    b"chrome os": "chromeos",
    b"chromium os": "chromeos",
    b"ios": "ios",
    b"linux": "linux",
    b"macos": "macos",
    b"windows": "windows",
}
# Brands as browsers write them into Sec-CH-UA; beside theirs all that are built on it name Chromium.
_BRANDS: Final = (
    (b"microsoft edge", "edge"),
    (b"opera", "opera"),
    (b"samsung internet", "samsung"),
    (b"google chrome", "chrome"),
    (b"headlesschrome", "bot"),
)


def is_bot(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a program asks: it gets the plain page, and counts for nothing."""
    return is_named_bot(headers.get(b"user-agent", b"")[:MAX_AGENT_BYTES])


@lru_cache(_MAX_REMEMBERED)
def is_named_bot(agent: bytes) -> bool:
    """Whether a program says of itself that it is one."""
    return _BOT.search(agent) is not None


@lru_cache(_MAX_REMEMBERED)
def device_type(hint: bytes, agent: bytes) -> str:
    """``mobile``, ``tablet`` or ``desktop``, which stands for all else too.

    Parameters
    ----------
    hint
        Sec-CH-UA-Mobile, or empty; it tells phones from all else, tablets too.
    """
    if _TABLET.search(agent) and hint != b"?1":
        return "tablet"
    return "mobile" if hint == b"?1" or (hint != b"?0" and _MOBILE.search(agent)) else "desktop"


@lru_cache(_MAX_REMEMBERED)
def system(hint: bytes | None, agent: bytes) -> str:
    """The operating system; `hint` is Sec-CH-UA-Platform."""
    if hint is not None and (named := _PLATFORMS.get(hint.strip(b' "').lower())):
        return named
    return next((name for name, pattern in _SYSTEMS if pattern.search(agent)), OTHER)


@lru_cache(_MAX_REMEMBERED)
def browser(hint: bytes | None, agent: bytes) -> str:
    """The browser's family; `hint` is Sec-CH-UA."""
    if hint is not None:
        brands = hint.lower()
        for brand, name in _BRANDS:
            if b'"%s"' % brand in brands:
                return name
    return next((name for name, pattern in _BROWSERS if pattern.search(agent)), OTHER)
