"""Health of workloads, assessed from objects recorded on a real cluster (1.37)."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from k8s.api.objects import Pod
from k8s.health import health, problems
from k8s.health.health import Category, Health
from k8s.naming import labels
from tests.support.observed_pods import HALF_A_MINUTE, LATER, assess, observed


@pytest.mark.parametrize(
    ("moment", "component", "category", "message"),
    [
        (
            "image back-off",
            "bad-image",
            Category.IMAGE_PULL,
            (
                'image "nginx:nope" of web cannot be pulled: not found: the registry has no such '
                "image or tag"
            ),
        ),
        (
            HALF_A_MINUTE,
            "invalid-image",
            Category.IMAGE_PULL,
            (
                'image "NGINX:Latest" of web cannot be pulled: the name is not valid: it has to be '
                "in lower case up to the tag"
            ),
        ),
        (
            HALF_A_MINUTE,
            "never-pull",
            Category.IMAGE_PULL,
            (
                'image "ghost:1" of web cannot be pulled: the node does not have it, and may not '
                "pull it"
            ),
        ),
        (
            HALF_A_MINUTE,
            "crash-loop",
            Category.CRASH_LOOP,
            "web keeps crashing: exit code 1 (restarted 2 times)",
        ),
        (
            HALF_A_MINUTE,
            "completed",
            Category.CRASH_LOOP,
            (
                "web exits by itself without an error (exit code 0, restarted 2 times): its "
                "command must keep running"
            ),
        ),
        (
            HALF_A_MINUTE,
            "init-crash",
            Category.CRASH_LOOP,
            "fetch keeps crashing: exit code 1 (restarted 2 times)",
        ),
        (
            HALF_A_MINUTE,
            "oom",
            Category.OUT_OF_MEMORY,
            "web was killed: it needs more memory than its limit (restarted 2 times)",
        ),
        (
            HALF_A_MINUTE,
            "unschedulable",
            Category.UNSCHEDULABLE,
            (
                "the pod cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu. "
                "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
            ),
        ),
        (
            HALF_A_MINUTE,
            "no-configmap",
            Category.CONFIG_ERROR,
            'web cannot be started: configmap "nothing-here" not found',
        ),
        (
            HALF_A_MINUTE,
            "bad-command",
            Category.CONFIG_ERROR,
            (
                "web cannot be started: failed to create containerd task: failed to create shim "
                "task: "
                "OCI runtime create failed: runc create failed: unable to start container process: "
                'exec: "/no/such/program": stat /no/such/program: no such file or directory: '
                "unknown"
            ),
        ),
        (
            HALF_A_MINUTE,
            "no-configmap-volume",
            Category.READINESS,
            "web was not started in time: ContainerCreating",
        ),
        (
            HALF_A_MINUTE,
            "never-ready",
            Category.READINESS,
            "web is running but did not become ready in time",
        ),
        (
            HALF_A_MINUTE,
            "over-quota",
            Category.REFUSED,
            (
                'the cluster refuses pods of over-quota: pods "over-quota-65477f46c8-nj6l4" is '
                "forbidden: exceeded quota: q, requested: requests.cpu=2, used: requests.cpu=0, "
                "limited: requests.cpu=1"
            ),
        ),
        (
            HALF_A_MINUTE,
            "privileged",
            Category.REFUSED,
            (
                'the cluster refuses pods of privileged: pods "privileged-5bd6567d48-vtqlr" is '
                'forbidden: violates PodSecurity "baseline:latest": privileged (container "web" '
                "must "
                "not set securityContext.privileged=true)"
            ),
        ),
        (
            "evicted and replaced",
            "evicted",
            Category.EVICTED,
            (
                "the cluster stopped a pod (Evicted): Pod ephemeral local storage usage exceeds "
                "the "
                "total limit of containers 5Mi."
            ),
        ),
    ],
)
def test_problem(moment: str, component: str, category: Category, message: str) -> None:
    """Each thing that goes wrong on a real cluster gets its category and a sentence."""
    now = LATER - timedelta(seconds=16) if moment == "evicted and replaced" else LATER
    result = assess(observed(moment, component), now=now)
    assert not result.ready
    assert result.problem is not None
    assert (result.problem.category, result.problem.message) == (category, message)


def test_where() -> None:
    """A problem names the pod and container whose log says more."""
    problem = assess(observed(HALF_A_MINUTE, "init-crash")).problem
    assert problem is not None
    assert (problem.pod, problem.container, problem.needs_log) == (
        "init-crash-f4f597dc6-xm9vk",
        "fetch",
        True,
    )


def test_ready() -> None:
    """A workload is ready once as many pods as it has replicas have been ready for a moment."""
    good = observed("first failures", "good")
    assert assess(good) == Health(ready=True, problem=None)
    assert not assess(good, replicas=2).ready


def test_blink() -> None:
    """A container that crashes at once is ready very briefly, which does not count."""
    blink = observed("first seconds", "crash-loop")
    started = datetime(2026, 11, 22, 22, 24, 9, tzinfo=UTC)
    result = assess(blink, now=started + timedelta(seconds=0.5))
    assert result == Health(ready=False, problem=None, again_at=started + health.SETTLING)
    assert assess(blink, now=started + health.SETTLING).ready
    assert assess(blink, now=started - timedelta(hours=1)).ready, "a clock that is behind"


@pytest.mark.parametrize("component", ["unschedulable", "bad-image"])
def test_grace(component: str) -> None:
    """A problem that may pass by itself is none until ten seconds after the pod was created."""
    moment = "first seconds" if component == "unschedulable" else "first failures"
    pods = observed(moment, component)
    created = msgspec.convert(pods[0], Pod).metadata.creation_timestamp
    assert created is not None
    soon = assess(pods, now=created + timedelta(seconds=9))
    assert soon == Health(ready=False, problem=None, again_at=created + problems.GRACE)
    assert assess(pods, now=created + problems.GRACE).problem is not None


def test_one_restart() -> None:
    """A container that was restarted once and is on its way is no problem."""
    pods = observed("first failures", "good")
    status = pods[0]["status"]
    status["conditions"] = []
    status["containerStatuses"][0] |= {
        "ready": False,
        "restartCount": 1,
        "state": {"terminated": {"exitCode": 1, "reason": "Error"}},
    }
    assert assess(pods) == Health(ready=False, problem=None)
    status["containerStatuses"][0]["restartCount"] = 2
    problem = assess(pods).problem
    assert problem is not None
    assert problem.category is Category.CRASH_LOOP


def test_not_counted() -> None:
    """Pods of other revisions and components, and those being deleted, do not count."""
    good, bad = observed("first failures", "good"), observed(HALF_A_MINUTE, "crash-loop")
    assert assess(good, revision=2) == Health(ready=False, problem=None)
    assert assess(bad, revision=2) == Health(ready=False, problem=None)
    bad[0]["metadata"]["deletionTimestamp"] = "2026-11-22T22:24:40Z"
    assert assess(bad) == Health(ready=False, problem=None)
    assert assess([*good, *observed(HALF_A_MINUTE, "crash-loop")]).ready


def test_stale_deployment() -> None:
    """The status of a Deployment does not count until it has observed the present generation."""
    refused = observed(HALF_A_MINUTE, "over-quota")
    refused[0]["metadata"]["generation"] = 2
    assert assess(refused) == Health(ready=False, problem=None)


def test_old_eviction() -> None:
    """An eviction of long ago does not explain what is wrong now."""
    pods = observed("evicted and replaced", "evicted")
    pods[-1]["status"]["conditions"] = []
    for pod in pods:
        if pod["status"].get("phase") == "Running":
            pod["status"]["conditions"] = []
    assert assess(pods).problem is not None
    assert assess(pods, now=LATER + timedelta(minutes=6)).problem is None


def test_most_telling() -> None:
    """Of several problems the same one is reported, whatever the order of the pods."""
    pods = [
        *observed(HALF_A_MINUTE, "never-ready"),
        *observed(HALF_A_MINUTE, "crash-loop"),
        *observed("image back-off", "bad-image"),
    ]
    for pod in pods:
        pod["metadata"]["labels"][labels.COMPONENT] = "all"
    problem = assess(pods).problem
    assert problem is not None
    assert problem.category is Category.IMAGE_PULL
    assert assess(reversed(pods)).problem == problem


def test_hostile_words() -> None:
    """A kubelet's message that repeats a tenant's bytes becomes one bounded, printable line."""
    pods = observed(HALF_A_MINUTE, "no-configmap")
    message = "configmap \x1b[31m\n\u202e" + "x" * 10_000 + " not found"
    pods[0]["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = message
    problem = assess(pods).problem
    assert problem is not None
    assert problem.message.isprintable()
    assert len(problem.message) < 500
    assert problem.message.endswith("not found")
