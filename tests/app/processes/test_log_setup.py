"""Lines of the log."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, structlog
from app.processes import log_setup
log_setup.start("web", secrets=["hunter2", 'with "quotes"', ""])
line = structlog.get_logger()
structlog.contextvars.bind_contextvars(task="t-1")
line.info("one", token="Bearer hunter2", nested={"a": ["hunter2"]}, number=5)
line.info("two", quoted='with "quotes"')
try:
    raise ValueError("hunter2")
except ValueError:
    line.exception("three")
logging.getLogger("elsewhere").error("four %s", "hunter2")
line.debug("never")
"""


def lines() -> list[str]:
    """Return what a process with a log writes to standard error."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


@pytest.fixture(scope="module")
def written() -> list[str]:
    """The lines."""
    return lines()


def test_json(written: list[str]) -> None:
    """Where nobody looks on, a line is one JSON object with process, level, time and context."""
    documents = [json.loads(line) for line in written]
    found = [document["event"] for document in documents]
    assert found == ["one", "two", "three", f"four {STRUCK}"]
    for document in documents:
        assert document["process"] == "web"
        assert document["level"] in {"info", "error"}
        assert document["timestamp"].endswith("Z")
        assert document["task"] == "t-1"
    assert documents[0]["number"] == 5


STRUCK = "[secret]"


def test_secrets(written: list[str]) -> None:
    """Secrets do not get out: not from values, nested ones, tracebacks, nor others' lines."""
    assert "hunter2" not in "".join(written)
    assert "quotes" not in "".join(written)
    assert json.loads(written[0])["token"] == f"Bearer {STRUCK}"
    assert f"ValueError: {STRUCK}" in json.loads(written[2])["exception"]
