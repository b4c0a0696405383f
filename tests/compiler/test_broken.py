"""Broken workspaces: each mistake is found where it is, and nothing is ever a traceback."""
# ruff: noqa: E501 -- the table of cases reads best with one case in a line

from collections.abc import Mapping
from pathlib import Path

import pytest

from compiler.problems import CODES, Problem
from compiler.workspace import WorkspaceError, read_workspace
from tests.workspaces.make import FILES, make_workspace

Changes = Mapping[str, str | bytes | None]

SITE = FILES["site.yaml"]
RULES = FILES["rules/campaigns.yaml"]
CATALOG = FILES["catalogs/films.csv"]


def _site(old: str, new: str) -> Changes:
    assert old in SITE
    return {"site.yaml": SITE.replace(old, new)}


def _rules(old: str, new: str) -> Changes:
    assert old in RULES
    return {"rules/campaigns.yaml": RULES.replace(old, new)}


def _more(text: str, path: str = "rules/more.yaml") -> Changes:
    return {path: text}


def _condition(text: str) -> Changes:
    return _more(f"audiences:\n  fine:\n    device.type: mobile\n  broken:\n    {text}\n")


def _schedule(text: str) -> Changes:
    return _more(f"campaigns:\n- id: a\n  placement: hero\n  show: {{content: app}}\n  schedule: {text}\n")


def _weekly(windows: str, end: str = "2026-09-01") -> Changes:
    return _schedule(f"{{start: 2026-06-01, end: {end}, timezone: Europe/Berlin, weekly: [{windows}]}}")


def _model(text: str) -> Changes:
    return _more(text, "models/more.yaml")


def _catalog(text: str | bytes) -> Changes:
    return {"catalogs/films.csv": text}


def _behaviour(text: str) -> Changes:
    return {"site.yaml": f"{SITE}behaviours:\n  # one\n  b: {text}\n"}


def _cap(text: str) -> Changes:
    return _more(f"campaigns:\n- id: a\n  placement: hero\n  show: {{content: app}}\n  {text}\n")


def _list(text: str) -> Changes:
    return {"site.yaml": f"{SITE}audiences:\n  # one\n  vip: {text}\n"}


def _consent(policy: str) -> Changes:
    """The site with another consent policy."""
    return _site("cookie: consent, default: contextual", policy)


