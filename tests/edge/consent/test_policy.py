"""What requests are granted, source by source and all together."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.format import ConsentPolicy, ConsentSource, Purpose, RulesSchema, decode, encode
from edge.consent.policy import MAX_REMEMBERED, Grant, Policy, find
from edge.decide.types import CONSENT_TIERS
from edge.errors import BundleError
from tests.edge.consent.make import BASE64, tc_string

US = 755
TCF = ConsentSource("tcf", "euconsent-v2", US, tiers=(("full", (1, 5, 6)), ("session", (1,))))
OWN = ConsentSource("cookie", "consent")
USP = ConsentSource("usp", "usprivacy", opted_out="contextual", not_opted_out="full")
GPP = ConsentSource("gpp", "gpp", US, tiers=TCF.tiers, opted_out="session", not_opted_out="full")
PURPOSES = (Purpose("ads", (3, 4)), Purpose("service", (), "session"), Purpose("reports", (9,), "contextual"))


def policy(*sources: ConsentSource, purposes: tuple[Purpose, ...] = PURPOSES) -> Policy:
    schema = RulesSchema((), (), (), consent=ConsentPolicy(sources, purposes))
    return Policy(decode(encode(schema), RulesSchema))


def gpc(most: str) -> ConsentSource:
    return ConsentSource("gpc", opted_out=most)


def asked(found: Policy, *cookies: str, signal: bool = False) -> Grant:
    headers = {b"cookie": "; ".join(cookies).encode()} if cookies else {}
    return found.of(headers | ({b"sec-gpc": b"1"} if signal else {}))


def names(found: Policy, grant: Grant) -> set[str]:
    return {name for bit, name in enumerate(found.names) if grant.purposes >> bit & 1}


def tc_cookie(*consents: int) -> str:
    return "euconsent-v2=" + tc_string(consents, vendor_consents=[US])


@pytest.mark.parametrize(
    ("consents", "tier"),
    [
        ((1, 5, 6), "full"),
        ((1, 2, 5, 6, 11), "full"),
        ((1, 5), "session"),
        ((5, 6), "contextual"),
        ((), "contextual"),
    ],
)
def test_a_tc_string_gives_the_strongest_tier_whose_purposes_it_grants(
    consents: tuple[int, ...], tier: str
) -> None:
    assert asked(policy(TCF), tc_cookie(*consents)).tier == tier


def test_purposes_go_by_the_tc_string_where_they_are_mapped_and_else_by_the_tier() -> None:
    found = policy(TCF)

    assert names(found, asked(found, tc_cookie(1, 5, 6))) == {"service"}
    assert names(found, asked(found, tc_cookie(3, 4, 9))) == {"ads", "reports"}
    assert names(found, asked(found, tc_cookie(1, 3, 9))) == {"service", "reports"}


@pytest.mark.parametrize(
    ("stated", "tier", "purposes"),
    [
        ("full", "full", {"ads", "service", "reports"}),
        ("session", "session", {"service", "reports"}),
        ("contextual", "contextual", {"reports"}),
        ("none", "none", set()),
        ("everything", "none", set()),
    ],
)
def test_the_site_s_own_cookie_states_a_tier(stated: str, tier: str, purposes: set[str]) -> None:
    found = policy(OWN)
    grant = asked(found, f"consent={stated}")

    assert (grant.tier, names(found, grant)) == (tier, purposes)


def test_sources_are_asked_in_order_and_the_first_that_says_something_decides() -> None:
    found = policy(TCF, OWN)

    assert asked(found, "consent=full", tc_cookie()).tier == "contextual"
    assert asked(found, "consent=full", "other=x").tier == "full"
    assert asked(found).tier == "contextual"  # the default
    assert asked(policy(OWN, TCF), "consent=full", tc_cookie()).tier == "full"


def test_a_string_that_can_t_be_read_grants_nothing_and_is_counted() -> None:
    found = policy(TCF, OWN)
    grant = asked(found, "euconsent-v2=CO5dPi4O5dPx2B7D", "consent=full")

    assert (grant.tier, grant.purposes) == ("none", 0)
    assert grant.counters == (
        'nearside_consent_total{source="tcf",tier="none"}',
        'nearside_consent_refused_total{source="tcf",code="short"}',
    )
    old = "BO2e4qiO2e4qiB9ABADEDS-AAAAxKABgACBiQA"
    assert 'code="version"' in asked(found, f"euconsent-v2={old}").counters[1]


def test_global_privacy_control_lowers_what_comes_after_it_and_raises_nothing() -> None:
    found = policy(OWN, gpc("contextual"), TCF)

    lowered = asked(found, tc_cookie(1, 3, 4, 5, 6), signal=True)
    assert (lowered.tier, names(found, lowered)) == ("contextual", set())
    assert 'nearside_consent_limited_total{source="gpc"}' in lowered.counters
    assert asked(found, tc_cookie(1, 3, 4, 5, 6)).tier == "full"
    assert asked(found, "consent=full", signal=True).tier == "full"
    assert asked(policy(gpc("session"), OWN), "consent=none", signal=True).tier == "none"
    assert asked(policy(gpc("none"), OWN), "consent=full", signal=True).tier == "none"
    assert asked(policy(gpc("none")), signal=True).tier == "none"  # the default is lowered too
    assert policy(gpc("none")).of({b"sec-gpc": b"0"}).tier == "contextual"
    assert policy(gpc("none")).of({b"sec-gpc": b"1, 1"}).tier == "none"  # it was sent twice


@pytest.mark.parametrize(
    ("source", "cookie", "tier"),
    [
        (USP, "usprivacy=1YYN", "contextual"),
        (USP, "usprivacy=1YNN", "full"),
        (USP, "usprivacy=1---", "full"),
        (USP, "usprivacy=2YNN", "none"),
        (GPP, "gpp=DBABLA~BVVqAAEABCA.QA", "full"),  # usnat: no objection
        (GPP, "gpp=DBABLA~BVVqAAEABCA.YA", "session"),  # the same with Gpc
        (GPP, "gpp=DBABLA~CVVVVVVVVVVW.YA", "session"),  # opted out of everything
        (GPP, "gpp=DBABTA~1YYN", "session"),
        (GPP, "gpp=DBABTA%7E1YYN", "session"),  # as cookie writers may escape it
        (GPP, "gpp=DBABRO~new", "contextual"),  # nothing that the policy speaks of: the default
        (
            GPP,
            "gpp=DBACNYA~CPSG_8APSG_8ANwAAAENAwCgAAAAAAAAAAAAAAAAAAAA.IAAA.YAAAAAAAAAAA~1YNN",
            "contextual",
        ),
        (GPP, "gpp=broken", "none"),
    ],
)
def test_strings_of_other_laws(source: ConsentSource, cookie: str, tier: str) -> None:
    assert asked(policy(source), cookie).tier == tier


def test_of_several_sections_all_must_grant() -> None:
    found = policy(GPP)
    european = tc_string((1, 3, 4, 5, 6, 9), vendor_consents=[US])

    assert names(found, asked(found, f"gpp=DBABMA~{european}")) == {"ads", "service", "reports"}
    both = asked(found, f"gpp=DBACNYA~{european}~1YYN")
    assert (both.tier, names(found, both)) == ("session", {"service", "reports"})


def test_without_a_policy_one_cookie_states_the_tier_and_nothing_is_counted() -> None:
    found = Policy(RulesSchema((), (), (), "", "consent", "session"))

    assert asked(found, "consent=full") == Grant("full", 0)
    assert asked(found, "consent=nonsense") == Grant("none", 0)
    assert asked(found) == Grant("session", 0)
    assert found.at("full") == Grant("full", 0)


def test_an_untold_visitor_is_counted_by_default() -> None:
    assert asked(policy(TCF)).counters == ('nearside_consent_total{source="default",tier="contextual"}',)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"a=1", b"1"),
        (b"b=2; a=1", b"1"),
        (b"b=2;a=1;c=3", b"1"),
        (b"xa=2; a=1; a=3", b"1"),
        (b"a=1 ; b=2", b"1"),
        (b"a=", b""),
        (b"aa=1; ba=2", None),
        (b"b=2; a ", b""),
        (b"ba; c=a", None),
        (b"", None),
    ],
)
def test_a_cookie_is_found_by_its_whole_name(header: bytes, value: bytes | None) -> None:
    assert find(header, b"a", b"a=") == value


@pytest.mark.parametrize(
    "broken",
    [
        ConsentPolicy((ConsentSource("oracle", "c"),)),
        ConsentPolicy((ConsentSource("tcf", "c", otherwise="some"),)),
        ConsentPolicy((ConsentSource("gpc", opted_out="no"),)),
        ConsentPolicy((), (Purpose("ads"), Purpose("ads"))),
        ConsentPolicy((), tuple(Purpose(f"p{number}") for number in range(65))),
    ],
)
def test_a_policy_that_this_edge_can_t_follow_is_refused(broken: ConsentPolicy) -> None:
    with pytest.raises(BundleError):
        Policy(RulesSchema((), (), (), consent=broken))


def test_what_is_remembered_is_bounded() -> None:
    found = policy(TCF)
    for number in range(2 * MAX_REMEMBERED):
        asked(found, f"euconsent-v2=A{number}")
    asked(found, "euconsent-v2=" + "A" * 8000)

    assert len(found._sources[0]._remembered[-1]) <= MAX_REMEMBERED


def test_a_string_seen_before_costs_about_a_microsecond() -> None:
    found = policy(gpc("session"), TCF, OWN)
    headers = {b"cookie": ("theme=dark; " + tc_cookie(1, 5, 6) + "; nearside=abc").encode()}

    def cost_us() -> float:
        begun = time.perf_counter()
        for _ in range(2000):
            found.of(headers)
        return (time.perf_counter() - begun) * 500

    found.of(headers)
    assert min(cost_us() for _ in range(5)) < 5


OURS = tc_string((1, 5, 6), vendor_consents=[US])
STRINGS = (OURS, tc_string(()), "DBABLA~BVVqAAEABCA.YA", "1YNN", "full", "none")
VALUES = st.sampled_from(STRINGS) | st.text(BASE64 + ".~%-", max_size=60)
EVERYBODY = policy(TCF, gpc("session"), GPP, USP, OWN)


COOKIES = st.sampled_from(("euconsent-v2", "gpp", "usprivacy", "consent", "x"))


@given(st.lists(st.tuples(COOKIES, VALUES), max_size=5))
def test_whatever_browsers_send_is_answered_and_a_signal_never_gives_more(
    cookies: list[tuple[str, str]],
) -> None:
    said = [f"{name}={value}" for name, value in cookies]
    plain, signalled = asked(EVERYBODY, *said), asked(EVERYBODY, *said, signal=True)

    assert CONSENT_TIERS.index(signalled.tier) <= CONSENT_TIERS.index(plain.tier)
    assert not signalled.purposes & ~plain.purposes
    assert plain == asked(EVERYBODY, *said)  # remembered
    if plain.tier == "none":
        assert plain.purposes == 0
