"""Errors of the cluster: those that a retry cannot help, and those that it can."""


class ClusterError(Exception):
    """The cluster did not carry out a request."""


class Refused(ClusterError):
    """The API server rejected the request, and would reject it again.

    Attributes:
        status: The HTTP status, 4xx.
        reason: The API server's code for it, such as `Invalid` or `Forbidden`; may be empty.
        message: The API server's sentence.
    """

    def __init__(self, *, status: int, reason: str = "", message: str = "") -> None:
        super().__init__(message or reason or f"HTTP {status}")
        self.status = status
        self.reason = reason
        self.message = message or reason or f"HTTP {status}"


class NotFound(Refused):
    """There is no such object, or no such kind on this cluster."""


class Conflict(Refused):
    """The object is not the one that the request expected: changed, replaced or another's."""


class Gone(Refused):
    """The resource version or the continue token is too old: list again."""


class Unavailable(ClusterError):
    """The API server could not be reached, or is busy: try again.

    Attributes:
        retry_after_seconds: The delay that the API server asked for, or None.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unsupported(Exception):
    """A workload that cannot be expressed in manifests.

    Attributes:
        path: The place in the tenant's file, such as `services.web.expose`.
        message: The reason, for the author of the file.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message
