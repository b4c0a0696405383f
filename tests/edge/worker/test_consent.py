"""What visitors agree to is obeyed on every page: by cookie, record, event, attribute and model."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from tests.edge.consent.make import tc_string
from tests.edge.worker.conftest import HTML, Answer, Said, Worker
from tests.workspaces.make import FILES, SITE, make_bundle

VENDOR = 755
POLICY = {
    "site.yaml": f"""\
site: films
placements: [hero, recommended, trending]
items: {{path: "/film/{{item}}"}}
attributes:
  utm.campaign: {{type: string, source: "query:utm_campaign"}}
  geo.country: {{type: string, source: "header:x-geo-country", purposes: [limited_content]}}
  visitor.last_item: {{purposes: [taste]}}
behaviours:
  crime: {{where: {{item.genre: crime}}, window: 7d, purposes: [taste]}}
  pages: {{event: page, window: 7d}}
consent:
  purposes:
    taste: {{tcf: [content_profile, personalised_content]}}
  sources:
    - gpc: contextual
    - tcf:
        vendor: {VENDOR}
        full: [store, measure_content]
        session: store
        contextual: limited_content
        otherwise: none
    - cookie: consent
  events: {{view: taste, click: measure_content}}
""",
    "models/taste.yaml": FILES["models/taste.yaml"] + "purposes: [taste]\n",
    "rules/consent.yaml": """\
campaigns:
  - id: crime-lover
    audience: {behaviour.crime: {$gte: 2}}
    placement: hero
    priority: 50
    show: {content: app}
  - id: from-austria
    audience: {geo.country: AT}
    placement: hero
    priority: 40
    show: {content: summer}
  - id: again
    audience: {visitor.last_item: heat, behaviour.pages: {$gte: 1}}
    placement: trending
    priority: 50
    purposes: [taste]
    show: {content: welcome}
