"""A file whose time is a process' last heartbeat: a liveness probe that costs next to nothing."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HeartbeatFile:
    """The heartbeat of a process; it beats on while Redis or the cluster is away.

    Attributes:
        file: Its modification time is that of the last beat; None: there is no probe.
    """

    file: Path | None = None

    def touch(self) -> None:
        """Record a heartbeat.

        Raises:
            OSError: The file cannot be written.
        """
        if self.file is not None:
            self.file.touch(mode=0o600)
