"""The objects of a new cluster: namespaces, a node, a StorageClass and an IngressClass."""

from collections.abc import Mapping
from itertools import chain

from app.demo.cluster import defaults
from app.demo.cluster.controllers.pods import condition
from app.demo.cluster.object_store import ObjectStore
from app.demo.cluster.resources import (
    BY_PATH,
    NAMESPACES,
    NODES,
    STORAGE_CLASSES,
    Json,
)

NODE = "simulated-1"
INGRESS_CLASS = "nginx"
CAPACITY = {
    "cpu": "64",
    "memory": "256Gi",
    "ephemeral-storage": "4Ti",
    "pods": "1000",
    "nvidia.com/gpu": "4",
}
GPU_LABELS = {"NVIDIA-A4000": "true"}


def put(store: ObjectStore, *, capacity: Mapping[str, str], labels: Mapping[str, str]) -> None:
    """Put it there; `capacity` and `labels` are the node's."""
    for name in ("default", "kube-system"):
        namespace: Json = {"metadata": {"name": name}}
        defaults.fill(store, NAMESPACES, namespace, None)
        store.put(NAMESPACES, namespace)
    store.put(NODES, _node(capacity, labels))
    marked = {"storageclass.kubernetes.io/is-default-class": "true"}
    standard = {"name": "standard", "annotations": marked}
    store.put(STORAGE_CLASSES, {"metadata": standard, "provisioner": "simulated/none"})
    ingress_class = BY_PATH["networking.k8s.io", "v1", "ingressclasses"]
    spec = {"controller": "simulated/none"}
    store.put(ingress_class, {"metadata": {"name": INGRESS_CLASS}, "spec": spec})


def _node(capacity: Mapping[str, str], labels: Mapping[str, str]) -> Json:
    known = {
        "kubernetes.io/hostname": NODE,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    return {
        "metadata": {"name": NODE, "labels": dict(chain(known.items(), labels.items()))},
        "spec": {},
        "status": {
            "capacity": dict(capacity),
            "allocatable": dict(capacity),
            "addresses": [
                {"type": "InternalIP", "address": "10.200.0.2"},
                {"type": "Hostname", "address": NODE},
            ],
            "conditions": [condition("Ready", holds=True, reason="KubeletReady")],
            "nodeInfo": {"architecture": "amd64", "operatingSystem": "linux"},
        },
    }
