"""Webhooks that come one after the other while something else goes on."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from app.demo.fake_lagrange import (
    Job,
    Lagrange,
    Request,
    signed_requests,
)
from app.errors import Failure


@dataclass
class Renewals:
    """Renewals of one second each, sent one after the other while something else goes on.

    Attributes:
        taken: How many were answered 202.
        refused: What else was answered, or happened.
    """

    lagrange: Lagrange
    url: str
    job: Job
    patient: bool = False
    taken: int = 0
    refused: list[str] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def send(self) -> None:
        """Send until told to stop; with patience, the same one again until it is taken."""
        while not self._stopped.is_set():
            request = signed_requests.renew(
                self.lagrange.signer, self.job, 1, "webhook", by="job_uuid"
            )
            while not self._is_taken(request) and self.patient:
                time.sleep(0.2)
            time.sleep(0.02)

    def _is_taken(self, request: Request) -> bool:
        try:
            answer = self.lagrange.send(self.url, request)
        except Failure as failure:
            self.refused.append(failure.message)
            return False
        if answer.status != HTTPStatus.ACCEPTED:
            self.refused.append(f"{answer.status}")
            return False
        self.taken += 1
        return True

    @contextmanager
    def going_on(self) -> Iterator["Renewals"]:
        """Send for as long as the block lasts."""
        thread = threading.Thread(target=self.send)
        thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            thread.join(60)
