"""The account of a compromised worker."""

from collections.abc import Iterator

import pytest

from tests.support.worker_account import Account, installed_account


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """The worker's account in an installation of its own."""
    with installed_account() as account:
        yield account
