"""Runs one case of the public cache suite through the worker: a scripted site, a jumping clock."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final

import httpx

from edge.errors import UpstreamError
from edge.worker.app import PageApp
from tests.edge.worker.conftest import Answer, Clock, Heard, Stream, Worker

PAUSE_S: Final = 3
PATH: Final = "/test/case"
_DATES: Final = frozenset(("date", "expires", "last-modified", "if-modified-since", "if-unmodified-since"))
_LOCATIONS: Final = frozenset(("location", "content-location"))
_NO_BODY: Final = (204, 304)
Case = dict[str, Any]
Pairs = list[tuple[str, str]]


class UnmetError(AssertionError):
    """What a case expects did not happen; `setup` where the case could not even begin."""


@dataclass
class Script:
    """Stands for the site: answers the case's requests in their order."""

    case: Case
    clock: Clock
    started_s: float
    heard: list[Heard] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    streamed: int = 0
    closed: int = 0

    async def send(
        self, method: str, target: bytes, headers: Any, body: Any, interim: Any = None
    ) -> httpx.Response:
        sent = b"".join([chunk async for chunk in body]) if body is not None else b""
        asked = Heard(method, target, list(headers), sent)
        number = int(asked.values(b"req-num")[0]) if asked.values(b"req-num") else len(self.heard) + 1
        self.heard.append(asked)
        self.numbers.append(number)
        said = self.case["requests"][number - 1]
        if said.get("disconnect"):
            raise UpstreamError("upstream", "the site broke off")
        for status, *fields in said.get("interim_responses", ()):
            if interim is not None:
                interim(status, [(k.encode(), v.encode()) for k, v in (fields[0] if fields else [])])
        return self._response(said, asked, number)

    def _response(self, said: Case, asked: Heard, number: int) -> httpx.Response:
        status = said.get("response_status", [200])[0]
        if said.get("expected_type", "").endswith("validated"):
            status = 304 if self._validates(asked, number) else 999
        fields: Pairs = [
            ("server-request-count", str(len(self.heard))),
            ("client-request-count", str(number)),
            ("server-base-url", PATH),
            ("server-now", str(self.clock())),
        ]
        fields += [(name.lower(), value) for name, value in self.told(said, self.clock())]
        if not any(name == "content-type" for name, _ in fields):
            fields.append(("content-type", "text/plain"))
        body = b"" if status in _NO_BODY else (said.get("response_body") or "the body of the case").encode()
        stated = [int(value) for name, value in fields if name == "content-length"]
        parts = [body[: stated[0]] if stated else body] if asked.method != "HEAD" else []
        return httpx.Response(status, headers=fields, stream=Stream(parts, self))  # type: ignore[arg-type]

    def _validates(self, asked: Heard, number: int) -> bool:
        """Whether the condition is that of the response before."""
        before = {name.lower(): value for name, value in self.told(self.case["requests"][number - 2], None)}
        pairs = (("last-modified", b"if-modified-since"), ("etag", b"if-none-match"))
        return any(
            name in before and asked.values(condition) == [before[name].encode()] for name, condition in pairs
        )

    def told(self, said: Case, now_s: float | None) -> Pairs:
        """A request's response fields, dates and places filled in."""
        if now_s is None:
            now_s = said.get("_now_s", self.clock())
        said["_now_s"] = now_s
        return [
            (name, filled(said, name, value, now_s)) for name, value, *_ in said.get("response_headers", ())
        ]


def filled(said: Case, name: str, value: Any, now_s: float) -> str:
    """A field's value: a number stands for a date so far from now."""
    lower = name.lower()
    if lower in _DATES and isinstance(value, int):
        if lower in said.get("rfc850date", ()):
            return time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(now_s + value))
        return formatdate(now_s + value, usegmt=True)
    if lower in _LOCATIONS and said.get("magic_locations"):
        return f"{PATH}/{value}" if value else PATH
    return str(value)


async def run(worker: Worker, app: PageApp, case: Case, script: Script) -> None:
    """Play the case.

    Raises
    ------
    UnmetError
        Something that it expects did not happen.
    """
    answers: list[Answer] = []
    for number, said in enumerate(case["requests"], 1):
        answer = await worker.ask(
            app,
            target_of(said),
            [*_asked(said, script, answers), ("req-num", str(number)), ("test-id", case["id"])],
            method=said.get("request_method", "GET"),
            body=[said["request_body"].encode()] if "request_body" in said else [],
        )
        answers.append(answer)
        _check_answer(said, number, answer)
        if said.get("pause_after"):
            worker.clock.now_s += PAUSE_S
    _check_site(case["requests"], script)


