"""Health of workloads while their models are fetched, or cannot be."""

from k8s.health.health import Category, Health
from tests.support.observed_pods import HALF_A_MINUTE, assess, observed


def test_a_model_that_cannot_be_fetched() -> None:
    """The message of the container that fetches models is the reason, word for word."""
    pods = observed(HALF_A_MINUTE, "init-crash")
    pods[0]["spec"]["initContainers"][0]["name"] = "models-web"
    status = pods[0]["status"]["initContainerStatuses"][0]
    status["name"] = "models-web"
    for ended in (status["state"].get("terminated"), status["lastState"].get("terminated")):
        if ended:
            ended["message"] = "a.bin cannot be fetched: its server answers 404\n"
    problem = assess(pods).problem
    assert problem is not None
    assert problem.category is Category.MODEL_FETCH
    assert problem.message == "a.bin cannot be fetched: its server answers 404"
    assert not problem.needs_log


def test_fetching_takes_its_time() -> None:
    """A Deployment's deadline is no problem while models are being fetched."""
    pods = observed(HALF_A_MINUTE, "init-crash")
    status = pods[0]["status"]["initContainerStatuses"][0]
    status |= {"restartCount": 0, "state": {"running": {}}, "lastState": {}}
    late = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    deployments = [document for document in pods if document["kind"] == "Deployment"]
    assert deployments
    for deployment in deployments:
        deployment["status"]["conditions"] = late
    assert assess(pods) == Health(ready=False, problem=None)
    status["state"] = {"waiting": {"reason": "PodInitializing"}}
    problem = assess(pods).problem
    assert problem is not None
    assert problem.category is Category.READINESS
