"""Health, metrics, and the state of a task."""

import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.context import Context
from tests.support import market
from tests.support.held_tasks import end
from tests.support.problem_documents import problem
from tests.support.web_server import Web, processes


def test_health(web: Web) -> None:
    """Both probes answer 200, and only to GET."""
    for path in ("/healthz", "/readyz"):
        assert web.call("GET", path).status == 200
        assert web.call("POST", path).status == 405


def metrics(web: Web) -> dict[tuple[str, str], float]:
    """Return all metrics by name and kind."""
    answer = web.call("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, sample.labels.get("kind", "")): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_metrics_survive(provider_folder: Path) -> None:
    """Counters go on where they were when web is restarted, and all processes show the same."""
    name = "computing_provider_events_accepted_total"
    with processes(provider_folder, 2) as ports:
        first, second = (Web(port) for port in ports)
        data = market.job()
        first.webhook("job.assigned", data)
        second.webhook("job.assigned", market.job())
        first.webhook("job.terminated", {"job_uuid": data["uuid"]})
        seen = metrics(first)
        assert seen == metrics(second)
        assert seen[name, "job.assigned"] == 2
    with processes(provider_folder, 1) as ports:
        web = Web(ports[0])
        assert metrics(web) == seen
        web.webhook("job.assigned", market.job())
        assert metrics(web)[name, "job.assigned"] == 3
        assert metrics(web)["computing_provider_tasks_active", ""] == 3


def test_metrics_of_nothing(web: Web) -> None:
    """Gauges are there before the first event."""
    assert metrics(web)["computing_provider_tasks_active", ""] == 0


def test_a_tasks_link(web: Web) -> None:
    """The state of a task is read by the URL in its answer, and by no other."""
    data, other = market.job(), market.job()
    link = web.webhook("job.assigned", data).json["status_url"].partition("8085")[2]
    theirs = web.webhook("job.assigned", other).json["status_url"].partition("8085")[2]
    answer = web.call("GET", link)
    assert (answer.status, answer.json["state"]) == (200, "accepted")
    assert answer.json["job_uuid"] == data["uuid"]
    path, _, code = link.partition("?code=")
    for wrong in (
        path,
        f"{path}?code=",
        f"{path}?code={code[:-1]}",
        f"{path}?code={code}x",
        f"{path}?code={code.swapcase()}",
        f"{path}?code={theirs.partition('?code=')[2]}",
        f"{path}?code=%C3%BC",
        f"{theirs.partition('?')[0]}?code={code}",
    ):
        assert problem(web.call("GET", wrong)) == (401, "unauthorized")
    assert web.call("GET", link.replace(data["uuid"], data["uuid"].upper())).status == 200


def test_a_forgotten_task(web: Web, context: Context) -> None:
    """The URL of a task whose record was deleted is 404."""
    data = market.job()
    link = web.webhook("job.assigned", data).json["status_url"].partition("8085")[2]
    end(context, data)
    assert web.call("GET", link).json["state"] == "terminated"
    assert context.store.purge(time.time() + 1) == 1
    assert problem(web.call("GET", link)) == (404, "unknown_task")


def test_nothing_else(web: Web) -> None:
    """An unknown path or method is a problem document."""
    assert problem(web.call("GET", "/"))[0] == 404
    assert problem(web.call("GET", "/tasks"))[0] == 404
    answer = web.call("DELETE", "/webhooks")
    assert problem(answer)[0] == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/webhooks", "/api/v1/computing/lagrange/jobs", "/healthz"])
def test_no_other_origin_may_read(web: Web, method: str, path: str) -> None:
    """No answer has CORS headers that would let pages of other origins read it."""
    headers = {
        "origin": "https://stranger.example.com",
        "access-control-request-method": "POST",
        "access-control-request-headers": "webhook-signature",
    }
    answer = web.call(method, path, headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", ["", "/", "/profile", "/heap", "/goroutine", "/cmdline"])
def test_no_internals_are_served(web: Web, path: str) -> None:
    """There are no profiles, dumps or generated documents."""
    for base in ("/debug/pprof", "/api/v1/computing/debug/pprof", "/docs", "/openapi.json"):
        assert problem(web.call("GET", base + path)) == (404, "not_found")
