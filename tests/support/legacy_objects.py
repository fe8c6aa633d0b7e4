"""The objects that v0.3.0 leaves on a cluster, and its records in Redis."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from app.context import Context
from app.store import redis_keys
from app.store.records import Task
from app.tasks.adoption import adopt
from k8s.api import url_paths
from k8s.api.client import Cluster
from tests.support.waiting import eventually

_RESOURCES = {
    "cpu": "10m",
    "memory": "32Mi",
    "ephemeral-storage": "64Mi",
    "nvidia.com/gpu": "0",
}


@dataclass(frozen=True)
class Left:
    """A Space that v0.3.0 runs."""

    wallet: str = field(default_factory=lambda: f"0x{uuid.uuid4().hex}{uuid.uuid4().hex[:7]}A")
    space_uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    job_uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    image: str = "nginx:1"
    command: tuple[str, ...] = ()
    seconds_left: int = 3600

    @property
    def namespace(self) -> str:
        """Its tenant's."""
        return f"ns-{self.wallet.lower()}"

    @property
    def host(self) -> str:
        """Its host name."""
        return f"{self.space_uuid[:8]}ab.example.com"

    @property
    def key(self) -> str:
        """The key of its record."""
        return f"FULL:{self.space_uuid}"

    def record(self, **fields: str) -> dict[str, str]:
        """Return its record."""
        found = {
            "wallet_address": self.wallet,
            "space_name": "My Space",
            "expire_time": str(int(time.time()) + self.seconds_left),
            "space_uuid": self.space_uuid,
            "job_uuid": self.job_uuid,
            "task_type": "CPU",
            "deploy_name": f"deploy-{self.space_uuid}",
            "hardware": "CPU only · 2 vCPU · 4 GiB",
            "url": f"https://{self.host}",
        }
        return {name: text for name, text in (found | fields).items() if text}

    def objects(self) -> list[dict[str, Any]]:
        """Return its objects, as v0.3.0 makes them of a Space with a Dockerfile."""
        selected = {"lad_app": self.space_uuid}
        environment = {
            "space_uuid": self.space_uuid,
            "space_name": "My Space",
            "result_url": self.host,
            "job_uuid": self.job_uuid,
            "GREETING": "hello",
        }
        container = {
            "name": f"pod-{self.space_uuid}",
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "ports": [{"containerPort": 8080}],
            "env": [{"name": name, "value": value} for name, value in environment.items()],
            "resources": {"limits": _RESOURCES, "requests": _RESOURCES},
        }
        if self.command:
            container["command"] = list(self.command)
        deployment = {
            "selector": {"matchLabels": selected},
            "template": {"metadata": {"labels": selected}, "spec": {"containers": [container]}},
        }
        service = {"ports": [{"name": "http", "port": 8080}], "selector": selected}
        backend = {"service": {"name": f"svc-{self.space_uuid}", "port": {"number": 8080}}}
        path = {"path": "/", "pathType": "Prefix", "backend": backend}
        rules = [{"host": self.host, "http": {"paths": [path]}}]
        return [
            self._object("Namespace", self.namespace, labels={"lab-ns": self.wallet.lower()}),
            self._object("Deployment", f"deploy-{self.space_uuid}", spec=deployment),
            self._object("Service", f"svc-{self.space_uuid}", spec=service),
            self._object(
                "Ingress",
                f"ing-{self.space_uuid}",
                annotations={"nginx.ingress.kubernetes.io/use-regex": "true"},
                spec={"ingressClassName": "nginx", "rules": rules},
            ),
        ]

    def _object(
        self, kind: str, name: str, *, spec: dict[str, Any] | None = None, **metadata: Any
    ) -> dict[str, Any]:
        found: dict[str, Any] = {
            "apiVersion": url_paths.api_version(kind),
            "kind": kind,
            "metadata": {"name": name, **metadata},
        }
        if kind != "Namespace":
            found["metadata"]["namespace"] = self.namespace
        return found | ({"spec": spec} if spec else {})

    def deploy(self, cluster: Cluster) -> "Left":
        """Bring its objects onto a cluster, as another program than ours."""
        for one in self.objects():
            query = {"fieldManager": "v0.3.0", "force": "true"}
            cluster._apply(url_paths.object_path(one), msgspec.json.encode(one), query)
        return self

    def pods(self, cluster: Cluster) -> list[dict[str, Any]]:
        """Return its pods, whatever else they are labelled with."""
        path = url_paths.collection("Pod", self.namespace)
        found = cluster.list(path, selector=f"lad_app={self.space_uuid}")
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def write(self, connection: Any, **fields: str) -> "Left":
        """Write its record."""
        connection.hset(self.key, mapping=self.record(**fields))
        connection.set(self.space_uuid, "wait-delete", ex=self.seconds_left)
        return self


def ready(left: Left, cluster: Cluster) -> Callable[[], bool]:
    """Return what tells whether a Space's pods are ready."""

    def look() -> bool:
        conditions = [
            condition["status"]
            for pod in left.pods(cluster)
            for condition in pod.get("status", {}).get("conditions", ())
            if condition["type"] == "Ready"
        ]
        return conditions == ["True"]

    return look


def left(context: Context, **fields: str) -> Left:
    """Leave a Space that runs, and its record."""
    found = Left().deploy(context.cluster)
    eventually("its pod is ready", ready(found, context.cluster))
    return found.write(context.redis, **fields)


def adopted(context: Context, one: Left) -> Task:
    """Adopt; return the task."""
    adopt.adopt(context, "")
    found = context.store.get(one.job_uuid)
    assert found
    return found


def whole(context: Context) -> dict[bytes, Any]:
    """Return everything of v0.3.0 in Redis."""
    connection: Any = context.redis
    found: dict[bytes, Any] = {}
    for key in connection.scan_iter():
        if not key.startswith((b"cp:", b"rq:")):
            is_hash = connection.type(key) == b"hash"
            found[key] = connection.hgetall(key) if is_hash else connection.get(key)
    return found


def why(context: Context, key: str) -> str:
    """Return why a record was left alone."""
    return context.store.field(redis_keys.ADOPTED, key) or ""
