"""Errors that a retry can help, errors that it cannot, and refusals of a request."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from http import HTTPStatus


class Failure(Exception):
    """Work that did not succeed.

    Attributes:
        category: A word for machines and tables (`source_refused`, `image_pull`).
        message: A sentence for the tenant.
    """

    def __init__(self, message: str, *, category: str) -> None:
        super().__init__(message)
        self.message = message
        self.category = category


class Permanent(Failure):
    """A retry cannot help: the task fails."""


class UnreadableRecord(Permanent):
    """A record that is none of ours, or of a newer version: it is left as it is."""


class Temporary(Failure):
    """A retry can help; `retry_after` is in seconds when the other side named it."""

    def __init__(self, message: str, *, category: str, retry_after: float | None = None) -> None:
        super().__init__(message, category=category)
        self.retry_after = retry_after


class ConfigError(Exception):
    """The operator's configuration is wrong; each line names a key and what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class FieldError(NamedTuple):
    """One wrong field of a request; `pointer` is a JSON Pointer (RFC 6901) into the body."""

    pointer: str
    detail: str


class Rejected(Exception):
    """A request that changes nothing, told as a problem document (RFC 9457).

    Attributes:
        status: The HTTP status.
        code: A stable word for machines (`unknown_event`).
        detail: What is wrong and what to do.
        errors: Every wrong field, with 422.
        retry_after: Seconds, with 429 and 503.
    """

    def __init__(
        self,
        status: "HTTPStatus",
        code: str,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after
