"""`docker`: the daemon that the operator's environment names builds; tenants never see it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.spaces.images.build_request import BuildRequest, Command

_PUSHED = re.compile(r": digest: (sha256:[0-9a-f]{64}) size: [0-9]+$")
_NETWORKS = {"none": "none", "private": "default", "host": "host"}
_CPU_PERIOD_MICROSECONDS = 100_000


@dataclass(frozen=True, slots=True)
class Docker:
    """The client. Its classic builder is the one that limits steps; BuildKit in Docker does not."""

    program: str = "docker"
    runs_steps: bool = False

    def environment(self, order: BuildRequest) -> Mapping[str, str]:
        """Return where its credentials are, and which of its builders builds."""
        return {"DOCKER_CONFIG": str(order.docker_folder), "DOCKER_BUILDKIT": "0"}

    def ready(self) -> Command | None:
        """Return a question to the daemon."""
        return [self.program, "version", "--format={{.Server.Version}}"]

    def build(self, order: BuildRequest) -> Command:
        """Return the build, without the daemon's cache, which others fill too."""
        limits, context = order.limits, order.context
        return [
            self.program,
            "build",
            f"--file={order.dockerfile}",
            f"--tag={order.image}",
            "--pull",
            "--no-cache",
            "--force-rm",
            f"--network={_NETWORKS[order.network]}",
            f"--memory={limits.memory_bytes}b",
            f"--cpu-period={_CPU_PERIOD_MICROSECONDS}",
            f"--cpu-quota={round(limits.cores * _CPU_PERIOD_MICROSECONDS)}",
            str(context.folder),
        ]

    def push(self, order: BuildRequest) -> Command:
        """Return the push; the credentials are in a file."""
        return [self.program, "push", order.image]

    def pushed(
        self,
        order: BuildRequest,  # noqa: ARG002 - the protocol's signature
        output: Sequence[str],
    ) -> str | None:
        """Return what its last line says: the registry may have another's by then."""
        digests = (_PUSHED.search(line) for line in reversed(output))
        return next((match[1] for match in digests if match), None)

    def clean(self, order: BuildRequest) -> Command | None:
        """Return what takes the image from the daemon, and no other."""
        return [self.program, "image", "rm", "--force", order.image]
