"""`buildctl`: the BuildKit daemon that the operator's environment names builds and pushes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from app.spaces.images.build_request import BuildRequest, Command


@dataclass(frozen=True, slots=True)
class Buildctl:
    """The client. What steps may use is for the daemon's own configuration to limit."""

    program: str = "buildctl"
    runs_steps: bool = False

    def environment(self, order: BuildRequest) -> Mapping[str, str]:
        """Return where its credentials are."""
        return {"DOCKER_CONFIG": str(order.docker_folder)}

    def ready(self) -> Command | None:
        """Return a question to the daemon."""
        return [self.program, "debug", "workers"]

    def build(self, order: BuildRequest) -> Command:
        """Return the build; what comes out stays with the daemon."""
        return [*self._start(order), f"--output=type=image,name={order.image}"]

    def push(self, order: BuildRequest) -> Command:
        """Return the same build, which the daemon still knows, with its push."""
        plain = ",registry.insecure=true" if order.registry.plain_http else ""
        return [
            *self._start(order),
            f"--output=type=image,name={order.image},push=true{plain}",
            f"--metadata-file={_metadata(order)}",
        ]

    def pushed(
        self,
        order: BuildRequest,
        output: Sequence[str],  # noqa: ARG002 - the protocol's signature
    ) -> str | None:
        """Return what it wrote."""
        metadata = msgspec.json.decode(_metadata(order).read_bytes(), type=dict[str, Any])
        return str(metadata["containerimage.digest"])

    def clean(self, order: BuildRequest) -> Command | None:  # noqa: ARG002 - the protocol's signature
        """Return None: the daemon collects its own garbage."""
        return None

    def _start(self, order: BuildRequest) -> Command:
        network = {
            "none": ["--opt=force-network-mode=none"],
            "private": [],
            "host": ["--allow=network.host", "--opt=force-network-mode=host"],
        }
        return [
            self.program,
            "build",
            "--progress=plain",
            "--frontend=dockerfile.v0",
            f"--local=context={order.context.folder}",
            f"--local=dockerfile={order.dockerfile.parent}",
            f"--opt=filename={order.dockerfile.name}",
            *network[order.network],
        ]


def _metadata(order: BuildRequest) -> Path:
    return order.digest_file.with_suffix(".json")
