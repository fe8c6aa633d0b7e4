"""Commands that run, and how they end."""

import os
import time
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.redaction import Redaction
from app.spaces.images import BuildRequest, sandbox, subprocesses
from app.spaces.images.buildah import Containers
from app.spaces.images.subprocesses import OutputLines, TooSlow
from k8s.logs import Filter

BUILDER = Containers("sh")


def run(
    script: str,
    order: BuildRequest,
    lines: OutputLines,
    *,
    seconds: float = 10,
    check: subprocesses.Check,
) -> int:
    """Run a shell script as a builder's command runs."""
    return subprocesses.run(
        sandbox.confined(["sh", "-c", script], order, BUILDER),
        environment=sandbox.environment(order, BUILDER),
        folder=order.folder,
        lines=lines,
        deadline=time.monotonic() + seconds,
        check=check,
    )


def nothing() -> None:
    """Check nothing."""


def alive(marker: str) -> int:
    """Return how many processes have this word on their command line."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += marker.encode() in path.read_bytes()
        except OSError:
            continue
    return count


def test_lines_and_status(order: BuildRequest) -> None:
    """Both streams come as lines as they are written, and the exit status with them."""
    told: list[str] = []
    script = "echo one; echo two >&2; printf 'th\\tree\\r\\nfour'; exit 3"
    assert run(script, order, OutputLines(told.append), check=nothing) == 3
    assert told == ["one", "two", "th ree", "four"]


def test_it_sees_nothing_of_ours(order: BuildRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither variables nor processes of ours are there, nor anything to read from."""
    monkeypatch.setenv("A_SECRET", "hunter2")
    told: list[str] = []
    script = "env; cat; echo $$; ls -d /proc/[0-9]* | wc -l"
    assert run(script, order, OutputLines(told.append), check=nothing) == 0
    assert not any("hunter2" in line for line in told)
    assert f"HOME={order.folder / 'home'}" in told
    assert int(told[-2]) < 10
    assert int(told[-1]) < 10


def test_the_limits_are_there(order: BuildRequest) -> None:
    """Every process has the limits of its own memory, of a file, and of core files."""
    told: list[str] = []
    run("ulimit -d; ulimit -f; ulimit -c; nice", order, OutputLines(told.append), check=nothing)
    assert told[:3] == [str(1 << 20), str((1 << 24) // 512), "0"]
    assert int(told[3]) >= 10


@pytest.mark.parametrize("end", ["deadline", "check"])
def test_its_end_is_the_end_of_all(order: BuildRequest, end: str) -> None:
    """Daemons that left the session and the group end too, and what was said before is kept."""
    marker = str(uuid.uuid4().int)
    script = (
        f"setsid sh -c 'trap \"\" TERM HUP; sleep {marker} & wait' & "
        f"(sleep {marker} &) ; echo begun; sleep {marker}"
    )
    told: list[str] = []

    def check() -> None:
        if end == "check" and told and alive(marker) > 3:
            raise KeyError

    seconds = 1.5 if end == "deadline" else 10
    with pytest.raises(TooSlow if end == "deadline" else KeyError):
        run(script, order, OutputLines(told.append), seconds=seconds, check=check)
    assert told == ["begun"]
    deadline = time.monotonic() + 20
    while alive(marker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive(marker) == 0


def test_it_ends_with_us(order: BuildRequest) -> None:
    """The death of our process makes the kernel kill the command and all below it."""
    marker = str(uuid.uuid4().int)
    child = os.fork()
    if child == 0:
        run(f"setsid sleep {marker} & sleep {marker}", order, OutputLines(print), check=nothing)
        os._exit(0)
    deadline = time.monotonic() + 30
    while alive(marker) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive(marker) >= 3
    os.kill(child, 9)
    os.waitpid(child, 0)
    while alive(marker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive(marker) == 0


def test_a_flood_is_bounded(order: BuildRequest) -> None:
    """Endless output costs neither memory nor log, and the last lines are kept."""
    told: list[str] = []
    lines = OutputLines(told.append)
    script = "head -c 20000000 /dev/zero | tr '\\0' x; yes | head -n 300000; echo the end"
    assert run(script, order, lines, check=nothing) == 0
    assert sum(map(len, told)) <= (16 << 20) + 4096
    assert max(map(len, told)) <= 4096
    assert told[-1] == "(the rest of this log is left out)"
    assert list(lines.tail)[-2:] == ["y", "the end"]


def test_a_command_that_closes_its_output(order: BuildRequest) -> None:
    """It is waited for all the same."""
    assert run("exec >&- 2>&-; sleep 0.5; exit 4", order, OutputLines(print), check=nothing) == 4


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_lines_of_any_bytes(chunks: list[bytes]) -> None:
    """However bytes come, lines are printable, and the same as if they had come at once."""
    one: list[str] = []
    other: list[str] = []
    pieces = OutputLines(one.append)
    for chunk in chunks:
        pieces.take(chunk)
    pieces.end()
    whole = OutputLines(other.append)
    whole.take(b"".join(chunks))
    whole.end()
    assert one == other
    assert all(line.isprintable() and line for line in one)


def test_control_sequences_are_left_out() -> None:
    """Colours and cursor movements do not reach a reader's terminal."""
    told: list[str] = []
    lines = OutputLines(told.append)
    lines.take(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b[2K\x9b31mx\n\xff\n")
    assert told == ["red 0;title�31mx", "�"]


@pytest.mark.parametrize("size", [1, 7, 4096, 9000])
def test_a_secret_is_struck_out_before_lines_are_cut(size: int) -> None:
    """Wherever it stands, and however it comes, no piece of it is told or kept."""
    redaction = Redaction(["hunter2"])
    text = b"x" * 4093 + b"hunter2" + b"y" * 5000 + b"\nhunter2\n"
    told: list[str] = []
    lines = OutputLines(told.append, Filter(redaction.bytes, redaction.reach))
    for start in range(0, len(text), size):
        lines.take(text[start : start + size])
    lines.end()
    seen = "".join(told)
    assert seen == "x" * 4093 + "[secret]" + "y" * 5000 + "[secret]"
    assert list(lines.tail) == told
