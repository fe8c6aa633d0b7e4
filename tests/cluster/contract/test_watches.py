"""Watches of the simulated API server and of a real one, with one outcome."""

import json
import threading
from typing import Any

import pytest

from k8s.api import watch
from k8s.api.client import Cluster
from k8s.api.objects import Pod
from k8s.naming import labels
from tests.support.contract_objects import (
    config_map,
    deployment,
    deployment_of,
    is_ready,
    pods_of,
)


def lines(cluster: Cluster, path: str, **query: str) -> list[dict[str, Any]]:
    """The events of one watch request."""
    with cluster.stream(path, read_timeout_seconds=10, watch="true", **query) as stream:
        return [json.loads(line) for line in stream]


def test_watch(cluster: Cluster, namespace: str) -> None:
    """A watch tells what has happened since a version, and what a selector no longer selects."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    version = cluster.apply(f"{path}/a", config_map(namespace, "a", team="a"))["metadata"][
        "resourceVersion"
    ]
    cluster.apply(f"{path}/b", config_map(namespace, "b", team="a"))
    cluster.apply(f"{path}/b", config_map(namespace, "b", team="a", more="x"))
    cluster.apply(f"{path}/a", config_map(namespace, "a", team="b"))
    cluster.delete(f"{path}/b")
    selected = {"labelSelector": "team=a", "timeoutSeconds": "1"}
    told = lines(cluster, path, resourceVersion=version, **selected)
    assert [(one["type"], one["object"]["metadata"]["name"]) for one in told] == [
        ("ADDED", "b"),
        ("MODIFIED", "b"),
        ("DELETED", "a"),
        ("DELETED", "b"),
    ]
    assert told[0]["object"]["kind"] == "ConfigMap"
    versions = [int(one["object"]["metadata"]["resourceVersion"]) for one in told]
    assert versions == sorted(set(versions))
    assert min(versions) > int(version)


def test_watch_from_start(cluster: Cluster, namespace: str) -> None:
    """A watch without a version tells first what there is."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    cluster.apply(f"{path}/a", config_map(namespace, "a", team="start"))
    told = lines(cluster, path, labelSelector="team=start", timeoutSeconds="1")
    assert [(one["type"], one["object"]["metadata"]["name"]) for one in told] == [("ADDED", "a")]


@pytest.mark.usefixtures("gateway_api")
def test_expired(cluster: Cluster) -> None:
    """A version from before a kind was known ends its watch with an error that says so."""
    path = "/apis/gateway.networking.k8s.io/v1/httproutes"
    told = lines(cluster, path, resourceVersion="1", timeoutSeconds="1")
    assert [one["type"] for one in told] == ["ERROR"]
    status = told[0]["object"]
    assert (status["code"], status["reason"]) == (410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")


def test_follow(cluster: Cluster, namespace: str) -> None:
    """The watch loop tells a pod's life from the listing on."""
    stopped = threading.Event()
    events = watch.follow(
        cluster,
        pods_of(namespace),
        Pod,
        selector=f"{labels.COMPONENT}=web",
        stopped=stopped,
        on_error=lambda message, _: pytest.fail(message),
    )
    assert next(events) == watch.Listed(())
    cluster.apply(deployment_of(namespace), deployment(namespace, 1))
    for event in events:
        if isinstance(event, watch.Changed) and is_ready(event.object):
            cluster.delete(deployment_of(namespace))
        if isinstance(event, watch.Deleted):
            stopped.set()
