"""A visit to the Space's page through the cluster's ingress controller."""

import re
import time
from http import HTTPStatus
from urllib.parse import urlsplit

from app.demo import http_get, ingress
from app.demo.assigned import Assigned
from app.demo.polling import Failed
from app.errors import Temporary

_SECONDS = 60
_EVERY_SECONDS = 0.5


def visit(assigned: Assigned, address: str) -> str:
    """Read the page, show it, and return the address of the ingress controller that led there.

    Args:
        assigned: The job, running.
        address: `host` or `host:port` of the ingress controller; empty: it is looked for.

    Raises:
        ClusterError: The cluster does not answer, or refuses.
        Failed: No page in time.
        Interrupted: A signal came.
    """
    stage = assigned.stage
    candidates = [address] if address else _candidates(assigned)
    if not candidates:
        raise Failed("the cluster tells no address of an ingress controller; name it by --ingress")
    visitor = _Visitor(candidates, urlsplit(assigned.accepted.url).hostname or "")
    page = stage.patience.call(
        lambda: f"the page; {visitor.trouble}", visitor.look, seconds=_SECONDS
    )
    if page is None:
        raise Failed(f"no page within {_SECONDS} s: {visitor.trouble}")
    where, body = page
    stage.screen.line("page", f"http://{where}/ with Host: {visitor.host} answers 200")
    for line in http_get.lines(body):
        stage.screen.quote(line)
    return where


def _candidates(assigned: Assigned) -> list[str]:
    stage = assigned.stage
    return stage.patience.call(
        lambda: "the ingress controller's address",
        lambda: ingress.addresses(stage.cluster, stage.namespace, assigned.accepted.task_id),
        seconds=_SECONDS,
    )


class _Visitor:
    """Tries addresses until one answers with the page.

    Attributes:
        host: The page's host name.
        trouble: The last failure.
    """

    def __init__(self, candidates: list[str], host: str) -> None:
        self._candidates = [re.sub(r"^https?://|/+$", "", candidate) for candidate in candidates]
        self.host = host
        self.trouble = f"the ingress controller may be at {', '.join(self._candidates)}"

    def look(self) -> tuple[str, bytes] | None:
        """Return the address that answered, and the page; None when none does in time."""
        deadline = time.monotonic() + _SECONDS - _EVERY_SECONDS
        while time.monotonic() < deadline:
            for address in self._candidates:
                body = self._try(address)
                if body is not None:
                    return address, body
            time.sleep(_EVERY_SECONDS)
        return None

    def _try(self, address: str) -> bytes | None:
        try:
            answer = http_get.get(f"http://{address}/", host=self.host)
        except Temporary as error:
            self.trouble = error.message
            return None
        if answer.status == HTTPStatus.OK:
            return answer.body
        self.trouble = f"http://{address}/ answers {answer.status}"
        return None
