"""The tree is as the architecture says: a place for everything, named after what is in it."""

import ast
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.support.documents import ROOT

MAX_ENTRIES = 16
MAX_MODULES = 22
PACKAGES = ("app", "handlers", "k8s")
SHOWN = ROOT / "app" / "demo" / "spaces"  # Spaces that the demonstration deploys.
PRODUCT = tuple(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if SHOWN not in path.parents
)


def _refuse(paths: Iterable[Path]) -> None:
    offenders = sorted(str(path.relative_to(ROOT)) for path in paths)
    assert not offenders, "\n".join(["", *offenders])


def test_each_package_is_one_by_its_docstring() -> None:
    """No folder of the product has modules without an `__init__` that says what lives there."""
    folders = {path.parent for path in PRODUCT}
    _refuse(one for one in folders if not _docstring(one / "__init__.py"))


def _docstring(path: Path) -> str:
    return (path.exists() and ast.get_docstring(ast.parse(path.read_text("utf-8")))) or ""


def test_the_roots_list_on_one_screen() -> None:
    """Whoever lists `app` or `k8s` sees all of it at once."""
    for package in ("app", "k8s"):
        entries = {path.name for path in (ROOT / package).iterdir()} - {"__pycache__"}
        assert len(entries) <= MAX_ENTRIES, package


def test_folders_are_short() -> None:
    """A folder that outgrows the bound is two."""
    modules = Counter(path.parent for path in PRODUCT)
    _refuse(folder for folder, count in modules.items() if count > MAX_MODULES)
