"""Refusals as senders get them."""

from tests.support.web_server import Answer


def problem(answer: Answer) -> tuple[int, str]:
    """Return the status and the code of a refusal, which is a problem document (RFC 9457)."""
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json
    assert document["status"] == answer.status
    assert document["type"]
    assert document["title"]
    assert document["detail"]
    return answer.status, document["code"]
