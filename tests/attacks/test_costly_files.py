"""Attack: a tenant's file makes its reader loop, take all memory, or crash.

No such file is known, so the reader is replaced by one that does each of it, in the real process
with the real limits. It fails because that process ends alone: the task fails, or is tried again
when the machine was to blame, and the worker goes on. The process has no secret to give away.
"""

import os
import sys
import time
import uuid
from pathlib import Path

import pytest

from app.context import Context
from app.errors import Permanent, Temporary
from app.spaces import reader
from app.spaces.files import Files
from app.store.job_data import JobData
from app.store.records import State
from app.tasks import advance, transitions
from app.tasks.step import StepContext
from app.tasks.steps import fetch
from tests.support import spaces

LOOP = "while True: pass"
FILL = "bytes(1 << 34)"
FILL_SLOWLY = "kept = [bytes(1 << 20) for _ in range(10_000)]"
CRASH = "import ctypes; ctypes.string_at(0)"
KILL = "import os; os.kill(os.getpid(), 9)"
SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def dockerfile(tmp_path: Path) -> Files:
    """A Space of one Dockerfile."""
    return spaces.stored(tmp_path / "files", {"Dockerfile": b"FROM x\nEXPOSE 8080"})


def replace_reader(monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    """Let the process act so instead of reading; it gets one second of CPU, to be quick."""
    script = f"""
import sys
from app.spaces import reader
def act(_):
    {act}
reader.CPU_SECONDS = 1
reader._answer = act
sys.exit(reader.main())
"""
    monkeypatch.setattr(reader, "_COMMAND", (sys.executable, "-c", script))


@pytest.mark.parametrize("act", [LOOP, FILL, FILL_SLOWLY, CRASH])
def test_a_reader_that_exceeds_its_limits(
    dockerfile: Files, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """It ends by its own limits, and the error names the file and the limits."""
    replace_reader(monkeypatch, act)
    with pytest.raises(Permanent, match="Dockerfile cannot be read with 10 s of CPU") as refused:
        reader.read_dockerfile(dockerfile, "Dockerfile")
    assert refused.value.category == reader.CATEGORY


def test_a_reader_that_the_machine_ends(dockerfile: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill from outside, or a time without CPU, says nothing of the file: it is read again."""
    replace_reader(monkeypatch, KILL)
    with pytest.raises(Temporary, match="its process was killed"):
        reader.read_dockerfile(dockerfile, "Dockerfile")
    replace_reader(monkeypatch, SLEEP)
    monkeypatch.setattr(reader, "WALL_SECONDS", 2)
    begun = time.monotonic()
    with pytest.raises(Temporary, match="was not read within 2 s"):
        reader.read_dockerfile(dockerfile, "Dockerfile")
    assert time.monotonic() - begun < 30


def test_the_reader_has_no_secrets(dockerfile: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment nor an open file of the worker is in the process."""
    monkeypatch.setenv("CP_LAG_ACCESSTOKEN", "hunter2")
    probe = (
        "import os; from app.errors import Permanent;"
        " raise Permanent(f'{sorted(os.environ)} {len(os.listdir(\"/proc/self/fd\"))}',"
        " category='x')"
    )
    replace_reader(monkeypatch, probe)
    inherited = os.open(os.devnull, os.O_RDONLY)
    with pytest.raises(Permanent) as told:
        reader.read_dockerfile(dockerfile, "Dockerfile")
    os.close(inherited)
    assert "CP_" not in told.value.message
    assert told.value.message.endswith(" 4")  # The three standard ones, and the folder's own.


def test_a_readers_answer(dockerfile: Files) -> None:
    """What it reads arrives as it is."""
    assert reader.read_dockerfile(dockerfile, "Dockerfile").port == 8080


@pytest.fixture
def looping(context: Context, dockerfile: Files, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A provider whose one step is to read a file that never ends."""
    replace_reader(monkeypatch, LOOP)

    def read(_: StepContext) -> None:
        reader.read_dockerfile(dockerfile, "Dockerfile")

    monkeypatch.setattr(fetch, "fetch", read)
    return context


def test_a_costly_file_costs_its_own_task(looping: Context) -> None:
    """The task fails with the reason, in the same call of the worker."""
    job = JobData(
        uuid=str(uuid.uuid4()), duration=900, job_source_uri=f"https://a.example/{uuid.uuid4()}"
    )
    change = transitions.accepted(job, host="a.example.com", now=1, start_timeout_seconds=60)
    looping.store.commit(change)
    advance.advance(looping, job.uuid)
    task = looping.store.get(job.uuid)
    assert task
    assert task.state is State.FAILED
    assert task.reason
    assert task.reason.category == reader.CATEGORY