CASES: Mapping[str, tuple[Changes, tuple[str, int, str]]] = {
    # Files
    "no site": ({"site.yaml": None}, ("site.yaml", 0, "missing")),
    "empty site": ({"site.yaml": ""}, ("site.yaml", 0, "empty")),
    "only comments": ({"site.yaml": "# later\n"}, ("site.yaml", 0, "empty")),
    "not UTF-8": ({"site.yaml": b"site: films\nplacements: [h\xe9ro]\n"}, ("site.yaml", 2, "encoding")),
    "UTF-16": ({"site.yaml": "site: films\n".encode("utf-16")}, ("site.yaml", 1, "encoding")),
    "NUL": ({"site.yaml": b"site: films\n\x00\n"}, ("site.yaml", 2, "encoding")),
    "escaped NUL": (_site("site: films", 'site: "fi\\0lms"'), ("site.yaml", 1, "encoding")),
    "escaped surrogate": (_site("site: films", 'site: "fi\\ud800lms"'), ("site.yaml", 1, "yaml")),
    "huge": (_more("# " + "x" * (1 << 20)), ("rules/more.yaml", 0, "too-large")),
    "binary": ({"rules/more.yaml": bytes(range(256))}, ("rules/more.yaml", 2, "encoding")),
    # Consent
    "cookie beside sources": (_consent("cookie: c, sources: [{gpc: none}]"), ("site.yaml", 7, "bad-value")),
    "source of two kinds": (_consent("sources: [{gpc: none, cookie: c}]"), ("site.yaml", 7, "missing-key")),
    "source of no kind": (_consent("sources: [{}]"), ("site.yaml", 7, "missing-key")),
    "source that is unknown": (_consent("sources: [{tfc: {full: 1}}]"), ("site.yaml", 7, "unknown-key")),
    "sources twice": (_consent("sources: [{cookie: c}, {cookie: c}]"), ("site.yaml", 7, "duplicate-id")),
    "too many sources": (_consent("sources: [" + ", ".join(f"{{cookie: c{n}}}" for n in range(9)) + "]"), ("site.yaml", 7, "too-large")),
    "signal without a limit": (_consent("sources: [{gpc: full}]"), ("site.yaml", 7, "bad-value")),
    "TC string for nothing": (_consent("sources: [{tcf: {vendor: 7}}]"), ("site.yaml", 7, "missing-key")),
    "vendor 0": (_consent("sources: [{tcf: {vendor: 0, full: 1}}]"), ("site.yaml", 7, "bad-value")),
    "no such TCF purpose": (_consent("sources: [{tcf: {full: 12}}]"), ("site.yaml", 7, "unknown-name")),
    "purposes of a tier empty": (_consent("sources: [{tcf: {full: []}}]"), ("site.yaml", 7, "empty")),
    "tier by an unmapped purpose": (_consent("purposes: {taste: {}}, sources: [{tcf: {full: taste}}]"), ("site.yaml", 7, "bad-value")),
    "interest in profiles": (_consent("sources: [{tcf: {full: 1, legitimate_interest: 5}}]"), ("site.yaml", 7, "bad-value")),
    "refusal gives all": (_consent("sources: [{tcf: {full: 1, otherwise: full}}]"), ("site.yaml", 7, "bad-value")),
    "GPP without a cookie": (_consent("sources: [{gpp: {full: 1}}]"), ("site.yaml", 7, "missing-key")),
    "GPP for nothing": (_consent("sources: [{gpp: {cookie: g}}]"), ("site.yaml", 7, "missing-key")),
    "half an objection": (_consent("sources: [{gpp: {cookie: g, opted_out: none}}]"), ("site.yaml", 7, "missing-key")),
    "objection gives more": (_consent("sources: [{usp: {opted_out: session, not_opted_out: none}}]"), ("site.yaml", 7, "bad-value")),
    "consent cookie": (_consent("sources: [{cookie: 'a b'}]"), ("site.yaml", 7, "bad-value")),
    "purpose of TCF": (_consent("purposes: {store: {}}"), ("site.yaml", 7, "duplicate-id")),
    "purpose's name": (_consent("purposes: {Ads: {}}"), ("site.yaml", 7, "bad-id")),
    "purpose for nobody": (_consent("purposes: {ads: {tier: none}}"), ("site.yaml", 7, "bad-value")),
    "too many purposes": (_consent("purposes: {" + ", ".join(f"p{n}: {{}}" for n in range(33)) + "}"), ("site.yaml", 7, "too-large")),
    "event that is unknown": (_consent("events: {clicks: store}"), ("site.yaml", 7, "unknown-key")),
    "event's purpose": (_consent("events: {click: adz}"), ("site.yaml", 7, "unknown-name")),
    "attribute's purpose": (_site('"query:utm_campaign"}', '"query:utm_campaign", purposes: adz}'), ("site.yaml", 4, "unknown-name")),
    "built in with more": (_site("geo.country: {", "visitor.new: {purposes: store, values: [a]}\n  geo.country: {"), ("site.yaml", 5, "missing-key")),
    "behaviour's purpose": (_site("consent:", "behaviours: {b: {window: 7d, purposes: [adz]}}\nconsent:"), ("site.yaml", 7, "unknown-name")),
    "model's purpose": ({"models/taste.yaml": FILES["models/taste.yaml"] + "purposes: adz\n"}, ("models/taste.yaml", 5, "unknown-name")),
    "campaign's purpose": (_rules("placement: recommended", "placement: recommended\n    purposes: adz"), ("rules/campaigns.yaml", 18, "unknown-name")),
    "attribute for another purpose": (
        {
            **_site('"header:x-geo-country"}', '"header:x-geo-country", purposes: statistics}'),
            **_rules("audience: alpine", "audience: alpine\n    purposes: [store]"),
        },
        ("rules/campaigns.yaml", 10, "purpose"),
    ),
    # Attributes
    "unknown front": (_site("consent:", "front: cloudflair\nconsent:"), ("site.yaml", 7, "unknown-name")),
    "place without a front": (_condition("geo.city: Graz") | _more("campaigns:\n  - id: graz\n    audience: {geo.city: Graz}\n    placement: hero\n    show: {content: app}\n"), ("rules/more.yaml", 2, "no-source")),
    "built in as another type": (_site("geo.country: {type: string", "geo.country: {type: number"), ("site.yaml", 5, "bad-value")),
    "a computed name": (_site("geo.country:", "audience.vip:"), ("site.yaml", 5, "bad-id")),
    "no source": (_site("utm.campaign: {type: string, source: \"query:utm_campaign\"}", "a.b: {type: string}"), ("site.yaml", 4, "missing-key")),
    # Behaviours
    "no window": (_behaviour("{}"), ("site.yaml", 10, "missing-key")),
    "window of years": (_behaviour("{window: 5y}"), ("site.yaml", 10, "bad-value")),
    "window too long": (_behaviour("{window: 500d}"), ("site.yaml", 10, "bad-value")),
    "unknown measure": (_behaviour("{window: 7d, measure: counts}"), ("site.yaml", 10, "bad-value")),
    "path of a view": (_behaviour("{window: 7d, path: /a}"), ("site.yaml", 10, "bad-value")),
    "bad path": (_behaviour("{window: 7d, event: page, path: a}"), ("site.yaml", 10, "bad-value")),
    "where of a page": (_behaviour("{window: 7d, event: page, where: {item.genre: noir}}"), ("site.yaml", 10, "bad-value")),
    "sum of nothing": (_behaviour("{window: 7d, measure: sum}"), ("site.yaml", 10, "missing-key")),
    "sum of texts": (_behaviour("{window: 7d, measure: sum, of: item.genre}"), ("site.yaml", 10, "wrong-type")),
    "count of a column": (_behaviour("{window: 7d, of: item.genre}"), ("site.yaml", 10, "bad-value")),
    "distinct of an unknown column": (_behaviour("{window: 7d, measure: distinct, of: item.gender}"), ("site.yaml", 10, "unknown-name")),
    "where of an unknown column": (_behaviour("\n      window: 7d\n      where:\n        item.gender: noir"), ("site.yaml", 13, "condition/attribute")),
    "behaviour without a name": (_site("consent:", 'behaviours: {"A B": {window: 7d}}\nconsent:'), ("site.yaml", 7, "bad-id")),
    "too many behaviours": (_site("consent:", "behaviours: {" + ", ".join(f"b{n}: {{window: 7d}}" for n in range(33)) + "}\nconsent:"), ("site.yaml", 7, "too-large")),
    "behaviours of too many bytes": (_site("consent:", "behaviours: {" + ", ".join(f"b{n}: {{window: 7d, measure: rate}}" for n in range(18)) + "}\nconsent:"), ("site.yaml", 7, "too-large")),
    "unknown event": (_behaviour("{window: 7d, event: signup}"), ("site.yaml", 10, "bad-value")),
    "last of a count": (_behaviour("{last: 7, event: click}"), ("site.yaml", 10, "bad-value")),
    "last and window": (_behaviour("{last: 7, window: 7d, event: click, measure: rate}"), ("site.yaml", 10, "bad-value")),
    "rate of a column": (_behaviour("{window: 7d, event: click, measure: rate, of: item.genre}"), ("site.yaml", 10, "bad-value")),
    "rate of itself": (_behaviour("{window: 7d, event: click, measure: rate, of: click}"), ("site.yaml", 10, "bad-value")),
    "value of a click": (_behaviour("{window: 7d, event: click, measure: sum, of: value}"), ("site.yaml", 10, "bad-value")),
    "until nothing known": (_behaviour("{window: 7d, event: cart, until: buy}"), ("site.yaml", 10, "bad-value")),
    "a view until": (_behaviour("{window: 7d, until: purchase}"), ("site.yaml", 10, "bad-value")),
    "event that is counted": (_site("consent:", "events: [signup, click]\nconsent:"), ("site.yaml", 7, "bad-value")),
    "event without a name": (_site("consent:", "events: [Sign Up]\nconsent:"), ("site.yaml", 7, "bad-id")),
    "a cap's name": (_site("geo.country:", "cap.a.7d:"), ("site.yaml", 5, "bad-id")),
    # Caps
    "cap of nothing": (_cap("cap: {impressions: 0, days: 7}"), ("rules/more.yaml", 5, "bad-value")),
    "cap without impressions": (_cap("cap: {days: 7}"), ("rules/more.yaml", 5, "missing-key")),
    "cap without a time": (_cap("cap: {impressions: 3}"), ("rules/more.yaml", 5, "missing-key")),
    "cap of two times": (_cap("cap: {impressions: 3, days: 7, hours: 2}"), ("rules/more.yaml", 5, "bad-value")),
    "cap longer than the state": (_cap("cap: {impressions: 3, days: 401}"), ("rules/more.yaml", 5, "bad-value")),
    "cap per what": (_cap("cap: {impressions: 3, per: day}"), ("rules/more.yaml", 5, "bad-value")),
    "cap per visit and day": (_cap("cap: {impressions: 3, per: visit, days: 1}"), ("rules/more.yaml", 5, "bad-value")),
    "cap misspelt": (_cap("cap: {impression: 3, days: 7}"), ("rules/more.yaml", 5, "missing-key")),
    "cap of a number": (_cap("cap: 3"), ("rules/more.yaml", 5, "wrong-type")),
    "cap twice": (_cap("cap: [{impressions: 3, days: 7}, {impressions: 2, days: 7}]"), ("rules/more.yaml", 5, "duplicate-id")),
    "too many caps": (_cap("cap: [" + ", ".join(f"{{impressions: 1, days: {n}}}" for n in range(1, 6)) + "]"), ("rules/more.yaml", 5, "too-large")),
    "recency without a time": (_cap("recency: {}"), ("rules/more.yaml", 5, "missing-key")),
    "until what": (_cap("until: purchase"), ("rules/more.yaml", 5, "bad-value")),
    # Lists
    "list is gone": (_list("{list: vip.csv, by: visitor.id}"), ("site.yaml", 10, "missing")),
    "list without by": (_list("{list: site.yaml}"), ("site.yaml", 10, "missing-key")),
    "list by a number": (_list("{list: site.yaml, by: visitor.visits}"), ("site.yaml", 10, "unknown-name")),
    "list of rows": (_list("{list: catalogs/films.csv, by: visitor.id}"), ("catalogs/films.csv", 1, "csv")),
    "empty list": ({**_list("{list: vip.csv, by: visitor.id}"), "vip.csv": "id\n\n"}, ("vip.csv", 0, "empty")),
    "audience that is a list": ({**_list("{list: models/popular.yaml, by: visitor.id}"), **_more("audiences:\n  vip: {}\n")}, ("rules/more.yaml", 2, "duplicate-id")),
    # Holes
    "hole in a script": ({"content/app.html": "<p>x</p>\n<script>{{ language }}</script>"}, ("content/app.html", 2, "hole")),
    "hole without an attribute": ({"content/app.html": "<p>x\n{{ languages }}</p>"}, ("content/app.html", 2, "unknown-name")),
    "hole for what nobody tells": ({"content/app.txt": "in {{ geo.city }}", "content/app.html": None}, ("content/app.txt", 1, "no-source")),
    # YAML
    "tab": (_more("audiences:\n\tnobody: {}\n"), ("rules/more.yaml", 2, "yaml")),
    "not closed": (_more("campaigns: [\n"), ("rules/more.yaml", 1, "yaml")),
    "bad indent": (_more("campaigns:\n  - id: a\n   show: b\n"), ("rules/more.yaml", 3, "yaml")),
    "alias": (_more("audiences: &a {}\ncampaigns: *a\n"), ("rules/more.yaml", 1, "yaml-alias")),
    "laughs": (
        _more("a: &a [x, x]\n" + "".join(f"a{i}: &a{i} [*a, *a]\n" for i in range(50))),
        ("rules/more.yaml", 1, "yaml-alias"),
    ),
    "tag": (_more("campaigns: !!python/object:os.system []\n"), ("rules/more.yaml", 1, "yaml-tag")),
    "two documents": (_more("campaigns: []\n---\ncampaigns: []\n"), ("rules/more.yaml", 2, "yaml")),
    "deep": (_more("a: " + "[" * 40 + "]" * 40 + "\n"), ("rules/more.yaml", 1, "too-large")),
    "very deep": (_more("[" * 500_000), ("rules/more.yaml", 1, "too-large")),
    "mapping as key": (_more("? {a: b}\n: c\n"), ("rules/more.yaml", 1, "yaml")),
    "key twice": (_site("items:", "site: again\nitems:"), ("site.yaml", 6, "duplicate-key")),
    "list on top": (_more("- id: a\n"), ("rules/more.yaml", 1, "wrong-type")),
    "text on top": (_more("hello\n"), ("rules/more.yaml", 1, "wrong-type")),
    # Site
    "no name": (_site("site: films\n", ""), ("site.yaml", 1, "missing-key")),
    "name is a number": (_site("site: films", "site: 7"), ("site.yaml", 1, "wrong-type")),
    "bad name": (_site("site: films", "site: ../films"), ("site.yaml", 1, "bad-id")),
    "long name": (_site("site: films", "site: " + "f" * 65), ("site.yaml", 1, "bad-id")),
    "unknown key": (_site("consent:", "concent:"), ("site.yaml", 7, "unknown-key")),
    "no placements": (_site("placements: [hero, recommended, trending]\n", ""), ("site.yaml", 1, "missing-key")),
    "placement twice": (_site("[hero,", "[hero, hero,"), ("site.yaml", 2, "duplicate-id")),
    "bad placement": (_site("[hero,", "[Hero!, hero,"), ("site.yaml", 2, "bad-id")),
    "placement of no name": (_site("[hero,", '["", hero,'), ("site.yaml", 2, "bad-id")),
    "placement is a list": (_site("[hero,", "[[hero],"), ("site.yaml", 2, "wrong-type")),
    "placement without a name": (_site("[hero,", "[{default: app}, hero,"), ("site.yaml", 2, "missing-key")),
    "placement with a wish": (_site("[hero,", "[{name: hero, wish: 1},"), ("site.yaml", 2, "unknown-key")),
    "default is gone": (_site("[hero,", "[{name: hero, default: welcom},"), ("site.yaml", 2, "unknown-name")),
    "default is no id": (_site("[hero,", "[{name: hero, default: {content: app}},"), ("site.yaml", 2, "wrong-type")),
    "built-in attribute": (
        _site("  geo.country", "  device.type: {type: string, source: header:x}\n  geo.country"),
        ("site.yaml", 5, "duplicate-id"),
    ),
    "attribute name": (_site("utm.campaign:", "$utm:"), ("site.yaml", 4, "bad-id")),
    "attribute type": (_site("{type: string, source: \"query", "{type: text, source: \"query"), ("site.yaml", 4, "bad-value")),
    "attribute source": (_site("query:utm_campaign", "form:utm"), ("site.yaml", 4, "bad-value")),
    "secret header": (_site("header:x-geo-country", "header:Cookie"), ("site.yaml", 5, "bad-value")),
    "no item in path": (_site("/film/{item}", "/film"), ("site.yaml", 6, "bad-value")),
    "two items in path": (_site("/film/{item}", "/{item}/{item}"), ("site.yaml", 6, "bad-value")),
    "relative path": (_site("/film/{item}", "film/{item}"), ("site.yaml", 6, "bad-value")),
    "consent tier": (_site("default: contextual", "default: contextal"), ("site.yaml", 7, "bad-value")),
    # Audiences and conditions
    "bad audience name": (_more("audiences:\n  On The Go: {}\n"), ("rules/more.yaml", 2, "bad-id")),
    "audience twice": (_more("audiences:\n  alpine: {}\n"), ("rules/more.yaml", 2, "duplicate-id")),
    "unknown attribute": (_condition("device.typ: mobile"), ("rules/more.yaml", 5, "condition/attribute")),
    "unknown operator": (
        _condition("visitor.visits:\n      $gte: 1\n      $gtee: 3"),
        ("rules/more.yaml", 7, "condition/operator"),
    ),
    "no list of conditions": (_condition("$or: {device.type: mobile}"), ("rules/more.yaml", 5, "condition/shape")),
    "hostile regex": (_condition("url.path: {$regex: '(?=a)b'}"), ("rules/more.yaml", 5, "condition/pattern")),
    "wrong type": (_condition("visitor.visits: many"), ("rules/more.yaml", 5, "condition/type")),
    "deep in a list": (
        _condition("$and:\n      - device.type: mobile\n      - visitor.new: 'yes'"),
        ("rules/more.yaml", 7, "condition/type"),
    ),
    "no mapping": (_condition("- mobile"), ("rules/more.yaml", 4, "condition/shape")),
    # Campaigns
    "campaign without id": (_rules("id: welcome\n    ", ""), ("rules/campaigns.yaml", 2, "missing-key")),
    "bad id": (_rules("id: welcome", "id: Welcome"), ("rules/campaigns.yaml", 2, "bad-id")),
    "id with slash": (_rules("id: welcome", "id: a/b"), ("rules/campaigns.yaml", 2, "bad-id")),
    "campaign twice": (_rules("id: mobile-hero", "id: welcome"), ("rules/campaigns.yaml", 5, "duplicate-id")),
    "campaign is text": (_more("campaigns:\n  - hello\n"), ("rules/more.yaml", 2, "wrong-type")),
    "misspelt key": (_rules("priority: 10", "prioriti: 10"), ("rules/campaigns.yaml", 8, "unknown-key")),
    "priority is text": (_rules("priority: 10", "priority: high"), ("rules/campaigns.yaml", 8, "wrong-type")),
    "priority is true": (_rules("priority: 10", "priority: true"), ("rules/campaigns.yaml", 8, "wrong-type")),
    "priority too large": (_rules("priority: 10", "priority: 10000000"), ("rules/campaigns.yaml", 8, "bad-value")),
    "unknown audience": (_rules("audience: alpine", "audience: alpin"), ("rules/campaigns.yaml", 11, "unknown-name")),
    "audience as list": (_rules("audience: alpine", "audience: [alpine]"), ("rules/campaigns.yaml", 11, "wrong-type")),
    "inline condition": (
        _rules("audience: alpine", "audience: {geo.contry: AT}"),
        ("rules/campaigns.yaml", 11, "condition/attribute"),
    ),
    "no placement": (_rules("    placement: recommended\n", ""), ("rules/campaigns.yaml", 16, "missing-key")),
    "empty placements": (_rules("[hero, trending]", "[]"), ("rules/campaigns.yaml", 12, "empty")),
    "unknown placement": (_rules("[hero, trending]", "[hero, trendy]"), ("rules/campaigns.yaml", 12, "unknown-name")),
    "placement named twice": (_rules("[hero, trending]", "[hero, hero]"), ("rules/campaigns.yaml", 12, "duplicate-id")),
    "no zone": (_rules("01T00:00:00+02:00\", end", "01T00:00:00\", end"), ("rules/campaigns.yaml", 14, "bad-value")),
    "no date": (_rules("2026-09-01T00:00:00+02:00", "in autumn"), ("rules/campaigns.yaml", 14, "bad-value")),
    "ends first": (_rules("2026-09-01", "2026-05-01"), ("rules/campaigns.yaml", 14, "bad-value")),
    "empty schedule": (
        _more("campaigns:\n- id: a\n  placement: hero\n  schedule: {}\n  show: {content: app}\n"),
        ("rules/more.yaml", 4, "empty"),
    ),
    "no such zone": (_schedule("{start: 2026-06-01, timezone: Europe/Berln}"), ("rules/more.yaml", 5, "unknown-name")),
    "hours without a zone": (_schedule("{weekly: [{days: sat}]}"), ("rules/more.yaml", 5, "missing-key")),
    "hours without an end": (
        _schedule("\n      start: 2026-06-01\n      timezone: Europe/Berlin\n      weekly:\n        - days: sat"),
        ("rules/more.yaml", 8, "missing-key"),
    ),
    "hours for years": (_weekly("{days: sat}", "2029-06-01"), ("rules/more.yaml", 5, "too-large")),
    "no such day": (_weekly("{days: [sat, sunday]}"), ("rules/more.yaml", 5, "unknown-name")),
    "no day": (_weekly("{days: []}"), ("rules/more.yaml", 5, "empty")),
    "no such time": (_weekly('{from: "8pm"}'), ("rules/more.yaml", 5, "bad-value")),
    "no time": (_weekly('{from: "18:00", to: "18:00"}'), ("rules/more.yaml", 5, "bad-value")),
    "misspelt hours": (_weekly('{form: "18:00"}'), ("rules/more.yaml", 5, "unknown-key")),
    "hours that never come": (_weekly("{days: sat}", "2026-06-03"), ("rules/more.yaml", 5, "bad-value")),
    "too many hours": (_weekly(", ".join(["{days: sat}"] * 33)), ("rules/more.yaml", 5, "too-large")),
    "shows nothing": (_rules("    show: {content: welcome}\n", ""), ("rules/campaigns.yaml", 2, "missing-key")),
    "shows both": (
        _rules("{content: welcome}", "{content: welcome, recommender: taste}"),
        ("rules/campaigns.yaml", 4, "missing-key"),
    ),
    "unknown content": (_rules("content: welcome", "content: welcom"), ("rules/campaigns.yaml", 4, "unknown-name")),
    "unknown recommender": (_rules("recommender: taste", "recommender: tast"), ("rules/campaigns.yaml", 18, "unknown-name")),
    "unknown card": (_rules("card: film, limit: 4", "card: films, limit: 4"), ("rules/campaigns.yaml", 18, "unknown-name")),
    "no card": (_rules("card: film, limit: 4", "limit: 4"), ("rules/campaigns.yaml", 18, "missing-key")),
    "limit of none": (_rules("limit: 4", "limit: 0"), ("rules/campaigns.yaml", 18, "bad-value")),
    # Contents
    "content is gone": ({"content/app.html": None}, ("rules/campaigns.yaml", 9, "unknown-name")),
    "empty content": ({"content/app.html": " \n"}, ("content/app.html", 0, "empty")),
    "only a script": ({"content/app.html": "<script>x</script>"}, ("content/app.html", 0, "empty")),
    "content not UTF-8": ({"content/app.html": b"<p>\n\xff</p>"}, ("content/app.html", 2, "encoding")),
    "content twice": ({"content/app.txt": "again"}, ("content/app.txt", 0, "duplicate-id")),
    "bad content name": ({"content/My App.html": "<p>x"}, ("content/My App.html", 0, "bad-id")),
    # Catalog and cards
    "empty catalog": (_catalog(""), ("catalogs/films.csv", 0, "empty")),
    "no id column": (_catalog("ID,title\n1,x\n"), ("catalogs/films.csv", 1, "missing-key")),
    "column twice": (_catalog("id,title,title\n"), ("catalogs/films.csv", 1, "duplicate-key")),
    "column without name": (_catalog("id,,genre\n"), ("catalogs/films.csv", 1, "empty")),
    "too few fields": (_catalog(CATALOG + "x,X\n"), ("catalogs/films.csv", 10, "csv")),
    "after a long row": (_catalog(CATALOG + 'x,"a\nb",c\ny\n'), ("catalogs/films.csv", 12, "csv")),
    "open quote": (_catalog(CATALOG + 'x,"X,y\n'), ("catalogs/films.csv", 10, "csv")),
    "item twice": (_catalog(CATALOG + "alien,Again,x\n"), ("catalogs/films.csv", 10, "duplicate-id")),
    "item without id": (_catalog(CATALOG + ",Again,x\n"), ("catalogs/films.csv", 10, "bad-id")),
    "long id": (_catalog(CATALOG + "ä" * 65 + ",X,x\n"), ("catalogs/films.csv", 10, "bad-id")),
    "id with NUL": (_catalog(CATALOG + "a\0b,X,x\n"), ("catalogs/films.csv", 10, "bad-id")),
    "id turns the text": (_catalog(CATALOG + "a\u202eb,X,x\n"), ("catalogs/films.csv", 10, "bad-id")),
    "catalog not UTF-8": (_catalog(CATALOG.encode() + b"x,\xe9,x\n"), ("catalogs/films.csv", 10, "encoding")),
    "two catalogs": ({"catalogs/more.csv": "id\nx\n"}, ("catalogs/more.csv", 0, "not-supported")),
    "card syntax": ({"catalogs/cards/film.html": "<b>\n{{ title }\n</b>"}, ("catalogs/cards/film.html", 2, "template")),
    "unknown column": ({"catalogs/cards/film.html": "<b>\n{{ titel }}</b>"}, ("catalogs/cards/film.html", 2, "template")),
    "empty card": ({"catalogs/cards/film.html": "\n"}, ("catalogs/cards/film.html", 0, "empty")),
    "bad card name": ({"catalogs/cards/Film.html": "{{ id }}"}, ("catalogs/cards/Film.html", 0, "bad-id")),
    # Models
    "no recipe": (_model("interactions: interactions.csv\n"), ("models/more.yaml", 1, "missing-key")),
    "no interactions": (_model("recipe: ease\n"), ("models/more.yaml", 1, "missing-key")),
    "interactions are gone": (_model("recipe: ease\ninteractions: gone.csv\n"), ("models/more.yaml", 2, "missing")),
    "endless path": (_model("recipe: ease\ninteractions: " + "x" * 9999), ("models/more.yaml", 2, "missing")),
    "unknown fallback": (
        _model("recipe: ease\ninteractions: interactions.csv\nfallback: popularity\n"),
        ("models/more.yaml", 3, "unknown-name"),
    ),
    "falls back to itself": (
        _model("recipe: ease\ninteractions: interactions.csv\nfallback: more\n"),
        ("models/more.yaml", 3, "bad-value"),
    ),
    "models without items": ({"catalogs/films.csv": None}, ("models/popular.yaml", 0, "missing")),
    "bad model name": (
        {"models/My Model.yaml": "recipe: ease\ninteractions: interactions.csv\n"},
        ("models/My Model.yaml", 0, "bad-id"),
    ),
}  # fmt: skip


