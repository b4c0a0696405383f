"""A message is one line, whatever it holds."""

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
