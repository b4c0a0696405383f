"""A message is one line, whatever it holds."""

import json
import logging
from collections.abc import Iterator

import pytest

from edge import log


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_message_with_a_traceback_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "agent")
    try:
        raise ValueError('a "quoted"\nreason')
    except ValueError:
        logging.getLogger("edge.test").exception("it failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("at=20")
    assert ' level=error process=agent from=edge.test message="it failed\\n' in line
    assert 'a \\"quoted\\"\\nreason' in line


def test_the_level_is_kept_and_an_unknown_one_is_info(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warning", "agent")
    logging.getLogger("edge.test").info("unsaid")
    log.configure("loud", "agent")
    logging.getLogger("edge.test").info("said")
    logging.getLogger("edge.test").debug("unsaid")
    assert capsys.readouterr().err.count("\n") == 1


def test_as_json_each_event_is_one_object_with_the_same_keys(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "worker-0", "json")
    logging.getLogger("edge.test").info('a "quoted"\nline, %s', "Zürich")
    try:
        raise ValueError("a reason")
    except ValueError:
        logging.getLogger("edge.test").exception("it failed")
    plain, failed = map(json.loads, capsys.readouterr().err.splitlines())
    assert list(plain) == ["at", "level", "process", "from", "message"]
    assert plain["message"] == 'a "quoted"\nline, Zürich'
    assert (failed["level"], failed["process"], failed["message"]) == ("error", "worker-0", "it failed")
    assert failed["traceback"].endswith("ValueError: a reason")


@pytest.mark.parametrize("form", log.FORMATS)
def test_a_message_commands_no_terminal(capsys: pytest.CaptureFixture[str], form: str) -> None:
    log.configure("info", "worker-0", form)
    logging.getLogger("edge.test").info("/\x1b[2J\u2028\u202e%s", "\x00")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert "\\u001b" in line
