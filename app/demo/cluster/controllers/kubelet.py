"""The kubelet: pods get a node, their containers start, and they end when deleted."""

import time

from app.demo.cluster import api_errors
from app.demo.cluster.controllers import containers, pods, scheduler
from app.demo.cluster.controllers.containers import Moment
from app.demo.cluster.object_store import ObjectStore
from app.demo.cluster.resources import (
    CONFIG_MAPS,
    NODES,
    PODS,
    SECRETS,
    Json,
)

_SOURCES = {
    "configMapRef": CONFIG_MAPS,
    "configMapKeyRef": CONFIG_MAPS,
    "secretRef": SECRETS,
    "secretKeyRef": SECRETS,
}


class Kubelet:
    """Of every node, and the scheduler with it."""

    def __init__(
        self, store: ObjectStore, *, startup_seconds: float, termination_seconds: float
    ) -> None:
        self._store = store
        self._startup = startup_seconds
        self._termination = termination_seconds
        self._bound: dict[str, float] = {}
        self._ending: dict[str, float] = {}
        self._addresses = 0

    def step(self) -> float | None:
        """Bring every pod up to date; the unix time of the next change to come, if any."""
        pods = self._store.find(PODS)
        due = [when for pod in pods if (when := self._step(pod)) is not None]
        uids = {pod["metadata"]["uid"] for pod in pods}
        for times in (self._bound, self._ending):
            for uid in times.keys() - uids:
                del times[uid]
        return min(due, default=None)

    def _step(self, pod: Json) -> float | None:
        metadata, now = pod["metadata"], time.time()
        if "deletionTimestamp" in metadata:
            grace = min(metadata["deletionGracePeriodSeconds"], self._termination)
            end = self._ending.setdefault(metadata["uid"], now + grace)
            if now >= end:
                self._store.remove(PODS, pod)
            return end
        placed = pod if "nodeName" in pod["spec"] else self._schedule(pod)
        return self._run(placed, now) if placed else None

    def _schedule(self, pod: Json) -> Json | None:
        node, reason = scheduler.place(self._store, pod)
        if node:
            self._bound[pod["metadata"]["uid"]] = time.time()
            return {**pod, "spec": {**pod["spec"], "nodeName": node}}
        said = pods.condition("PodScheduled", reason="Unschedulable", message=reason)
        self._tell(pod, {"phase": "Pending", "conditions": [said]})
        return None

    def _run(self, pod: Json, now: float) -> float | None:
        spec = pod["spec"]
        first = [self.look(pod, container, now) for container in spec.get("initContainers", [])]
        moments = [self.look(pod, container, now) for container in spec["containers"]]
        if not all(moment.ready for moment in first):
            waiting = {"waiting": {"reason": "PodInitializing"}}
            moments = [Moment(state=waiting) for _ in moments]
        told = pods.status(pod, first, moments)
        node = self._store.get(NODES, "", spec["nodeName"])
        told["hostIP"] = node["status"]["addresses"][0]["address"]
        if told["phase"] == "Running":
            told["podIP"] = pod["status"].get("podIP") or self._address()
        self._tell(pod, told)
        changes = [moment.until for moment in (*first, *moments) if moment.until is not None]
        return self._bound[pod["metadata"]["uid"]] + min(changes) if changes else None

    def _address(self) -> str:
        self._addresses += 1
        return f"10.244.{self._addresses // 254 % 256}.{self._addresses % 254 + 1}"

    def _tell(self, pod: Json, status: Json) -> None:
        before = pod.get("status", {})
        self._store.put(PODS, {**pod, "status": pods.settled(status, before)})

    def look(self, pod: Json, container: Json, now: float) -> Moment:
        """The state of one container of a pod that has a node."""
        born = self._bound.get(pod["metadata"]["uid"], now)
        first = container in pod["spec"].get("initContainers", [])
        return containers.look(
            container,
            age=now - born,
            startup=self._startup,
            born=born,
            missing=self._missing(pod, container),
            once=first and container.get("restartPolicy") != "Always",
        )

    def _missing(self, pod: Json, container: Json) -> str:
        sources = [*container.get("envFrom", [])]
        sources += [
            variable["valueFrom"]
            for variable in container.get("env", [])
            if "valueFrom" in variable
        ]
        for source in sources:
            for field in source.keys() & _SOURCES.keys():
                resource, name = _SOURCES[field], source[field]["name"]
                if not self._store.has(resource, pod["metadata"]["namespace"], name):
                    return f'{resource.kind.lower()} "{name}" not found'
        return ""

    def logged(self, pod: Json, name: str, *, previous: bool) -> tuple[Json, Moment]:
        """A container and its state; raises `Failure` when it can have no log."""
        spec = pod["spec"]
        every = [*spec["containers"], *spec.get("initContainers", [])]
        if not name and len(spec["containers"]) > 1:
            names = " ".join(container["name"] for container in spec["containers"])
            said = f"a container name must be specified for pod {pod['metadata']['name']}"
            raise api_errors.bad_request(f"{said}, choose one of: [{names}]")
        container = next((part for part in every if name in {"", part["name"]}), None)
        if container is None:
            said = f"container {name} is not valid for pod {pod['metadata']['name']}"
            raise api_errors.bad_request(said)
        moment = self.look(pod, container, time.time())
        if previous and not moment.restarts:
            raise api_errors.bad_request(
                f'previous terminated container "{container["name"]}" in pod '
                f'"{pod["metadata"]["name"]}" not found'
            )
        if not moment.log and "waiting" in moment.state:
            why = moment.state["waiting"]["reason"]
            raise api_errors.bad_request(
                f'container "{container["name"]}" in pod "{pod["metadata"]["name"]}" is waiting '
                f"to start: {why}"
            )
        return container, moment
