"""A cluster, and tenants that nobody else has."""

import secrets
from collections.abc import Callable, Iterator

import pytest

from k8s.api.client import Cluster, connect
from k8s.naming import names


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """The cluster that KUBECONFIG names."""
    return connect()


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
