"""The demonstration itself, as an operator starts it: a real process with everything below it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis

PROGRAM = (sys.executable, "-m", "app.cli")
FOLDER = re.compile(r"/\S*computing-provider-demo-\w+")
BROKEN_SPACE = """
import sys
from pathlib import Path
from app.cli import main
from app.demo import scenario
folder = Path(sys.argv.pop())
scenario.space = lambda: folder
main()
"""
BROKEN_FILE = """
version: "2.0"
services:
  web: {image: "nginx:1.27", expose: [{port: 99999, to: [{global: true}]}]}
deployment:
  web: {lagrange: {count: 1}}
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep in the test's folder what failed demonstrations leave to be read."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


class Demo:
    """A demonstration that runs, and everything that it has printed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.text = ""

    def read_until(self, words: str) -> None:
        """Return once it has printed these words."""
        assert self.process.stdout is not None
        while words not in self.text:
            line = self.process.stdout.readline()
            assert line, f"it ended without {words!r}:\n{self.text}"
            self.text += line

    def end(self) -> int:
        """Return its exit code, once it has ended."""
        assert self.process.stdout is not None
        self.text += self.process.stdout.read()
        return self.process.wait(60)

    @property
    def folder(self) -> Path:
        """Its folder."""
        found = FOLDER.search(self.text)
        assert found, self.text
        return Path(found[0])

    def left(self) -> list[str]:
        """Return the processes which it has started and that still run."""
        return list(_processes(str(self.folder)))


def _processes(folder: str) -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            works_there = str((entry / "cwd").readlink()).startswith(folder)
            if works_there or folder.encode() in (entry / "environ").read_bytes():
                yield (entry / "cmdline").read_text().replace("\0", " ")


@contextmanager
def running(*command: str, **environment: str) -> Iterator[Demo]:
    """Start a demonstration with these words."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("CP_")}
    with subprocess.Popen(
        [*(command if Path(command[0]).is_absolute() else (*PROGRAM, *command))],
        env={**outer, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield Demo(process)
        finally:
            process.terminate()


def test_it_shows_a_job_from_its_webhook_to_its_end() -> None:
    """Each step is shown, in order; what is kept can be looked at; at the end nothing is left."""
    with running("demo", "--keep", CP_LAG_SERVERURL="http://192.0.2.1", CP_API_PORT="1") as demo:
        demo.read_until("Ctrl-C ends the job")
        listed = subprocess.run(
            [*PROGRAM, "task", "list", "--json"],
            env={**os.environ, "CP_PATH": str(demo.folder)},
            capture_output=True,
            check=True,
        )
        demo.process.send_signal(signal.SIGINT)
        assert demo.end() == 0, demo.text
    (task,) = json.loads(listed.stdout)
    assert (task["state"], task["space_name"]) == ("running", "visitors")
    assert "\033" not in demo.text
    steps = (
        *("job.assigned, signed", "202 Accepted", "1  downloadSource  signature valid"),
        *("2  deployToK8s  signature valid", "3  running  signature valid", "4 Pod", task["url"]),
        *("job.renewed, signed", "202 Accepted", "→", "job.terminated, signed", "202 Accepted"),
        *("4  terminated: ended by the tenant  signature valid", "objects of the task: none"),
        *("namespace is gone", "5 processes have ended", "✔", "4 callbacks, in order"),
    )
    assert _positions(demo.text, steps), demo.text
    assert {*re.findall(r"pod +(\w+) \w+ +ready", demo.text)} == {"web", "api", "memory"}
    assert demo.left() == []
    assert not demo.folder.exists()


def _positions(text: str, steps: tuple[str, ...]) -> bool:
    """Tell whether the steps come one after the other."""
    start = 0
    for step in steps:
        start = text.find(step, start)
        if start < 0:
            raise AssertionError(f"{step!r} does not come in its place in:\n{text}")
        start += len(step)
    return True


@pytest.mark.parametrize(
    ("words", "number", "times"),
    [
        ("starts its processes", signal.SIGTERM, 1),
        ("202 Accepted", signal.SIGINT, 2),
    ],
)
def test_a_signal_leaves_nothing(words: str, number: signal.Signals, times: int) -> None:
    """Whenever it is interrupted, once or twice, no process and no file is left."""
    with running("demo") as demo:
        demo.read_until(words)
        for _ in range(times):
            demo.process.send_signal(number)
            time.sleep(0.3)
        assert demo.end() == 128 + number, demo.text
    assert f"stopped by {number.name}; nothing is left" in demo.text
    assert demo.left() == []
    assert not demo.folder.exists()


def test_even_its_violent_death_leaves_no_process() -> None:
    """A kill -9 of the demonstration ends everything that it has started."""
    with running("demo") as demo:
        demo.read_until("202 Accepted")
        assert len(demo.left()) >= 6
        demo.process.kill()
        demo.end()
    _eventually(lambda: not demo.left())


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_job_that_fails_fails_the_demonstration(tmp_path: Path) -> None:
    """When a step fails, its reason and the log's place are told, and the exit code is 1."""
    (tmp_path / "deploy.yaml").write_text(BROKEN_FILE)
    with running(sys.executable, "-c", BROKEN_SPACE, "demo", str(tmp_path)) as demo:
        assert demo.end() == 1, demo.text
    end = demo.text.rpartition("✘")[2]
    assert "the job failed: " in end
    assert "services.web.expose[0].port" in end
    assert str(demo.folder / "demo.log") in end
    assert demo.left() == []


def test_a_redis_in_use_is_left_alone(redis_url: str) -> None:
    """The configured Redis goes before one of its own, and is refused when it is in use."""
    with redis.Redis.from_url(redis_url) as connection:
        connection.set("cp:tasks", "somebody's")
        with running("demo", CP_API_REDISURL=redis_url) as demo:
            assert demo.end() == 1
        assert connection.keys() == [b"cp:tasks"]
    assert "CP_API_REDISURL is not empty" in demo.text


def test_an_ingress_needs_a_real_cluster() -> None:
    """An option that would have no effect is refused."""
    with running("demo", "--ingress", "10.0.0.1") as demo:
        assert demo.end() == 2
    assert "--ingress needs --kubeconfig" in demo.text


def test_a_cluster_that_is_away_is_told(tmp_path: Path) -> None:
    """A kubeconfig that leads nowhere ends it with a reason, before anything is started."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("apiVersion: v1\nkind: Config\n")
    with running("demo", "--kubeconfig", str(kubeconfig)) as demo:
        assert demo.end() == 1
    assert f"no credentials for a cluster in {kubeconfig}" in demo.text
    assert "starts its processes" not in demo.text
