"""The numbers of docs/protocol.md are those of the code."""

import pytest

from app.admission import inventory_snapshot
from app.lagrange import callbacks, missed_terminations, report_loop
from app.processes import web
from app.store import transaction
from app.web import proofs, request_limits
from app.web.logs import feeds
from tests.support import documents
from tests.support.documents import PROTOCOL

_SCHEDULES = report_loop.Schedules()
_KIB = 1 << 10


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Callbacks", f"An attempt may take {callbacks._TIMEOUT_SECONDS} s"),
        (
            "Callbacks",
            "comes after {} s, then {} s, {} s".format(
                *(callbacks.FIRST_DELAY.seconds * callbacks._GROWTH**power for power in range(3))
            ),
        ),
        ("Callbacks", f"up to {callbacks.LONGEST_DELAY.seconds // 3600} h"),
        ("Reports", f"every {_SCHEDULES.registration.every:g} s, and when a heartbeat failed"),
        ("Reports", f"`node_id`, `status` `Active` | every {_SCHEDULES.heartbeat.every:g} s"),
        ("Reports", f"[ClusterResource](#get-cp) | every {_SCHEDULES.summary.every:g} s"),
        (
            "Reports",
            f"every {missed_terminations.EVERY.seconds // 60} minutes, for each active task",
        ),
        ("Reports", f"has run for {missed_terminations.SETTLED.seconds // 60} minutes"),
        ("`GET /api/v1/computing/cp`", f"more than {inventory_snapshot.VALID.seconds} s old"),
        (
            "`POST /api/v1/computing/lagrange/cp/proof`",
            f"up to {proofs.MAX_BLOCK_DATA} characters",
        ),
        (
            "`POST /api/v1/computing/lagrange/cp/proof`",
            f"after {proofs.MAX_WAIT_SECONDS} s is 504",
        ),
        (
            "WebSocket `/api/v1/computing/lagrange/spaces/log`",
            f"{feeds.MAX_WATCHERS_OF_TASK} connections for a task, {feeds.MAX_WATCHERS} for",
        ),
        ("Idempotency", f"for {transaction.RECEIPT_KEPT.days} days"),
        ("`GET /tasks/{task_id}`", f"forgotten {transaction.ENDED_KEPT.days} days"),
        ("Refusals", f"within {request_limits.HEAD_SECONDS:g} s"),
        ("Refusals", f"at most {request_limits.MAX_HEAD_BYTES // _KIB} KiB"),
        ("Refusals", f"its body within {request_limits.BODY_SECONDS:g} s"),
        ("Refusals", f"Beyond {web.MAX_CONNECTIONS} connections"),
    ],
)
def test_numbers_are_those_of_the_code(title: str, words: str) -> None:
    """What the document says of times and bounds is what the code keeps to."""
    assert words in " ".join(documents.section(PROTOCOL, title).split())