""",
}
PAGE = (
    b'<div data-placement="hero">hero</div><div data-placement="recommended">list</div>'
    b'<div data-placement="trending">trend</div>'
)


@pytest.fixture(scope="module")
def consenting(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.load(open_bundle(make_bundle(tmp_path_factory.mktemp("consent"), POLICY), SITE))


@pytest.fixture
def worker(tmp_path: Path, consenting: Engine) -> Iterator[Worker]:
    worker = Worker(tmp_path, consenting)
    for target in (b"/", b"/film/heat", b"/film/fargo"):
        worker.site.says[target] = Said(PAGE)
    yield worker
    worker.spool.close()


def tcf(*consents: int) -> str:
    return "euconsent-v2=" + tc_string(consents, vendor_consents=[VENDOR])


ALL = tcf(1, 5, 6, 8, 11)


def page(worker: Worker, *cookies: str, target: str = "/", **headers: str) -> Answer:
    return worker.get(target, {"cookie": "; ".join(cookies), **headers})


def ours(answer: Answer) -> str:
    (value,) = [value for value in answer.values("set-cookie") if value.startswith("nearside=")]
    return value


def kept(answer: Answer) -> str:
    return ours(answer).partition(";")[0]


def test_full_keeps_a_visitor_with_an_id(worker: Worker) -> None:
    answer = page(worker, ALL, target="/film/heat")

    assert "Max-Age=86400" in ours(answer)
    state = worker.state(answer)
    assert (len(state.visitor), state.items) == (16, ("heat",))
    assert worker.decisions()[0].visitor == state.visitor.hex()
    assert [(event.kind, event.visitor) for event in worker.events()] == [("view", state.visitor.hex())]


def test_session_has_no_id_and_ends_with_the_browser_or_a_pause(worker: Worker) -> None:
    answer = page(worker, tcf(1, 5, 6), target="/film/heat")

    assert "Max-Age" not in ours(answer)
    assert worker.state(answer).visitor == b""
    assert worker.decisions()[0].visitor == ""
    again = page(worker, tcf(1, 5, 6), kept(answer))
    assert worker.state(again).items == ("heat",)
    assert worker.decisions()[1].context.history == ("heat",)
    old = worker.cookie("heat", visitor=b"")  # of long ago
    assert worker.state(page(worker, tcf(1, 5, 6), old)).items == ()


def test_contextual_uses_this_request_only_and_erases_what_was_kept(worker: Worker) -> None:
    before = kept(page(worker, ALL, target="/film/heat"))
    answer = page(worker, tcf(11), before, **{"x-geo-country": "AT"})

    assert ours(answer) == "nearside=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    record = worker.decisions()[-1]
    assert (record.visitor, record.context.history, record.context.tier) == ("", (), "contextual")
    read = {name: value for name, value in record.context.attributes.items() if name != "time.now"}
    assert read == {
        "behaviour.pages": 0,
        "consent.purpose.taste": False,
        "device.type": "desktop",
        "geo.country": "AT",
    }
    assert "nearside" not in page(worker, tcf(11)).value("set-cookie")


def test_none_is_the_plain_page_without_cookie_and_record(worker: Worker) -> None:
    before = kept(page(worker, ALL))
    told = len(worker.records())
    answer = page(worker, tcf(), before, target="/film/heat")

    assert answer.body == PAGE
    assert "Max-Age=0" in ours(answer)
    assert len(worker.records()) == told
    assert page(worker, tcf()).values("set-cookie") == []


def test_who_withdraws_and_agrees_again_is_someone_else(worker: Worker) -> None:
    first = page(worker, ALL, target="/film/heat")
    withdrawn = page(worker, tcf(), kept(first))
    assert kept(withdrawn) == "nearside="
    second = page(worker, ALL, kept(withdrawn))

    assert worker.state(second).visitor not in (b"", worker.state(first).visitor)
    assert worker.state(second).items == ()


def test_less_consent_takes_the_id_at_once_and_more_begins_a_new_one(worker: Worker) -> None:
    first = page(worker, ALL, target="/film/heat")
    less = page(worker, tcf(1, 5, 6), kept(first))
    more = page(worker, ALL, kept(less))

    assert (worker.state(less).visitor, worker.state(less).items) == (b"", ())
    assert worker.state(more).visitor not in (b"", worker.state(first).visitor)


def test_an_attribute_without_a_grant_is_missing(worker: Worker) -> None:
    granted = page(worker, ALL, **{"x-geo-country": "AT"})
    refused = page(worker, tcf(1, 8), **{"x-geo-country": "AT"})

    assert b"Summer" in granted.body and b"Summer" not in refused.body
    assert "geo.country" not in worker.decisions()[1].context.attributes
    assert worker.decisions()[0].context.granted == ("limited_content", "measure_content", "taste")
    assert worker.decisions()[1].context.granted == ("measure_content",)


def test_a_model_without_a_grant_has_no_history_and_its_fallback_shows(worker: Worker) -> None:
    seen = kept(page(worker, ALL, target="/film/heat"))
    page(worker, ALL, seen)
    page(worker, ALL)
    known, unknown = (slot_items(worker, number) for number in (1, 2))
    assert known != unknown

    page(worker, tcf(1, 8), seen)
    assert slot_items(worker, 3) == unknown


def slot_items(worker: Worker, number: int) -> tuple[str, ...]:
    (items,) = [slot.items for slot in worker.decisions()[number].slots if slot.placement == "recommended"]
    return items


def test_views_without_a_grant_are_not_noticed(worker: Worker) -> None:
    answer = page(worker, tcf(1, 8), target="/film/heat")

    assert worker.state(answer).items == ()
    assert worker.events() == []


def test_behaviours_are_counted_and_kept_as_far_as_they_are_granted(worker: Worker) -> None:
    first = page(worker, ALL, target="/film/heat")
    second = page(worker, ALL, kept(first), target="/film/fargo")
    assert b"the app" in second.body  # two crime films

    withdrawn = page(worker, tcf(1, 8), kept(second), target="/film/heat")
    assert b"the app" not in withdrawn.body
    assert "behaviour.crime" not in worker.decisions()[-1].context.attributes
    assert worker.decisions()[-1].context.attributes["behaviour.pages"] == 3
    again = page(worker, ALL, kept(withdrawn))
    assert worker.decisions()[-1].context.attributes["behaviour.crime"] == 0
    assert worker.state(again).items == ()


def test_a_campaign_is_for_those_who_granted_its_purposes(worker: Worker) -> None:
    seen = kept(page(worker, ALL, target="/film/heat"))

    assert b"Welcome" in page(worker, ALL, seen).body.partition(b"trending")[2]
    assert b"Welcome" not in page(worker, tcf(1, 8), seen).body.partition(b"trending")[2]


def test_a_signal_of_the_browser_lowers_what_follows_it(worker: Worker) -> None:
    answer = page(worker, ALL, **{"sec-gpc": "1"})

    assert worker.decisions()[0].context.tier == "contextual"
    assert worker.decisions()[0].context.granted == ()
    assert answer.values("set-cookie") == []
    assert worker.count('nearside_consent_limited_total{source="gpc"}') == 1


def test_what_was_said_and_what_could_not_be_read_is_counted(worker: Worker) -> None:
    page(worker, ALL)
    page(worker, "consent=session")
    page(worker, "euconsent-v2=garbage")
    page(worker)

    assert worker.count('nearside_consent_total{source="tcf",tier="full"}') == 1
    assert worker.count('nearside_consent_total{source="cookie",tier="session"}') == 1
    assert worker.count('nearside_consent_total{source="default",tier="contextual"}') == 1
    assert worker.count('nearside_consent_refused_total{source="tcf",code="') == 1
    assert worker.count('nearside_pages_total{kind="no-consent"}') == 1


def test_each_record_says_enough_to_decide_again(worker: Worker, consenting: Engine) -> None:
    seen = kept(page(worker, ALL, target="/film/heat"))
    for cookies in ((ALL, seen), (tcf(1, 8), seen), (tcf(11), seen), (ALL,), (tcf(1, 5, 6), seen)):
        page(worker, *cookies, target="/film/fargo")

    assert len(worker.decisions()) == 6
    for record in worker.decisions():
        assert consenting.decide(record.context, record.killed).slots == record.slots


def test_the_turn_s_other_visitors_change_nothing(worker: Worker) -> None:
    asks = [("/", {"cookie": cookie}) for cookie in (ALL, tcf(1, 8), tcf(11), tcf(), "consent=full")]
    together = [answer.body for answer in worker.together(*asks)]
    alone = [worker.get(*ask).body for ask in asks]

    assert sum(b"data-nearside" in body for body in together) == 4
    assert [_without_token(body) for body in together] == [_without_token(body) for body in alone]


def _without_token(body: bytes) -> bytes:
    before, mark, after = body.partition(b'<template data-nearside="')
    return before + after.partition(b'"></template>')[2] if mark else body


def reported(worker: Worker, answer: Answer, cookie: str, *events: str) -> list[str]:
    """The kinds that were written down of what the page of this answer reports now."""
    token = answer.body.partition(b'<template data-nearside="')[2].partition(b'"')[0].decode()
    told = len(worker.events())
    document = {"token": token, "events": [{"kind": kind, "placement": "trending"} for kind in events]}
    assert worker.post("/_nearside/events", document, {"cookie": cookie}).status == 204
    return [event.kind for event in worker.events()[told:]]


def test_a_page_reports_what_is_granted_still(worker: Worker) -> None:
    seen = kept(page(worker, ALL, target="/film/heat"))
    answer = page(worker, ALL, seen)

    assert reported(worker, answer, ALL, "click", "impression") == ["click", "impression"]
    assert reported(worker, answer, tcf(1, 5, 6), "click", "impression") == []  # of a page with an id
    assert reported(worker, answer, tcf(), "impression") == []
    assert reported(worker, answer, "consent=full", "impression") == ["impression"]
    assert worker.count('nearside_reported_events_total{outcome="withheld"}') == 3


def test_an_event_without_a_grant_does_not_happen(worker: Worker) -> None:
    seen = kept(page(worker, tcf(1, 5, 6), target="/film/heat"))
    answer = page(worker, tcf(1, 5, 6), seen)

    assert reported(worker, answer, tcf(1, 5, 6), "click", "impression") == ["impression"]


def test_apps_say_what_was_granted(worker: Worker) -> None:
    asked = {
        "placements": ["hero"],
        "attributes": {"geo.country": "AT", "behaviour.crime": 3},
        "tier": "full",
    }

    def campaign(**more: object) -> str:
        (slot,) = worker.post("/_nearside/decide", {**asked, **more}).json["slots"]
        return str(slot["campaign"])

    assert campaign() == "crime-lover"
    assert campaign(purposes=["limited_content"]) == "from-austria"
    assert campaign(purposes=[]) == campaign(tier="contextual")
    assert worker.decisions()[2].context.granted == ()
    assert "geo.country" not in worker.decisions()[2].context.attributes
    answer = worker.post("/_nearside/decide", {**asked, "purposes": ["adz"]})
    assert (answer.status, answer.json["error"]["code"]) == (400, "purpose")


def test_what_was_reported_of_somebody_else_is_erased(worker: Worker) -> None:
    answer = page(worker, ALL, "nearside-e=old")

    assert [value.partition(";")[0] for value in answer.values("set-cookie")][1:] == ["nearside-e="]


def test_a_consent_string_does_not_make_a_visitor_known_to_the_site(worker: Worker) -> None:
    worker.site.says[b"/"] = Said(PAGE, (HTML, ("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")))
    asked = []
    for cookies in (("usprivacy=1YNN",), ("usprivacy=1YNN",), ("consent=full", ALL), (tcf(1),)):
        page(worker, *cookies)
        asked.append(len(worker.site.heard))

    assert asked == [1, 2, 3, 3]  # nobody here said that `usprivacy` is one
