"""Campaigns and requests as they might be: two mixes, the same for every peer."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

TYPES = {
    "geo.country": "string",
    "device.type": "string",
    "language": "string",
    "utm.campaign": "string",
    "url.path": "string",
    "visitor.visits": "number",
    "visitor.segment": "string",
    "time.hour": "number",
    "time.weekday": "number",
    "time.now": "number",
    "app.version": "string",
    "referrer.host": "string",
}
COUNTRIES = [a + b for a in "ABCDEFGH" for b in "KLMNOPQ"]
DEVICES = ["mobile", "tablet", "desktop"]
LANGUAGES = ["en", "de", "fr", "es", "it", "nl", "pl", "pt", "sv", "ja", "ko", "zh"]
UTM = [f"campaign-{i}" for i in range(500)]
PATHS = [f"/section-{i % 40}/page-{i}" for i in range(2000)]
MANY_PATHS = [f"/section-{i % 400}/page-{i}" for i in range(100_000)]
SEGMENTS = [f"segment-{i}" for i in range(60)]
HOSTS = [f"site-{i}.example" for i in range(40)]
NOW_MS = 1_780_000_000_000
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Mix:
    """How conditions and contexts are drawn."""

    name: str
    condition: Callable[[Random], dict[str, Any]]
    context: Callable[[Random, int], dict[str, Any]]


def _scheduled(random: Random, condition: dict[str, Any]) -> dict[str, Any]:
    start = NOW_MS + random.randint(-60, 30) * DAY_MS + random.randint(0, 96) * DAY_MS // 96
    return {**condition, "time.now": {"$gte": start, "$lt": start + random.randint(1, 60) * DAY_MS}}


def realistic(random: Random) -> dict[str, Any]:
    """One campaign's audience and schedule, as marketers mix them: some with alternatives or a pattern."""
    parts: dict[str, Callable[[], Any]] = {
        "geo.country": lambda: {"$in": random.sample(COUNTRIES, random.randint(1, 6))},
        "device.type": lambda: random.choice(DEVICES),
        "language": lambda: {random.choice(["$in", "$in", "$nin"]): random.sample(LANGUAGES, 2)},
        "utm.campaign": lambda: {"$in": random.sample(UTM, random.randint(1, 4))},
        "url.path": lambda: {"$in": random.sample(PATHS, random.randint(1, 10))},
        "visitor.visits": lambda: {"$gte": random.randint(1, 20), "$lt": random.randint(21, 60)},
        "time.hour": lambda: {"$gte": random.randint(1, 12), "$lte": random.randint(13, 23)},
        "time.weekday": lambda: {random.choice(["$lte", "$gte"]): random.randint(2, 6)},
        "visitor.segment": lambda: {"$ne": random.choice(SEGMENTS)},
    }
    chosen = random.sample(sorted(parts), random.randint(1, 4))
    condition: dict[str, Any] = {name: parts[name]() for name in chosen}
    drawn = random.random()
    if drawn < 0.04:
        condition["$or"] = [{"geo.country": random.choice(COUNTRIES)}, {"language": random.choice(LANGUAGES)}]
    elif drawn < 0.06:
        condition["url.path"] = {"$regex": f"^/section-{random.randint(0, 39)}/"}
    elif drawn < 0.07:
        condition["app.version"] = {"$vgte": f"{random.randint(1, 4)}.{random.randint(0, 9)}.0"}
    elif drawn < 0.08:
        condition["$not"] = {"referrer.host": random.choice(HOSTS)}
    return _scheduled(random, condition) if random.random() < 0.7 else condition


def wide(random: Random) -> dict[str, Any]:
    """Many values, and conditions that let most visitors through: thousands of rules hold at once."""
    condition: dict[str, Any] = {
        "visitor.segment": {"$ne": random.choice(SEGMENTS)},
        "geo.country": {"$nin": random.sample(COUNTRIES, 5)},
    }
    drawn = random.random()
    if drawn < 0.5:
        condition["url.path"] = {"$in": random.sample(MANY_PATHS, random.randint(1, 20))}
    elif drawn < 0.7:
        condition["url.path"] = {"$nin": random.sample(MANY_PATHS, random.randint(1, 20))}
    elif drawn < 0.9:
        condition["time.now"] = {"$gte": NOW_MS - random.randint(0, 90 * DAY_MS)}
    return condition


def _context(paths: list[str]) -> Callable[[Random, int], dict[str, Any]]:
    """Of requests: most paths and campaigns are of those that rules name; the clock never stands still."""

    def draw(random: Random, position: int) -> dict[str, Any]:
        context: dict[str, Any] = {
            "geo.country": random.choice(COUNTRIES),
            "device.type": random.choice(DEVICES),
            "language": random.choice(LANGUAGES),
            "url.path": random.choice(paths) if random.random() < 0.8 else f"/other/{random.random()}",
            "visitor.visits": float(int(random.expovariate(0.2))),
            "time.hour": 14.0,
            "time.weekday": 3.0,
            "time.now": float(NOW_MS + position * 7),
            "visitor.segment": random.choice(SEGMENTS),
            "app.version": f"{random.randint(1, 4)}.{random.randint(0, 9)}.{random.randint(0, 3)}",
            "referrer.host": random.choice(HOSTS),
        }
        if random.random() < 0.3:
            context["utm.campaign"] = random.choice(UTM)
        return context

    return draw


def move_on(random: Random, contexts: list[dict[str, Any]]) -> None:
    """The same visitors later: no clock value and no unlisted path comes twice."""
    for context in contexts:
        context["time.now"] += 60_000.0
        if context["url.path"].startswith("/other/"):
            context["url.path"] = f"/other/{random.random()}"


MIXES = (Mix("realistic", realistic, _context(PATHS)), Mix("wide", wide, _context(MANY_PATHS)))
