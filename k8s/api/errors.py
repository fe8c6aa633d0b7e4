"""What can go wrong between us and the cluster: what a retry cannot help, and what it can."""


class ClusterError(Exception):
    """The cluster did not do what it was asked."""


class Refused(ClusterError):
    """The API server said no, and will say no again.

    Attributes:
        status: The HTTP status, 4xx.
        reason: The API server's word for it, such as `Invalid` or `Forbidden`; may be empty.
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
    """The object is not what the request took it for: changed, replaced or another one's."""


class Gone(Refused):
    """The resource version or the continue token is too old: list again."""


class Unavailable(ClusterError):
    """The API server could not be reached, or asked to come back: try again.

    Attributes:
        retry_after_seconds: When the API server wants to be asked again, or None.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unsupported(Exception):
    """A workload that no manifests can be made of.

    Attributes:
        path: Where in the tenant's file, such as `services.web.expose`.
        message: Why, for the file's author.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message
