"""docs/faults.md: no fault of the original without a test against it."""

import ast
import re
from functools import cache

import pytest

from tests.support.documents import FAULTS, ROOT

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in FAULTS.read_text("utf-8").splitlines()
    if re.match(r"\| [0-9]", line)
]


def test_every_fault_is_listed() -> None:
    """All seventeen are there, in order."""
    assert list(dict.fromkeys(int(row[0]) for row in ROWS)) == list(range(1, 18))


@pytest.mark.parametrize(("number", "fault", "shown"), ROWS)
def test_every_fault_has_its_tests(number: str, fault: str, shown: str) -> None:
    """Each test that the table names exists."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", shown)
    assert named, f"{number}: {fault}"
    assert re.sub(r"`[^`]+`", "", shown).strip() == ""
    for file, name in named:
        assert name in _defined(file), f"{file}::{name}"


@cache
def _defined(file: str) -> set[str]:
    """Return the tests of a file."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
