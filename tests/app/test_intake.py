"""Events from the wire to the memory, over real HTTP and a real Redis."""
from collections.abc import Iterator
import pytest
from app.context import Context
from tests import market
from tests.web import Web, serving, everything

@pytest.fixture
def web(context: Context) -> Iterator[Web]:
    """The provider, serving."""
    with serving(context) as found:
        yield found

def test_smoke(web: Web, redis_url: str) -> None:
    """x."""
    job = market.job()
    m = market.assigned(job)
    a = web.send(m)
    print(a)
    assert a.status == 202
    assert web.send(m) == a or print(web.send(m))
    print(everything(redis_url))
    assert 0
