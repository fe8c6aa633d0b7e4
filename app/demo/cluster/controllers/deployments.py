"""Deployments: as many pods of the present template as asked for, the old ones gone after them."""

import hashlib
import math
import secrets
import time
from dataclasses import dataclass
from datetime import datetime

import msgspec

from app.demo.cluster import deletion, selectors
from app.demo.cluster.controllers import pods, scheduler
from app.demo.cluster.deletion import Options
from app.demo.cluster.object_store import ObjectStore
from app.demo.cluster.resources import DEPLOYMENTS, PODS, Json

_HASH = "pod-template-hash"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pods:
    """A Deployment's pods that are not being deleted."""

    new: list[Json]
    old: list[Json]

    @property
    def ready(self) -> int:
        return sum(pods.is_ready(pod) for pod in (*self.new, *self.old))


def step(store: ObjectStore) -> float | None:
    """Bring every Deployment a step nearer; the unix time of the next deadline, if any."""
    deployments = [
        deployment
        for deployment in store.find(DEPLOYMENTS)
        if "deletionTimestamp" not in deployment["metadata"]
    ]
    due = [when for deployment in deployments if (when := _step(store, deployment)) is not None]
    return min(due, default=None)


def _step(store: ObjectStore, deployment: Json) -> float | None:
    mark = _template_hash(deployment)
    refused = _create(store, deployment, mark, _pods(store, deployment, mark))
    _retire(store, deployment, _pods(store, deployment, mark))
    return _tell(store, deployment, _pods(store, deployment, mark), refused)


def _template_hash(deployment: Json) -> str:
    template = msgspec.json.encode(deployment["spec"]["template"], order="deterministic")
    return hashlib.sha256(template).hexdigest()[:10]


def _pods(store: ObjectStore, deployment: Json, mark: str) -> _Pods:
    uid = deployment["metadata"]["uid"]
    own = [
        pod
        for pod in store.find(PODS, deployment["metadata"]["namespace"])
        if "deletionTimestamp" not in pod["metadata"]
        and any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences", []))
    ]
    return _Pods(
        new=[pod for pod in own if selectors.labels(pod).get(_HASH) == mark],
        old=[pod for pod in own if selectors.labels(pod).get(_HASH) != mark],
    )


def _room(deployment: Json) -> tuple[int, int]:
    """Return the maximum of pods, and the minimum of ready ones."""
    spec = deployment["spec"]
    replicas: int = spec["replicas"]
    if spec["strategy"]["type"] == "Recreate":
        return replicas, 0
    rolling = spec["strategy"]["rollingUpdate"]
    surge = math.ceil(_share(rolling["maxSurge"], replicas))
    unavailable = math.floor(_share(rolling["maxUnavailable"], replicas))
    return replicas + surge, replicas - (unavailable or int(not surge))


def _share(amount: int | str, replicas: int) -> float:
    if isinstance(amount, int):
        return amount
    return int(amount.removesuffix("%")) * replicas / 100


def _create(store: ObjectStore, deployment: Json, mark: str, own: _Pods) -> str:
    """Make pods of the present template as far as there is room; why they are refused, if so."""
    most, _ = _room(deployment)
    if deployment["spec"]["strategy"]["type"] == "Recreate" and own.old:
        return ""
    replicas = deployment["spec"]["replicas"]
    missing = min(replicas - len(own.new), most - len(own.new) - len(own.old))
    for _ in range(missing):
        pod = _pod(deployment, mark)
        if refusal := scheduler.refusal(store, pod):
            return refusal
        store.put(PODS, pod)
    return ""


def _pod(deployment: Json, mark: str) -> Json:
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    end = "".join(secrets.choice(_LETTERS) for _ in range(5))
    owner = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "metadata": {
            "name": f"{metadata['name']}-{mark}-{end}",
            "namespace": metadata["namespace"],
            "labels": {**template["metadata"].get("labels", {}), _HASH: mark},
            "annotations": template["metadata"].get("annotations", {}),
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }


def _retire(store: ObjectStore, deployment: Json, own: _Pods) -> None:
    """Delete surplus pods: old ones that do not serve, then those that others replace."""
    _, least = _room(deployment)
    spare = own.ready - least
    for pod in own.old:
        if pods.is_ready(pod):
            spare -= 1
            if spare < 0:
                break
        _delete(store, pod)
    for pod in sorted(own.new, key=pods.is_ready)[: max(0, _excess(deployment, own))]:
        _delete(store, pod)


def _excess(deployment: Json, own: _Pods) -> int:
    return len(own.new) - int(deployment["spec"]["replicas"])


def _delete(store: ObjectStore, pod: Json) -> None:
    metadata = pod["metadata"]
    deletion.delete(store, PODS, metadata["namespace"], metadata["name"], Options())


def _tell(store: ObjectStore, deployment: Json, own: _Pods, refused: str) -> float | None:
    spec, before = deployment["spec"], deployment.get("status", {})
    replicas, updated = spec["replicas"], sum(pods.is_ready(pod) for pod in own.new)
    done = (updated >= replicas and not own.old) or _was_done(deployment)
    due = _deadline(deployment, own)
    late = not done and time.time() >= due
    told = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": len(own.new) + len(own.old),
        "updatedReplicas": len(own.new),
        "readyReplicas": own.ready,
        "availableReplicas": own.ready,
        "unavailableReplicas": max(0, replicas - own.ready),
        "conditions": [
            _available(enough=own.ready >= _room(deployment)[1]),
            _progressing(deployment, done=done, late=late),
        ],
    }
    if refused:
        why = {"reason": "FailedCreate", "message": refused}
        told["conditions"].append(pods.condition("ReplicaFailure", holds=True, **why))
    store.put(DEPLOYMENTS, {**deployment, "status": pods.settled(told, before)})
    return None if done or late else due


def _deadline(deployment: Json, own: _Pods) -> float:
    """When it has to be done, from when its newest pod was made, or it itself."""
    stamps = [pod["metadata"]["creationTimestamp"] for pod in own.new]
    newest = max(stamps, default=deployment["metadata"]["creationTimestamp"])
    seconds: int = deployment["spec"]["progressDeadlineSeconds"]
    return datetime.fromisoformat(newest).timestamp() + seconds


def _available(*, enough: bool) -> Json:
    if enough:
        return pods.condition(
            "Available",
            holds=True,
            reason="MinimumReplicasAvailable",
            message="Deployment has minimum availability.",
        )
    return pods.condition(
        "Available",
        reason="MinimumReplicasUnavailable",
        message="Deployment does not have minimum availability.",
    )


def _was_done(deployment: Json) -> bool:
    """Return True once the present template was up: later events are no progress."""
    return any(
        condition.get("reason") == "NewReplicaSetAvailable"
        and _replica_set(deployment) in condition["message"]
        for condition in deployment.get("status", {}).get("conditions", [])
    )


def _replica_set(deployment: Json) -> str:
    return f'ReplicaSet "{deployment["metadata"]["name"]}-{_template_hash(deployment)}"'


def _progressing(deployment: Json, *, done: bool, late: bool) -> Json:
    name = _replica_set(deployment)
    if late:
        reason, message = "ProgressDeadlineExceeded", f"{name} has timed out progressing."
    elif done:
        reason, message = "NewReplicaSetAvailable", f"{name} has successfully progressed."
    else:
        reason, message = "ReplicaSetUpdated", f"{name} is progressing."
    return pods.condition("Progressing", holds=not late, reason=reason, message=message)