def target_of(said: Case) -> str:
    """Where a request goes."""
    path = PATH + ("/" + said["filename"] if "filename" in said else "")
    return path + ("?" + said["query_arg"] if "query_arg" in said else "")


def _asked(said: Case, script: Script, answers: list[Answer]) -> Iterator[tuple[str, str]]:
    if "request_body" in said:
        yield "content-length", str(len(said["request_body"]))
    magic = said.get("magic_ims")
    for name, value in said.get("request_headers", ()):
        base_s = float(answers[-1].value("server-now")) if magic and answers else script.clock()
        yield name.lower(), filled(said, name, value, base_s)


def _check_answer(said: Case, number: int, answer: Answer) -> None:
    from_site = int(answer.value("server-request-count") or 0)
    kind = said.get("expected_type")
    if kind == "cached" and not (answer.status == 304 and not from_site):
        met(from_site < number and from_site > 0, f"answer {number} does not come from the cache")
    if kind == "not_cached":
        met(from_site == number, f"answer {number} comes from the cache")
    wanted = said.get("expected_status", said.get("response_status", [200])[0])
    met(
        wanted is None or answer.status == wanted, f"answer {number} has status {answer.status}, not {wanted}"
    )
    for field_ in said.get("expected_response_headers", ()):
        _check_field(said, field_, number, answer)
    for name in said.get("expected_response_headers_missing", ()):
        if isinstance(name, str):
            met(not answer.values(name.lower()), f"answer {number} has {name}")
        else:
            met(name[1] not in answer.value(name[0].lower()), f"answer {number} has {name[0]}")
    if (
        said.get("check_body", True)
        and answer.status not in _NO_BODY
        and said.get("request_method") != "HEAD"
    ):
        body = said.get("expected_response_text", said.get("response_body")) or "the body of the case"
        met(answer.body == body.encode(), f"answer {number} has another body")
    if "expected_interim_responses" in said:
        wanted_interim = [status for status, *_ in said["expected_interim_responses"]]
        met(
            [status for status, _ in answer.interim] == wanted_interim,
            f"interim of {number}: {answer.interim}",
        )


def _check_field(said: Case, wanted: Any, number: int, answer: Answer) -> None:
    if isinstance(wanted, str):
        met(bool(answer.values(wanted.lower())), f"answer {number} lacks {wanted}")
        return
    found = ", ".join(answer.values(wanted[0].lower()))
    if len(wanted) == 3 and wanted[1] == ">":
        met(found.isdigit() and int(found) > wanted[2], f"answer {number}: {wanted[0]} is {found!r}")
    elif len(wanted) == 3 and wanted[1] == "=":
        met(
            found == ", ".join(answer.values(wanted[2].lower())), f"answer {number}: {wanted[0]} is {found!r}"
        )
    else:
        value = filled(said, wanted[0], wanted[1], float(answer.value("server-now") or 0))
        met(found == value, f"answer {number}: {wanted[0]} is {found!r}, not {value!r}")


def _check_site(requests: list[Case], script: Script) -> None:
    heard = iter(zip(script.heard, script.numbers, strict=True))
    for number, said in enumerate(requests, 1):
        kind = said.get("expected_type")
        if kind == "cached":
            continue
        asked, its_number = next(heard, (None, 0))
        if kind == "not_cached":
            met(its_number == number, f"request {number} did not reach the site")
        condition = {"etag_validated": b"if-none-match", "lm_validated": b"if-modified-since"}.get(kind or "")
        if condition is not None:
            met(asked is not None and bool(asked.values(condition)), f"request {number} has no condition")
        for wanted in said.get("expected_request_headers", ()):
            name = wanted if isinstance(wanted, str) else wanted[0]
            found = asked.values(name.lower().encode()) if asked else []
            met(bool(found), f"request {number} reached the site without {name}")
            if not isinstance(wanted, str):
                met(b", ".join(found).decode() == wanted[1], f"request {number}: {name} is {found}")
        if "expected_method" in said:
            met(asked is not None and asked.method == said["expected_method"], f"the method of {number}")


def met(condition: bool, told: str) -> None:
    """Raise what was not met."""
    if not condition:
        raise UnmetError(told)
