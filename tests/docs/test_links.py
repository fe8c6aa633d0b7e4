"""The documents' links lead somewhere, and every page is on the site."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import documents
from tests.support.documents import DOCS, ROOT

_MADE = {"k8s/install/provider"}  # By `init`, for an installation in the cluster.


@pytest.mark.parametrize("document", documents.ALL, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every link inside the project leads to a file, and to a heading or an anchor in it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", documents.prose(document)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = document.parent / file if file else document
        assert path.exists(), target
        assert not anchor or anchor in _anchors(path), target
        # The site is made of docs/ alone.
        assert path.parent == DOCS or document.parent != DOCS, target


def _anchors(document: Path) -> set[str]:
    whole = documents.prose(document)
    headings = re.findall(r"^#+ (.*)$", whole, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', whole))


@pytest.mark.parametrize("document", documents.ALL, ids=lambda path: path.name)
def test_mentioned_files_exist(document: Path) -> None:
    """Files, folders and modules of the project that the prose names in backticks are there."""
    for word in documents.words([documents.prose(document)]):
        if re.match(r"(app|handlers|k8s|tests|benchmarks|docs)/", word):
            path = word.partition("::")[0].rstrip("/")
        elif re.fullmatch(r"(app|handlers|k8s)(\.\w+)+", word):
            path = word.replace(".", "/")
        else:
            continue
        if path in _MADE:
            continue
        assert (ROOT / path).exists() or (ROOT / f"{path}.py").exists(), word


def test_every_page_is_on_the_site() -> None:
    """The site's navigation and its first page have each document of docs/."""
    site = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))
    pages = {path.name for path in DOCS.glob("*.md")}
    listed = [page for section in site["project"]["nav"] for page in _pages(section)]
    assert sorted(listed) == sorted(pages)
    linked = set(re.findall(r"\]\((\w+\.md)\)", documents.text(DOCS / "index.md")))
    assert linked == pages - {"index.md"}


def _pages(section: object) -> Iterator[str]:
    """Yield the pages of a section of the navigation."""
    if isinstance(section, str):
        yield section
    elif isinstance(section, dict):
        for page in section.values():
            yield from _pages(page)
    elif isinstance(section, list):
        for page in section:
            yield from _pages(page)
