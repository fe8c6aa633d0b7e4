"""A file that says when a process last went round: for a liveness probe, which must cost little."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HeartbeatFile:
    """A process that beats it goes on; what it waits for may be away meanwhile.

    Attributes:
        file: Whose time is that of the last beat; None: nobody looks.
    """

    file: Path | None = None

    def touch(self) -> None:
        """Say that the process goes on.

        Raises:
            OSError: The file cannot be written.
        """
        if self.file is not None:
            self.file.touch(mode=0o600)
