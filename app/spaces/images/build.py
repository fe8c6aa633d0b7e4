"""A build on this machine, from its first step to the digest of the image in the registry."""

import asyncio
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial

from app.errors import Permanent, Temporary
from app.spaces import scratch
from app.spaces.dockerfile import guarded
from app.spaces.images import base_images, sandbox, subprocesses
from app.spaces.images.build_request import BuildProgram, BuildRequest, Command
from app.spaces.images.subprocesses import OutputLines, TooSlow

_READY_SECONDS = 20
_CLEAN_SECONDS = 60
_NEEDED = ("setpriv", "prlimit", "unshare", "nice")


@dataclass(frozen=True, slots=True)
class ProgramBuilder:
    """Builds by a program of this machine."""

    commands: BuildProgram

    @property
    def program(self) -> str:
        """Its name on the PATH."""
        return self.commands.program

    def build(
        self,
        order: BuildRequest,
        *,
        check: Callable[[], None],
        tell: Callable[[str], None],
        pushing: Callable[[], None],
    ) -> str:
        """Build an image, push it, and return its digest; see `Builder`."""
        return _Build(order, self.commands, check, tell).run(pushing)


@dataclass(slots=True)
class _Build:
    order: BuildRequest
    builder: BuildProgram
    check: Callable[[], None]
    tell: Callable[[str], None]
    _deadline: float = 0
    _measure: scratch.DiskUsage = field(init=False)

    def run(self, pushing: Callable[[], None]) -> str:
        self._refuse_unequipped()
        self._guard()
        self._deadline = time.monotonic() + self.order.limits.seconds
        self._measure = scratch.DiskUsage(self.order.folder)
        sandbox.prepare(self.order)
        self._check_ready()
        try:
            self._step(self.builder.build(self.order), self._build_failed)
            pushing()
            sandbox.write_credentials(self.order, self.order.registry.docker_config())
            return self._pushed(self._step(self.builder.push(self.order), self._push_failed))
        finally:
            self._clean()

    def _refuse_unequipped(self) -> None:
        missing = [name for name in _NEEDED if not shutil.which(name)]
        if missing:
            message = (
                f"this provider's machine lacks {', '.join(missing)} (util-linux), see [BUILD]"
            )
            raise Permanent(message, category="no_builder")

    def _guard(self) -> None:
        """Write a tenant's Dockerfile anew, so that the builder fetches what is allowed alone."""
        order = self.order
        if order.registries is None:
            return
        try:
            text = guarded.rewrite(
                (order.context.folder / order.context.dockerfile).read_bytes(),
                registries=order.registries.of_host_builders(),
                is_host_network=order.network == "host",
                pin=cache(
                    partial(base_images.pin, own=order.registry, registries=order.registries)
                ),
            )
        except guarded.Refused as error:
            raise Permanent(str(error), category="build_refused") from None
        order.dockerfile.parent.mkdir(mode=0o700)
        order.dockerfile.write_text(text, "utf-8")

    def _check_ready(self) -> None:
        if command := self.builder.ready():
            lines = OutputLines(lambda _: None)
            until = time.monotonic() + _READY_SECONDS
            with suppress(TooSlow):
                if self._run(command, lines, until, self.check) == 0:
                    return
            message = f"the builder {self.builder.program} does not work{lines.ending()}"
            raise Temporary(message, category="builder")

    def _step(self, command: Command, failed: Callable[[int, OutputLines], None]) -> OutputLines:
        lines = OutputLines(self.tell, self.order.filter)
        try:
            status = self._run(command, lines, self._deadline, self._bounded)
        except TooSlow:
            seconds = self.order.limits.seconds
            message = f"the image was not built and pushed within {seconds:g} s{lines.ending()}"
            raise Permanent(message, category="build_timeout") from None
        except _TooLarge:
            most = self.order.limits.disk_bytes
            message = f"the build needs more than {most} bytes of disk{lines.ending()}"
            raise Permanent(message, category="build_too_large") from None
        if status != 0:
            failed(status, lines)
        return lines

    def _bounded(self) -> None:
        self.check()
        if self._measure.bytes() > self.order.limits.disk_bytes:
            raise _TooLarge

    def _run(
        self, command: Command, lines: OutputLines, deadline: float, check: Callable[[], None]
    ) -> int:
        order, builder = self.order, self.builder
        return subprocesses.run(
            sandbox.confined(command, order, builder),
            environment=sandbox.environment(order, builder),
            folder=order.folder,
            lines=lines,
            deadline=deadline,
            check=check,
        )

    def _build_failed(self, status: int, lines: OutputLines) -> None:
        message = f"the image cannot be built (exit status {status}){lines.ending()}"
        raise Permanent(message, category="build_failed")

    def _push_failed(self, status: int, lines: OutputLines) -> None:
        """Ask the registry first: one that is away, and does not refuse, is a Temporary error."""
        asyncio.run(self.order.registry.digest(self.order.image))
        message = f"the registry does not take the image (exit status {status}){lines.ending()}"
        raise Permanent(message, category="push_refused")

    def _pushed(self, lines: OutputLines) -> str:
        digest = self.builder.pushed(self.order, tuple(lines.tail))
        if digest is None:
            message = f"the builder does not say what it pushed{lines.ending()}"
            raise Permanent(message, category="push_refused")
        return digest

    def _clean(self) -> None:
        if command := self.builder.clean(self.order):
            until = time.monotonic() + _CLEAN_SECONDS
            with suppress(TooSlow):
                self._run(command, OutputLines(lambda _: None), until, lambda: None)


class _TooLarge(Exception):
    """The build stores more than it may."""
