"""The documents, held to the code and to the files that they name."""

import ast
import configparser
import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
import pytest

from app import cli, config
from app.cli.processes import children
from app.context import Context
from app.lagrange import callbacks
from app.processes import worker
from app.store import aio, budget, leases, redis_keys, rq_queue, transaction
from app.store.records import State
from k8s.health.problems import Category
from tests.support import config_reference, documents
from tests.support.documents import ARCHITECTURE, CONFIGURATION, DOCS, ROOT, TROUBLESHOOTING

SAMPLE = ROOT / "config.toml.sample"
KEYS = tuple(config.keys())
_POSITIONS = {"Reason": 0, "_translated": 2}  # Where calls have a category without its name.
_NAMED = {"CATEGORY", "NO_ROOM", "NOT_ADMITTED", "TOO_LOW", "UNAVAILABLE", "UNREADABLE"}


def test_the_sample_is_the_defaults(tmp_path: Path) -> None:
    """The sample is read without complaint, and means the same as no file."""
    (tmp_path / "config.toml").write_text(SAMPLE.read_text("utf-8"), "utf-8")
    assert config.load(tmp_path, {}) == config.Config()


def test_the_sample_has_every_key() -> None:
    """Every table and every key is in the sample, below a line that explains it."""
    entries = [*config_reference.entries(SAMPLE.read_text("utf-8"))]
    assert all(entry.explanation for entry in entries)
    keys = [(entry.table, entry.key) for entry in entries if entry.key]
    assert sorted(keys) == sorted((table, key) for table, key, _ in KEYS)


def test_the_configuration_is_the_samples() -> None:
    """docs/configuration.md explains keys as the sample does; `UPDATE_RENDERED=1` updates it."""
    begin, end = config_reference.BEGIN, config_reference.END
    before, _, rest = documents.text(CONFIGURATION).partition(begin)
    reference = config_reference.reference(SAMPLE.read_text("utf-8"))
    document = f"{before}{begin}\n{reference}\n{end}{rest.partition(end)[2]}"
    if os.environ.get("UPDATE_RENDERED"):
        CONFIGURATION.write_text(document, "utf-8")
    assert documents.text(CONFIGURATION) == document


def test_the_procfile_names_the_processes(context: Context) -> None:
    """Procfile starts the same processes as `run`, each by its command."""
    lines = (ROOT / "Procfile").read_text("utf-8").splitlines()
    named = dict(line.split(": ", 1) for line in lines)
    started = {child.command[-1] for child in children(context)}
    assert named == {name: f"computing-provider {name}" for name in started}


def _layers() -> list[list[str]]:
    """Return the rooms that import-linter holds apart, from the top, siblings together."""
    linted = configparser.ConfigParser()
    linted.read(ROOT / ".importlinter")
    layers = linted["importlinter:contract:rooms"]["layers"].strip().splitlines()
    return [sorted(re.findall(r"[\w.]+", layer)) for layer in layers]


def test_the_rooms_are_those_that_are_checked() -> None:
    """The rooms in the architecture are the layers that import-linter holds, in their order."""
    listed = [sorted(documents.words([row])) for row in documents.cells(ARCHITECTURE, "Rooms")[1:]]
    assert listed == _layers()


def test_the_picture_has_the_rooms() -> None:
    """The picture of the rooms names each layer and each handler, in their order."""
    picture = documents.text(DOCS / "rooms.svg")
    names = re.findall(r'class="name"[^>]*>([^<]+)<', picture)
    handlers = sorted(
        path.stem for path in (ROOT / "handlers").glob("*.py") if path.stem != "__init__"
    )
    rooms = [sorted(room.partition(".")[2] for room in layer) for layer in _layers()[1:]]
    assert names[: len(handlers)] == handlers
    listed = iter(names[len(handlers) :])
    assert [sorted(islice(listed, len(layer))) for layer in rooms] == rooms
    assert not [*listed]


def test_every_room_has_its_layer() -> None:
    """No module or package of `app` and `k8s` is outside the layers."""
    for package in ("app", "k8s"):
        modules = {
            f"{package}.{path.stem}"
            for path in (ROOT / package).iterdir()
            if path.stem not in {"__init__", "__pycache__", "templates", "install"}
        }
        assert modules == {
            room for layer in _layers() for room in layer if room.startswith(package + ".")
        }


def test_every_key_of_redis_is_documented() -> None:
    """The architecture's table of keys has each key, and no other."""
    code = Path(redis_keys.__file__).read_text("utf-8")
    names = set(re.findall(r'"(cp:[a-z-]+)', code))
    listed = documents.words(documents.cells(ARCHITECTURE, "Redis"))
    assert {":".join(key.split(":")[:2]) for key in listed if key.startswith("cp:")} == names


def test_every_transition_is_documented() -> None:
    """The architecture's table of transitions has each function of `transitions`."""
    tree = ast.parse((ROOT / "app" / "tasks" / "transitions.py").read_text("utf-8"))
    functions = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and getattr(node.returns, "id", "") == "Change"
    }
    listed = documents.words(documents.cells(ARCHITECTURE, "States"))
    assert set(listed) == {name for name in functions if not name.startswith("_")}


