"""The status of a pod from the moments of its containers. Pure."""

import time

from app.demo.cluster.controllers.containers import Moment
from app.demo.cluster.object_store import at
from app.demo.cluster.resources import Json


def is_ready(pod: Json) -> bool:
    """Tell if a pod is ready."""
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod.get("status", {}).get("conditions", [])
    )


def condition(kind: str, *, holds: bool = False, **why: str) -> Json:
    """A condition that holds, or does not, from now on."""
    word = "True" if holds else "False"
    return {"type": kind, "status": word, "lastTransitionTime": at(time.time()), **why}


def settled(status: Json, before: Json) -> Json:
    """A status whose conditions keep the times at which they became what they are."""
    was = {condition["type"]: condition for condition in before.get("conditions", [])}
    conditions = []
    for condition in status["conditions"]:
        old = was.get(condition["type"], {})
        since = old if old.get("status") == condition["status"] else condition
        conditions.append({**condition, "lastTransitionTime": since["lastTransitionTime"]})
    return {**status, "conditions": conditions}


def status(pod: Json, first: list[Moment], moments: list[Moment]) -> Json:
    """The status of a pod that has a node; `first` are its init containers."""
    spec, old = pod["spec"], pod.get("status", {})
    started = any("waiting" not in moment.state or moment.restarts for moment in moments)
    status = {
        "phase": "Running" if started or old.get("phase") == "Running" else "Pending",
        "startTime": old.get("startTime", at(time.time())),
        "conditions": _conditions(spec, first, moments),
        "containerStatuses": _statuses(spec["containers"], moments),
    }
    if first:
        status["initContainerStatuses"] = _statuses(spec["initContainers"], first)
    return status


def _conditions(spec: Json, first: list[Moment], moments: list[Moment]) -> list[Json]:
    both = zip(spec["containers"], moments, strict=True)
    unready = [container["name"] for container, one in both if not one.ready]
    why: dict[str, str] = {}
    if unready:
        why["reason"] = "ContainersNotReady"
        why["message"] = f"containers with unready status: [{' '.join(unready)}]"
    return [
        condition("PodScheduled", holds=True),
        condition("Initialized", holds=all(one.ready for one in first)),
        condition("ContainersReady", holds=not unready, **why),
        condition("Ready", holds=not unready, **why),
    ]


def _statuses(containers: list[Json], moments: list[Moment]) -> list[Json]:
    return [
        {
            "name": container["name"],
            "image": container.get("image", ""),
            "ready": moment.ready,
            "started": "running" in moment.state,
            "restartCount": moment.restarts,
            "state": moment.state,
            "lastState": moment.last,
        }
        for container, moment in zip(containers, moments, strict=True)
    ]
