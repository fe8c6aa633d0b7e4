"""The log of a play that failed."""

from pathlib import Path

from app.demo import failure_log


def test_the_log_is_searched_for_what_matters(tmp_path: Path) -> None:
    """Warnings, errors and tracebacks; not what goes well."""
    log = tmp_path / "log"
    log.write_text(
        '{"event": "started", "level": "info", "process": "web"}\n'
        '{"event": "failed", "level": "error", "process": "web", "code": 7}\n'
        "Traceback (most recent call last):\n"
    )
    assert failure_log.gravest(log) == ["web: failed code=7", "Traceback (most recent call last):"]
    assert failure_log.gravest(tmp_path / "absent") == []
