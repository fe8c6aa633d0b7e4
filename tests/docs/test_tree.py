"""The tree is as the architecture says: a place for everything, named after what is in it."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.documents import ROOT

MAX_ENTRIES = 16
MAX_MODULES = 22
MAX_LINES = 300
BARE = re.compile(r"(What|Who|How|Which|Whether|Where|Whose)\b")
PACKAGES = ("app", "handlers", "k8s")
SHOWN = ROOT / "app" / "demo" / "spaces"  # Spaces that the demonstration deploys.
PRODUCT = tuple(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if SHOWN not in path.parents
)
TESTS = tuple((ROOT / "tests").rglob("*.py"))


def _refuse(paths: Iterable[Path]) -> None:
    offenders = sorted(str(path.relative_to(ROOT)) for path in paths)
    assert not offenders, "\n".join(["", *offenders])


def test_each_test_file_is_named_after_its_module() -> None:
    """It is `test_<module>.py` or `test_<module>_<aspect>.py`, in the folder that mirrors it."""
    mirrored = (
        path for package in PACKAGES for path in (ROOT / "tests" / package).rglob("test_*.py")
    )
    _refuse(path for path in mirrored if not _has_module(path))


def _has_module(path: Path) -> bool:
    folder = ROOT / path.parent.relative_to(ROOT / "tests")
    words = path.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    return any((folder / f"{name}.py").exists() or (folder / name).is_dir() for name in names)


def test_no_test_module_imports_another() -> None:
    """What tests share is in `tests/support`."""
    tested = re.compile(r"tests\.(?:\w+\.)*(?:test_\w+|conftest)$")
    _refuse(path for path in TESTS if any(map(tested.match, _imports(path))))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_each_package_says_what_lives_there() -> None:
    """The docstring of its `__init__` has two to four sentences."""
    folders = {path.parent for path in PRODUCT}
    wordy = (one for one in folders if not 2 <= _sentences(_docstring(one / "__init__.py")) <= 4)
    _refuse(wordy)


def _sentences(docstring: str) -> int:
    return len(re.findall(r"[.!?](?:\s|$)", docstring))


def _docstring(path: Path) -> str:
    return (path.exists() and ast.get_docstring(ast.parse(path.read_text("utf-8")))) or ""


def test_docstrings_are_no_bare_clauses() -> None:
    """The first word of a module is a noun of the field or an imperative."""
    _refuse(path for path in PRODUCT if BARE.match(_docstring(path)))


def test_the_roots_list_on_one_screen() -> None:
    """Whoever lists `app` or `k8s` sees all of it at once."""
    for package in ("app", "k8s"):
        entries = {path.name for path in (ROOT / package).iterdir()} - {"__pycache__"}
        assert len(entries) <= MAX_ENTRIES, package


def test_folders_are_short() -> None:
    """A folder that outgrows the bound is two."""
    modules = Counter(path.parent for path in PRODUCT)
    _refuse(folder for folder, count in modules.items() if count > MAX_MODULES)


def test_modules_are_short() -> None:
    """A module or a test file that outgrows the bound is two."""
    _refuse(path for path in (*PRODUCT, *TESTS) if _lines(path) > MAX_LINES)


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())