def test_every_state_is_documented() -> None:
    """The picture of states and the protocol name each state."""
    picture = documents.blocks(ARCHITECTURE, "mermaid")[0]
    protocol = documents.section(documents.PROTOCOL, "`GET /tasks/{task_id}`")
    for state in State:
        assert f"`{state}`" in protocol
        assert state in picture or state is State.BUILDING


def _modules() -> Iterator[Path]:
    """Yield the modules of `app` that the processes and `render` are made of."""
    names = ("web", "rq_jobs", "worker", "watcher", "clock")
    imports = (
        ", ".join(f"app.processes.{name}" for name in names) + ", app.cli.render, app.cli.tasks"
    )
    script = f"import sys, {imports}; app.intake.dispatch.handlers(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, cwd=ROOT)
    for name in done.stdout.decode().split():
        if name.startswith(("app.", "handlers.")):
            path = ROOT / name.replace(".", "/")
            yield path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _categories() -> Iterator[str]:
    """Yield every category of a failure or a reason that the code names."""
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "category":
                yield from _texts(node.value)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in _POSITIONS:
                position = _POSITIONS[getattr(node.func, "id", "")]
                yield from (text for one in node.args[position:][:1] for text in _texts(one))
            elif isinstance(node, ast.Assign):
                name = getattr(node.targets[0], "id", "").lstrip("_")
                yield from _texts(node.value) if name in _NAMED else ()


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def test_every_category_has_its_remedy() -> None:
    """The tables of categories have every category of the code, and no other."""
    titles = ("Why a task failed or ended", "Why work is postponed")
    listed = [
        word
        for title in titles
        for word in documents.words(documents.cells(TROUBLESHOOTING, title))
    ]
    known = {*_categories(), *map(str, Category)}
    assert len(known) > 20
    assert sorted(listed) == sorted(known)


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("What happens when something dies", f"its lock ends after {leases.LEASE_SECONDS} s"),
        (
            "What happens when something dies",
            f"heartbeat after {worker._MISSED_HEARTBEATS * worker._MONITORING_SECONDS} s",
        ),
        (
            "What happens when something dies",
            f"no worker has touched for {transaction.WORK_LEASE.seconds} s",
        ),
        ("What happens when something dies", f"outbox ends after {callbacks._LEASE_SECONDS} s"),
        (
            "What happens when something dies",
            "after {}, {}, {}, {}, {}, {}, {} and {} s by RQ".format(*rq_queue._RETRY_SECONDS),
        ),
        ("Callbacks", f"up to {callbacks._CONCURRENT} tasks at once"),
        ("Redis", f"an event: a digest, the answer; {transaction.RECEIPT_KEPT.days} days"),
        ("Redis", f"forgotten after {transaction.ENDED_KEPT.days} days"),
        ("Redis", f"the last {aio._CALLBACKS_KEPT} that are not"),
        ("Redis", f"together below {budget.BUILD_LOGS_MAX_BYTES >> 20} MiB"),
        ("Redis", f"from {budget.FULL_PERCENT} % of `maxmemory` on"),
    ],
)
def test_times_are_those_of_the_code(title: str, words: str) -> None:
    """The times in the architecture are those of the code."""
    assert words in " ".join(documents.section(ARCHITECTURE, title).split())


def test_mentioned_commands_exist() -> None:
    """Each command and option that the documents mention is one of the command line."""
    for document in documents.ALL:
        for words in documents.mentioned(document):
            _check_command(words)


def _check_command(words: list[str]) -> None:
    command: click.Command = cli.main
    parents = click.Context(command)
    for word in words:
        if word.startswith("-"):
            options = {name for parameter in command.params for name in parameter.opts}
            assert word in {*options, "--version"}, f"no option {word} in {' '.join(words)}"
        elif isinstance(command, click.Group):
            found = command.get_command(parents, word)
            assert found is not None, f"there is no command {' '.join(words)}"
            command = found


@pytest.mark.parametrize("picture", sorted(DOCS.glob("*.svg")), ids=lambda path: path.stem)
def test_pictures_can_be_drawn(picture: Path) -> None:
    """Each picture is well-formed, and has a title and a description for screen readers."""
    root = ET.parse(picture).getroot()  # noqa: S314 - our own file.
    assert [element.tag.rpartition("}")[2] for element in root][:2] == ["title", "desc"]


def test_the_site_is_built_of_the_tested_versions() -> None:
    """`make docs` changes no version of what `make install` has installed."""
    pinned, wanted = (
        dict(re.findall(r"^([\w.-]+)==([^ \\]+) \\", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.lock", "docs.lock")
    )
    assert "zensical" in wanted
    shared = pinned.keys() & wanted.keys()
    assert {name: wanted[name] for name in shared} == {name: pinned[name] for name in shared}


def test_the_version_has_its_notes() -> None:
    """The changelog begins with the version that the package has."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    newest = re.search(r"^## (\S+)", documents.text(documents.CHANGELOG), re.MULTILINE)
    assert newest
    assert newest[1] == version


def test_the_licence_is_whole() -> None:
    """LICENSE is the Apache License 2.0 from its title to its appendix."""
    text = " ".join((ROOT / "LICENSE").read_text("utf-8").split())
    assert text.startswith("Apache License Version 2.0, January 2004")
    for part in ("9. Accepting Warranty", "END OF TERMS AND CONDITIONS", "APPENDIX"):
        assert part in text
