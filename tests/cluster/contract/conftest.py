"""The simulated API server and a real one, of which the same is asked."""

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest

from k8s.api import client
from k8s.api.client import Cluster
from k8s.api.errors import NotFound
from tests.support import cluster_program
from tests.support.simulated_cluster import serving


@pytest.fixture(scope="module", params=["simulated", "real"])
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Each of the two."""
    if request.param == "simulated":
        kubeconfig = tmp_path_factory.mktemp("simulated") / "kubeconfig"
        with serving(kubeconfig, startup_seconds=0.5, history=100) as simulated:
            yield simulated.cluster
    elif os.environ.get("KUBECONFIG"):
        yield client.connect()
    else:
        pytest.skip("needs a cluster: set KUBECONFIG")


@pytest.fixture
def gateway_api(cluster: Cluster) -> None:
    """The Gateway API, whose kinds a cluster learns of after its start."""

    def there() -> bool:
        with suppress(NotFound):
            return bool(cluster.get("/apis/gateway.networking.k8s.io/v1"))
        return False

    cluster_program.prepare("ingress", needs="the Gateway API", there=there)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that is deleted afterwards."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.apply(f"/api/v1/namespaces/{name}", manifest)
    yield name
    cluster.delete(f"/api/v1/namespaces/{name}")
