"""What a bundle may say of a page as a whole, and what an engine refuses."""

import pytest

from edge.bundle.format import Layout, PageActions
from edge.decide.campaigns import BANDIT, CONTENT, EXPERIMENT, LAYOUT, RECOMMENDER, REDIRECT, fits
from edge.decide.page import WholePage, led_elsewhere, plain_path, read_target
from edge.decide.types import Decision, Slot
from edge.errors import BundleError


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("/", ("", "", ())),
        ("/Sale/", ("", "/sale", ())),
        ("/a%20b//c?x=1&y=#top", ("", "/a b/c", (("x", "1"), ("y", "")))),
        ("https://shop.example.com:8443/x", ("shop.example.com:8443", "/x", ())),
        ("https://shop.example.com", ("shop.example.com", "", ())),
    ],
)
def test_a_target_is_read_as_browsers_and_sites_do(url: str, target: object) -> None:
    assert read_target(url) == target


HOSTILE = (
    "", "sale", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "\t/x",
    "http://a.example/", "HTTPS://A.example/", "javascript:alert(1)", "data:text/html,x", "https:/a.example",
    "https:///x", "https://a@b.example/", "https://a.example:/", "https://[::1]/", "https://-a.example/",
    "/a\r\nset-cookie: x", "/a b", "/\u00e4", "/a/../b", "/a/%2E%2e/b", "/./a", "/_nearside/me",
    "/" + "a" * 3000, '/"onload', "/<b>",
)  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_what_could_lead_anywhere_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"write|begin"):
        read_target(url)
    with pytest.raises(BundleError, match="a redirect to"):
        WholePage(PageActions(redirects=(url,)))


@pytest.mark.parametrize(
    "layouts",
    [
        (Layout("a", hide=("x",)), Layout("a", hide=("y",))),
        (Layout("a", order=("x", "y", "x")),),
        (Layout("a", hide=("x",), swap=(("y", "x"),)),),
        tuple(Layout(f"a{n}", hide=("x",)) for n in range(4097)),
    ],
)
def test_layouts_that_have_two_answers_are_refused(layouts: tuple[Layout, ...]) -> None:
    with pytest.raises(BundleError, match="page"):
        WholePage(PageActions(layouts))


@pytest.mark.parametrize(
    ("host", "path", "fields", "is_target"),
    [
        ("www.example.com", "/sale", {}, True),
        ("any", "/SALE/", {"utm_source": "x"}, True),
        ("any", "/sale/more", {}, False),
        ("any", "/test", {"v": "b", "w": "1"}, True),
        ("any", "/test", {"v": "c"}, False),
        ("any", "/test", {}, False),
        ("shop.example.com", "/x", {}, True),
        ("any", "/x", {}, False),
        ("any", "/", {}, False),
    ],
)
def test_a_page_knows_whether_it_is_a_target(
    host: str, path: str, fields: dict[str, str], is_target: bool
) -> None:
    page = WholePage(PageActions(redirects=("/sale", "/test?v=b", "https://shop.example.com:8443/x")))
    assert page.is_target(host, path, fields) is is_target


def test_paths_are_compared_in_one_form() -> None:
    assert {plain_path(path) for path in ("/A%20b", "/a b/", "//a b", "/A b//")} == {"/a b"}


def test_only_a_redirect_is_seen_by_who_is_led_elsewhere() -> None:
    hero, layout = Slot("hero", "a", "x"), Slot("page.layout", "b", "y")
    led = Slot("page.redirect", "c", "/z", experiment="e", variation="v")
    stuck = (("e", 1, "v"), ("other", 1, "w"))
    found = led_elsewhere(Decision((hero, layout, led), ("h:held-out",), stuck))
    assert found == Decision((led,), ("h:held-out",), (("e", 1, "v"),))
    stays = Decision(
        (hero, layout, Slot("page.redirect", "c", experiment="e", variation="control")), (), stuck
    )
    assert led_elsewhere(stays) is stays


def test_actions_stand_where_they_can_be_shown() -> None:
    actions = (CONTENT, RECOMMENDER, EXPERIMENT, BANDIT, LAYOUT, REDIRECT)
    shown = {
        name: [action for action in actions if fits(name, action)]
        for name in ("hero", "page.layout", "page.redirect")
    }
    assert shown == {
        "hero": [CONTENT, RECOMMENDER, EXPERIMENT, BANDIT],
        "page.layout": [EXPERIMENT, BANDIT, LAYOUT],
        "page.redirect": [EXPERIMENT, BANDIT, REDIRECT],
    }
