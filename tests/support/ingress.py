"""The answers of a real cluster's ingress controller."""

from contextlib import suppress

import httpx2

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import NotFound
from tests.support.provider import Provider
from tests.support.waiting import eventually

_SECONDS = 5


def of_space(namespace: str, space_uuid: str) -> str:
    """Return the path of a Space's Ingress."""
    return f"{url_paths.collection('Ingress', namespace)}/ing-{space_uuid}"


def answer(cluster: Cluster, ingress: str, host: str, page: str = "/") -> str | None:
    """Return the page that is answered under a host name; None: none is."""
    with suppress(NotFound, httpx2.HTTPError):
        status = cluster.get(ingress).get("status", {}).get("loadBalancer", {})
        for address in status.get("ingress") or ():
            url = f"http://{address['ip']}{page}"
            response = httpx2.get(url, headers={"host": host}, timeout=_SECONDS)
            if response.is_success:
                return response.text
    return None


def answer_of(provider: Provider, task_id: str, namespace: str, page: str = "/") -> str:
    """Return the page that a task's URL answers, once it does."""
    task = provider.context.store.get(task_id)
    assert task is not None
    cluster, ingress = provider.context.cluster, of_space(namespace, task.space_uuid)
    text: str = eventually(
        f"{task.url} answers", lambda: answer(cluster, ingress, task.host, page), seconds=60
    )
    return text
