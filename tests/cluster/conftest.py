"""A cluster, and tenants that nobody else has."""

import secrets
from collections.abc import Callable, Iterator

import pytest

from k8s.api.client import Cluster, connect
from k8s.naming import names
from tests.support import cluster_program


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """The cluster that KUBECONFIG names."""
    return connect()


@pytest.fixture(scope="session")
def ingress_controller() -> None:
    """An ingress controller of the class `nginx`."""

    def there() -> bool:
        classes = connect().list("/apis/networking.k8s.io/v1/ingressclasses")
        return "nginx" in {ingress_class["metadata"]["name"] for ingress_class in classes}

    needs = "an ingress controller of the class nginx"
    cluster_program.prepare("ingress", needs=needs, there=there)


@pytest.fixture(scope="session")
def base_image() -> None:
    """The base of the provider's own image, in the cluster's registry."""
    cluster_program.prepare_base_image()


@pytest.fixture(scope="session")
def fetch_image() -> None:
    """The image that fetches models, unless the cluster's nodes get it from where they get all."""
    if cluster_program.is_there():
        cluster_program.prepare_base_image()


@pytest.fixture(scope="session")
def buildkit_image() -> None:
    """Rootless BuildKit, in the cluster's registry."""
    cluster_program.prepare_buildkit()


@pytest.fixture
def wallets(cluster: Cluster) -> Iterator[Callable[[], str]]:
    """Wallets that nobody has; their namespaces go with the test."""
    made: list[str] = []

    def make() -> str:
        made.append(f"0x{secrets.token_hex(20)}")
        return made[-1]

    yield make
    for wallet in made:
        cluster.delete(f"/api/v1/namespaces/{names.namespace(wallet)}")


@pytest.fixture
def wallet(wallets: Callable[[], str]) -> str:
    """One of them."""
    return wallets()
