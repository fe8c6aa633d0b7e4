"""Errors: temporary ones, permanent ones, and rejections of a request."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from http import HTTPStatus


class Failure(Exception):
    """A failure of work.

    Attributes:
        category: A stable code for machines and tables (`source_refused`, `image_pull`).
        message: A sentence for the tenant.
    """

    def __init__(self, message: str, *, category: str) -> None:
        super().__init__(message)
        self.message = message
        self.category = category


class Permanent(Failure):
    """A failure that a retry cannot help: the task fails."""


class UnreadableRecord(Permanent):
    """A record that is foreign, or of a newer version: it is left as it is."""


class Temporary(Failure):
    """A failure that a retry can help; `retry_after` is in seconds, if the other side set it."""

    def __init__(self, message: str, *, category: str, retry_after: float | None = None) -> None:
        super().__init__(message, category=category)
        self.retry_after = retry_after


class ConfigError(Exception):
    """An invalid configuration; each line names a key and the remedy."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class FieldError(NamedTuple):
    """One wrong field of a request; `pointer` is a JSON Pointer (RFC 6901) into the body."""

    pointer: str
    detail: str


class Rejected(Exception):
    """A rejected request, which changes nothing; answered with a problem document (RFC 9457).

    Attributes:
        status: The HTTP status.
        code: A stable code for machines (`unknown_event`).
        detail: The reason and the remedy.
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
