"""Builds from their first step to the digest, with shell scripts as the builder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest

from app.errors import Permanent, Temporary
from app.spaces.images import BuildLimits, BuildRequest, ProgramBuilder
from app.spaces.images.build_request import Command
from tests.support.fake_registry import FakeRegistry

DIGEST = "sha256:" + "ab" * 32


@dataclass(frozen=True)
class Script:
    """A builder that runs shell scripts."""

    building: str = "echo built"
    pushing: str = "echo pushed"
    asking: str = ""
    cleaning: str = ""
    tells: bool = True
    program: str = "sh"
    runs_steps: bool = True

    def environment(self, order: BuildRequest) -> Mapping[str, str]:
        """Return where the credentials are."""
        return {"CREDENTIALS": str(order.docker_folder / "config.json")}

    def ready(self) -> Command | None:
        """Return a script, if there is one."""
        return ["sh", "-c", self.asking] if self.asking else None

    def build(self, order: BuildRequest) -> Command:  # noqa: ARG002 - the interface.
        """Return a script."""
        return ["sh", "-c", self.building]

    def push(self, order: BuildRequest) -> Command:  # noqa: ARG002 - the interface.
        """Return a script."""
        return ["sh", "-c", self.pushing]

    def pushed(
        self,
        order: BuildRequest,  # noqa: ARG002 - the interface.
        output: Sequence[str],  # noqa: ARG002 - the interface.
    ) -> str | None:
        """Return a digest, if it tells one."""
        return DIGEST if self.tells else None

    def clean(self, order: BuildRequest) -> Command | None:
        """Return a script, if there is one."""
        return ["sh", "-c", f"{self.cleaning} {order.image}"] if self.cleaning else None


class Journal:
    """The log of a build."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def run(self, order: BuildRequest, builder: Script) -> str:
        """Run a build."""
        return ProgramBuilder(builder).build(
            order,
            check=lambda: None,
            tell=self.lines.append,
            pushing=lambda: self.lines.append("(pushing)"),
        )


def refused(order: BuildRequest, builder: Script) -> Permanent:
    """Return what a build fails with."""
    with pytest.raises(Permanent) as caught:
        Journal().run(order, builder)
    return caught.value


def limited(order: BuildRequest, **limits: float) -> BuildRequest:
    """Return an order with other limits."""
    known = order.limits
    return replace(
        order,
        limits=BuildLimits(
            seconds=limits.get("seconds", known.seconds),
            memory_bytes=known.memory_bytes,
            cores=known.cores,
            disk_bytes=int(limits.get("disk_bytes", known.disk_bytes)),
        ),
    )


def test_a_build(order: BuildRequest) -> None:
    """Its log comes line by line, the push is told, and its digest is what the builder pushed."""
    journal = Journal()
    assert journal.run(order, Script()) == DIGEST
    assert journal.lines == ["built", "(pushing)", "pushed"]


def test_a_builder_that_does_not_tell(order: BuildRequest, fake: FakeRegistry) -> None:
    """What the registry has is no answer: it may be another's by then."""
    fake.answer = lambda _path, _auth: (200, {}, b"{}")
    error = refused(order, Script(tells=False))
    assert error.category == "push_refused"
    assert fake.asked == []


def test_credentials(order: BuildRequest) -> None:
    """The steps of a Dockerfile find none; the push does."""
    journal = Journal()
    journal.run(order, Script(building="cat $CREDENTIALS", pushing="cat $CREDENTIALS"))
    before, _, after = journal.lines
    assert json.loads(before) == {"auths": {}}
    assert order.registry.host in after


def test_a_failing_step(order: BuildRequest) -> None:
    """The last lines are told, as many as help."""
    error = refused(order, Script(building="seq 100; echo a step failed >&2; exit 3"))
    assert error.category == "build_failed"
    assert error.message.endswith("| 98 | 99 | 100 | a step failed")
    assert "exit status 3" in error.message
    assert "| 90 " not in error.message


def test_long_last_lines(order: BuildRequest) -> None:
    """A task's reason stays short."""
    error = refused(order, Script(building="head -c 9000 /dev/zero | tr '\\0' x; exit 1"))
    assert len(error.message) < 1600


def test_a_build_that_takes_too_long(order: BuildRequest) -> None:
    """It ends at the operator's limit."""
    error = refused(limited(order, seconds=0.7), Script(building="echo begun; sleep 60"))
    assert error.category == "build_timeout"
    assert (
        error.message == "the image was not built and pushed within 0.7 s; the log ends with: begun"
    )


def test_the_push_counts_too(order: BuildRequest) -> None:
    """The limit of time is for both together."""
    error = refused(limited(order, seconds=0.7), Script(pushing="sleep 60"))
    assert error.category == "build_timeout"


def test_a_build_that_fills_the_disk(order: BuildRequest) -> None:
    """It ends when it stores more than it may, in however many files."""
    script = "for i in $(seq 99); do head -c 100000 /dev/zero > $HOME/$i; done; sleep 60"
    error = refused(limited(order, disk_bytes=1 << 20), Script(building=script))
    assert error.category == "build_too_large"


def test_a_refused_push(order: BuildRequest) -> None:
    """The registry answers us, so it was not away: the task fails."""
    error = refused(order, Script(pushing="echo denied; exit 1"))
    assert error.category == "push_refused"
    assert error.message.endswith("denied")


def test_a_push_while_the_registry_is_away(order: BuildRequest, fake: FakeRegistry) -> None:
    """It is tried again later."""
    fake.answer = lambda _path, _auth: (503, {}, b"")
    with pytest.raises(Temporary):
        Journal().run(order, Script(pushing="exit 1"))


def test_a_daemon_that_is_away(order: BuildRequest) -> None:
    """It is tried again later, and nothing was built."""
    journal = Journal()
    with pytest.raises(Temporary, match="does not work; the log ends with: no daemon"):
        journal.run(order, Script(asking="echo no daemon; exit 1"))
    assert journal.lines == []


@pytest.mark.parametrize("building", ["echo built", "exit 1"])
def test_a_daemon_is_cleaned(order: BuildRequest, building: str) -> None:
    """A daemon's leftovers of a build are removed, however the build ended."""
    mark = order.folder / "mark"
    builder = Script(building=building, cleaning=f"echo > {mark}; echo")
    if building == "exit 1":
        refused(order, builder)
    else:
        Journal().run(order, builder)
    assert mark.exists()


def test_what_stops_a_build(order: BuildRequest) -> None:
    """An exception of `check` ends the build and comes out."""

    def check() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        ProgramBuilder(Script(building="sleep 60")).build(
            order,
            check=check,
            tell=lambda _: None,
            pushing=lambda: None,
        )


def test_a_machine_without_the_means(order: BuildRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build is refused where it could not be confined."""
    monkeypatch.setenv("PATH", "/nonexistent")
    error = refused(order, Script())
    assert error.category == "no_builder"
    assert "unshare" in error.message