def _problems(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(folder)
    return caught.value.problems


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_found_where_it_is(case: str, tmp_path: Path) -> None:
    changes, expected = CASES[case]
    errors = [p for p in _problems(make_workspace(tmp_path, changes)) if p.severity == "error"]
    assert expected in {(p.path, p.line, p.code) for p in errors}, "\n".join(map(str, errors))
    assert all(p.code.partition("/")[0] in CODES and p.message for p in errors)
    # One mistake is not told as many.
    assert len(errors) <= 4, "\n".join(map(str, errors))


def test_all_mistakes_are_told_at_once_and_sorted(tmp_path: Path) -> None:
    changes = {
        **_site("default: contextual", "default: contextal"),
        **_rules("audience: alpine", "audience: alpin"),
        **_catalog(CATALOG + "x,X\n"),
        **_model("recipe: ease\ninteractions: gone.csv\n"),
    }
    found = _problems(make_workspace(tmp_path, changes))
    errors = [(p.path, p.line) for p in found if p.severity == "error"]
    assert errors == [
        ("catalogs/films.csv", 10),
        ("models/more.yaml", 2),
        ("rules/campaigns.yaml", 11),
        ("site.yaml", 7),
    ]
    assert list(found) == sorted(found)


def test_the_nearest_name_is_offered(tmp_path: Path) -> None:
    changes = {**_rules("audience: alpine", "audience: alpin"), **_site("consent:", "concent:")}
    hints = {p.hint for p in _problems(make_workspace(tmp_path, changes))}
    assert {"did you mean 'alpine'?", "did you mean 'consent'?"} <= hints


def test_no_folder_is_a_problem(tmp_path: Path) -> None:
    (problem,) = _problems(tmp_path / "nowhere")
    assert problem.code == "missing"


def test_a_folder_in_place_of_a_file_is_a_problem(tmp_path: Path) -> None:
    folder = make_workspace(tmp_path, {"content/app.html": None})
    (folder / "content/app.html").mkdir()
    assert ("content/app.html", 0, "unreadable") in {(p.path, p.line, p.code) for p in _problems(folder)}


def test_a_file_name_that_is_no_text_is_shown_as_text(tmp_path: Path) -> None:
    folder = make_workspace(tmp_path)
    Path(str(folder / "content") + "/caf\udce9\n.html").write_text("<p>x")
    (problem,) = _problems(folder)
    assert str(problem).encode().startswith(b"content/caf")
    assert "\n" not in str(problem)


def test_a_catalog_with_one_cause_stops_soon(tmp_path: Path) -> None:
    rows = "id,title,genre\n" + "a;b;c\n" * 1000
    found = [p for p in _problems(make_workspace(tmp_path, _catalog(rows))) if p.code == "csv"]
    assert len(found) == 101


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_file_cut_anywhere_is_read_or_refused(path: str, tmp_path: Path) -> None:
    whole = FILES[path].encode()
    for end in range(0, len(whole), max(1, len(whole) // 24)):
        folder = make_workspace(tmp_path / str(end), {path: whole[:end]})
        try:
            assert read_workspace(folder).site.name
        except WorkspaceError as error:
            assert error.problems
