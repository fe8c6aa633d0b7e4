"""Logging of a process: coloured lines on a terminal, JSON otherwise, secrets redacted."""

import logging
import sys
from collections.abc import Iterable
from typing import Any

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from app.config.redaction import Redaction


def start(process: str, *, secrets: Iterable[str] = ()) -> None:
    """Set up structlog and the standard library's logging for this process, on standard error."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(process),
    ]
    terminal = sys.stderr.isatty()
    renderers: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_encoded)]
    )
    tail = [*renderers, _redacting(secrets)]
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _encoded(document: Any, **_: Any) -> str:
    return msgspec.json.encode(document, enc_hook=repr).decode()


def _named(process: str) -> Processor:
    def add(_: Any, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return add


def _redacting(secrets: Iterable[str]) -> Processor:
    """Redact secrets in finished lines, whatever put them there."""
    redaction = Redaction(secrets)

    def redact(_: Any, __: str, line: Any) -> str:
        return redaction.text(str(line))

    return redact
