"""Devices by their user agents, against uap-core; the accuracy is what the documentation states."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.worker.attributes.device import OTHER, browser, device_type, is_named_bot, system

SYSTEM_OF = {
    "ATV OS X": "tv",
    "Android": "android",
    "BlackBerry OS": "blackberry",
    "BlackBerry Tablet OS": "blackberry",
    "Chrome OS": "chromeos",
    "Chromecast Android": "tv",
    "Chromecast Linux": "tv",
    "FireHbbTV": "tv",
    "Firefox OS": "kaios",
    "GoogleTV": "tv",
    "HarmonyOS": "harmonyos",
    "KaiOS": "kaios",
    "LG": "tv",
    "Mac OS": "macos",
    "Mac OS X": "macos",
    "Panasonic": "tv",
    "Philips": "tv",
    "Roku": "tv",
    "Samsung": "tv",
    "Sony": "tv",
    "Symbian OS": "symbian",
    "Symbian^3": "symbian",
    "Symbian^3 Anna": "symbian",
    "Symbian^3 Belle": "symbian",
    "Tizen": "tizen",
    "WatchOS": "watchos",
    "Web0S": "tv",
    "Windows": "windows",
    "Windows Mobile": "windows-phone",
    "Windows Phone": "windows-phone",
    "iOS": "ios",
    "tvOS": "tv",
    **dict.fromkeys(("Debian", "Fedora", "Gentoo", "Linux", "Mandriva", "Red Hat", "Ubuntu"), "linux"),
}
BROWSER_OF = {
    **dict.fromkeys(
        ("Chrome", "Chrome Mobile", "Chrome Mobile WebView", "Chrome Mobile iOS", "Chromium"), "chrome"
    ),
    **dict.fromkeys(("Edge", "Edge Mobile"), "edge"),
    **dict.fromkeys(("Fennec", "Firefox", "Firefox Alpha", "Firefox Beta", "Firefox Mobile"), "firefox"),
    **dict.fromkeys(("Firefox (Minefield)", "Firefox (Namoroka)", "Firefox (Shiretoko)"), "firefox"),
    **dict.fromkeys(("Firefox Focus", "Firefox iOS"), "firefox"),
    **dict.fromkeys(("Mobile Safari", "Mobile Safari UI/WKWebView", "Safari"), "safari"),
    **dict.fromkeys(
        ("Opera", "Opera Coast", "Opera GX", "Opera Mini", "Opera Mobile", "Opera Neon"), "opera"
    ),
    **dict.fromkeys(("Opera Tablet", "Opera Touch"), "opera"),
    "IE": "ie",
    "Samsung Internet": "samsung",
}


def _cases(folder: Path, *files: str) -> list[dict[str, Any]]:
    # The loader that is written in C, where there is one: these are 2 MB.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: list[dict[str, Any]] = []
    for file in files:
        found += yaml.load((folder / "uap-core" / file).read_text(encoding="utf-8"), loader)["test_cases"]
    return found


def test_systems(data_dir: Path) -> None:
    cases = _cases(data_dir, "tests/test_os.yaml")
    right = [
        system(None, case["user_agent_string"].encode()) == SYSTEM_OF.get(case["family"], OTHER)
        for case in cases
    ]
    assert len(right) == 483
    assert sum(right) / len(right) >= 0.954


def test_browsers(data_dir: Path) -> None:
    lists = ("firefox_user_agent_strings", "opera_mini_user_agent_strings", "pgts_browser_list")
    files = [f"test_resources/{name}.yaml" for name in lists]
    cases = [case for case in _cases(data_dir, "tests/test_ua.yaml", *files) if case["family"] in BROWSER_OF]
    right = [
        browser(None, case["user_agent_string"].encode()) == BROWSER_OF[case["family"]] for case in cases
    ]
    assert len(right) == 8959
    assert sum(right) / len(right) >= 0.998


def test_bots(data_dir: Path) -> None:
    cases = _cases(data_dir, "tests/test_device.yaml")
    found = [case for case in cases if is_named_bot(case["user_agent_string"].encode())]
    spiders = [case for case in cases if case["family"] == "Spider"]
    assert len(spiders) == 73
    assert sum(case in found for case in spiders) >= 58
    # WhatsApp asks for the page to show a preview of it, whatever device it runs on.
    people = [case for case in found if case not in spiders and "WhatsApp" not in case["user_agent_string"]]
    assert [case["user_agent_string"] for case in people if "pider" not in case["user_agent_string"]] == []


@pytest.mark.parametrize(("family", "kind"), [("iPhone", "mobile"), ("iPad", "tablet"), ("iPod", "mobile")])
def test_types_of_devices(data_dir: Path, family: str, kind: str) -> None:
    cases = [case for case in _cases(data_dir, "tests/test_device.yaml") if case["family"] == family]
    agents = [
        case["user_agent_string"] for case in cases if family.lower() in case["user_agent_string"].lower()
    ]
    wrong = [agent for agent in agents if device_type(b"", agent.encode()) != kind]
    assert len(agents) >= 8
    assert wrong == []


@pytest.mark.parametrize(
    ("brands", "name"),
    [
        (b'"Google Chrome";v="120", "Chromium";v="120", "Not?A_Brand";v="8"', "chrome"),
        (b'"Microsoft Edge";v="120", "Chromium";v="120", "Not?A_Brand";v="8"', "edge"),
        (b'"Opera";v="106", "Chromium";v="120", "Not?A_Brand";v="8"', "opera"),
        (b'"Samsung Internet";v="23", "Chromium";v="115"', "samsung"),
        (b'"Chromium";v="115"', "firefox"),
        (b"\xff", "firefox"),
    ],
)
def test_brands_are_believed_before_the_agent(brands: bytes, name: str) -> None:
    assert browser(brands, b"Mozilla/5.0 Gecko Firefox/120.0") == name


def test_a_platform_is_believed_before_the_agent() -> None:
    assert system(b'"Android"', b"Mozilla/5.0 (X11; Linux x86_64)") == "android"
    assert system(b'"Unknown"', b"Mozilla/5.0 (X11; Linux x86_64)") == "linux"
    assert system(None, b"") == OTHER
