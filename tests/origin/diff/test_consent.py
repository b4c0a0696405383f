"""What changes in a consent policy is told in words."""

from edge.bundle.format import ConsentPolicy, ConsentSource, Purpose, RulesSchema
from origin.diff.consent import consent_changes

TCF = ConsentSource("tcf", "euconsent-v2", 755, tiers=(("full", (1, 5)),))
GPC = ConsentSource("gpc", opted_out="contextual")
OWN = ConsentSource("cookie", "consent")


def schema(
    *sources: ConsentSource, purposes: tuple[Purpose, ...] = (), **declared: tuple[str, ...]
) -> RulesSchema:
    policy = ConsentPolicy(sources, purposes, declared, {"click": ("ads",)} if purposes else {})
    return RulesSchema((), (), (), consent=policy)


def test_the_same_policy_has_no_changes() -> None:
    assert list(consent_changes(schema(TCF, GPC), schema(TCF, GPC))) == []
    assert list(consent_changes(RulesSchema((), (), ()), RulesSchema((), (), ()))) == []


def test_who_is_asked_and_by_which_rules() -> None:
    weaker = ConsentSource("tcf", "euconsent-v2", tiers=(("full", (1,)),), interests=(8,), otherwise="none")

    assert list(consent_changes(RulesSchema((), (), (), "", "consent"), schema(GPC, TCF, OWN))) == [
        "consent is asked of (one cookie) → gpc, tcf euconsent-v2, cookie consent"
    ]
    assert list(consent_changes(schema(TCF), schema(weaker))) == [
        "consent by tcf euconsent-v2: full for 1+5, otherwise contextual, vendor 755 → "
        "full for 1, otherwise none, vendor (the site), legitimate interest in 8"
    ]


def test_purposes_and_what_declares_them() -> None:
    before = schema(purposes=(Purpose("ads", (3, 4)), Purpose("old")), segment=("ads",))
    after = schema(purposes=(Purpose("ads", (3,), "session"),), segment=("ads", "taste"))

    assert list(consent_changes(before, after)) == [
        "purpose ads: TCF 3+4, else tier full → TCF 3, else tier session",
        "purpose old: tier full → (none)",
        "purposes of segment: ads → ads and taste",
    ]
