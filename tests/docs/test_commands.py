"""Every command of the documents is run: by the tests below, by tests/cluster, or by CI."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.context import Context, open_context
from app.net import signatures
from app.store.job_data import JobData
from app.tasks import transitions
from tests.support import documents, market
from tests.support.documents import CONFIGURATION, INSTALL, ROOT, TENANTS
from tests.support.ports import free_port
from tests.support.waiting import eventually
from tests.support.web_server import Web, wait_ready

BY_CI = {"make demo", "make test", "make docs", "make install"}
STAYING = {f"computing-provider {name}" for name in ("run", "web", "worker", "watcher", "clock")}
# tests/cluster/test_install.py runs these.
INSTALLING = {
    line
    for block in documents.blocks(INSTALL, "sh", below="In the cluster")
    for line in block.splitlines()
}
# tests/cluster/test_inference.py runs this.
BY_CLUSTER = {"computing-provider inference install transformers"}
NOT_RUN = {
    "make bench": "Takes minutes, and its numbers depend on what else the machine does.",
    "make lock": "Asks the package index; its answer changes with every release there.",
    ".venv/bin/ruff check --fix .": "Writes to the checkout; `make test` runs it without `--fix`.",
    ".venv/bin/ruff format .": "Writes to the checkout; `make test` runs it with `--check`.",
    ".venv/bin/mypy": "A part of `make test`.",
    ".venv/bin/lint-imports": "A part of `make test`.",
    ".venv/bin/pytest tests/handlers": "A part of `make test`.",
    "kubectl apply -k k8s/install/policies": (
        "Holds for a whole cluster; tests/attacks apply the policies under other names."
    ),
}
ELSEWHERE = BY_CI | STAYING | INSTALLING | BY_CLUSTER | NOT_RUN.keys()
# tests/docs/test_protocol.py runs the protocol's.
COMMANDS = {
    line: document.name
    for document in documents.ALL
    if document != documents.PROTOCOL
    for line in documents.commands(document)
}
QUICK = [line for line in COMMANDS if line not in ELSEWHERE]
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: away
contexts: [{name: away, context: {cluster: away, user: nobody}}]
clusters: [{name: away, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: nobody, user: {}}]
"""


@pytest.fixture
def context(provider_folder: Path) -> Iterator[Context]:
    """The context of a provider of its own: commands may change its folder."""
    opening = open_context(str(provider_folder))
    yield opening
    opening.redis.close()


@pytest.fixture
def environment(context: Context, tmp_path: Path) -> dict[str, str]:
    """The environment of an operator with a provider, and with one task by the name of `$JOB`."""
    job = market.job()
    change = transitions.accepted(
        JobData(uuid=job["uuid"], duration=900, job_source_uri=job["job_source_uri"]),
        host="x.cp.example.com",
        now=time.time(),
        start_timeout_seconds=3600,
    )
    context.store.commit(change)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CP_")}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CP_PATH": str(context.folder),
        "CP_CLUSTER_KUBECONFIG": str(kubeconfig),
        "JOB": job["uuid"],
    }


def bash(line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one line in the project's folder."""
    command = ["bash", "-euc", line]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_commands_are_accounted_for() -> None:
    """Each command that is not run here is in a document, and CI's are CI's or the Makefile's."""
    assert COMMANDS.keys() >= ELSEWHERE
    ci = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert {"make demo", "make test", "make docs"} <= set(ci)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^demo: install$", makefile, re.MULTILINE)
    for target in ("bench", "lock"):
        assert re.search(rf"^{target}: install$", makefile, re.MULTILINE)


@pytest.mark.parametrize("line", QUICK)
def test_a_command(environment: dict[str, str], line: str) -> None:
    """The command does what it says and exits with 0."""
    done = bash(line, environment)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("line", sorted(STAYING))
def test_a_process(
    environment: dict[str, str], context: Context, tmp_path: Path, line: str
) -> None:
    """The process starts, stays up, and stops cleanly on SIGTERM."""
    port, log = free_port(), tmp_path / "process.log"
    settings = environment | {"CP_API_PORT": str(port), "CP_TASK_WORKERS": "1"}
    with log.open("w") as file:
        process = subprocess.Popen(shlex.split(line), env=settings, stdout=file, stderr=file)
    try:
        eventually(f"{line} is up", _check(shlex.split(line)[1], context, port, log))
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    assert code in {0, -signal.SIGTERM}, log.read_text()
    assert "Traceback" not in log.read_text()


def _check(name: str, context: Context, port: int, log: Path) -> Callable[[], object]:
    """Return the check that a process of this name is up."""

    def serves() -> bool:
        wait_ready(Web(port))
        return True

    return {
        "run": serves,
        "web": serves,
        "worker": lambda: context.redis.exists("rq:workers"),
        "watcher": lambda: "watch interrupted" in log.read_text(),
        "clock": lambda: context.redis.exists(
            "rq:queue:work"
        ),  # Its first round calls for a clean-up.
    }[name]


def test_the_minimal_configuration_works(environment: dict[str, str], context: Context) -> None:
    """The smallest configuration, with a secret generated as documented, is complete."""
    (making,) = (
        line for line in documents.commands(CONFIGURATION) if line.startswith("python3 -c")
    )
    secret = bash(making, environment).stdout.strip()
    assert signatures.parse_keys((secret,), ())
    (minimal,) = documents.blocks(CONFIGURATION, "toml")
    text = minimal.replace("whsec_…", secret)
    assert secret in text
    (context.folder / "config.toml").write_text(text, "utf-8")
    done = bash("computing-provider config check", environment)
    assert done.returncode == 0, done.stderr
    assert secret not in done.stdout + done.stderr


def test_a_refusal_looks_as_shown(environment: dict[str, str]) -> None:
    """The refused file is refused in the words that the document shows, with 2."""
    (shown,) = documents.blocks(TENANTS, "text")
    command, *lines = shown.splitlines()
    done = bash(command.removeprefix("$ "), environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == lines


def test_the_sample_alone_is_incomplete(environment: dict[str, str], context: Context) -> None:
    """`config check` on the sample as it is names what has to be set, and exits with 2."""
    (context.folder / "config.toml").write_bytes((ROOT / "config.toml.sample").read_bytes())
    done = bash("computing-provider config check", environment)
    assert done.returncode == 2
    assert "[API] Domain" in done.stderr
    assert "[WEBHOOK] Secrets" in done.stderr
