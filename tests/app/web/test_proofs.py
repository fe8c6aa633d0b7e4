"""Orders of proofs over real HTTP."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from app.context import Context
from app.store import redis_keys, rq_queue
from app.store.records import Proof
from tests.support import market
from tests.support.web_server import Answer, Web

PATH = "/api/v1/computing/lagrange/cp/proof"
ORDER = {"method": "mine", "block_data": "abc", "exp": 3}

Prove = Callable[[Proof], Proof]


@pytest.fixture
def worker(context: Context) -> Iterator[list[Prove]]:
    """A stand-in for workers: it ends proofs by the functions in the list, one after the other."""
    steps: list[Prove] = []
    stopped = threading.Event()

    def work() -> None:
        while not stopped.wait(0.02):
            for name in context.redis.scan_iter(redis_keys.proof("*")):
                content = context.store.value(name.decode())
                order = msgspec.json.decode(content or b"", type=Proof)
                if steps and not order.is_over:
                    done = msgspec.json.encode(steps.pop(0)(order))
                    context.redis.set(name, done, ex=60)

    thread = threading.Thread(target=work)
    thread.start()
    yield steps
    stopped.set()
    thread.join()


def done(order: Proof) -> Proof:
    """End a proof well."""
    return replace(order, state="done", log=f"{order.method} {order.block_data} {order.exp}\n")


def order(web: Web, document: Any = ORDER, **signing: Any) -> Answer:
    """Order a proof."""
    body = market.encoded(document)
    return web.post(PATH, body, market.v1(body, **signing))


def test_a_proof(web: Web, context: Context, worker: list[Prove]) -> None:
    """The answer is the log in the envelope; a worker was called once."""
    worker.append(done)
    answer = order(web)
    assert answer.status == 200
    assert answer.json == {
        "status": "success",
        "code": 200,
        "data": "mine abc 3\n",
        "message": "",
    }
    assert context.redis.llen(rq_queue.queue_on(context.redis).key) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "burn"},
        {"method": ""},
        {"exp": -1},
        {"exp": 251},
        {"exp": "3"},
        {"exp": True},
        {"block_data": "x" * 20000},
        {"block_data": None},
    ],
)
def test_fields_out_of_bounds(web: Web, context: Context, wrong: dict[str, Any]) -> None:
    """Other methods, data and exponents are refused by name, and nothing is started."""
    answer = order(web, ORDER | wrong)
    assert answer.status == 422
    (name,) = wrong
    assert [error["pointer"] for error in answer.json["errors"]] == [f"/{name}"]
    assert list(context.redis.scan_iter(redis_keys.proof("*"))) == []


def test_unsigned(web: Web, context: Context) -> None:
    """An order without a valid signature starts nothing."""
    body = market.encoded(ORDER)
    headers = market.v1(body) | {"webhook-signature": "v1,AAAA"}
    assert web.post(PATH, body, headers).status == 401
    assert web.post(PATH, body, {"content-type": "application/json"}).status == 401
    assert list(context.redis.scan_iter(redis_keys.proof("*"))) == []


def test_one_at_a_time(web: Web, worker: list[Prove]) -> None:
    """While a key's proof is under way its next is refused; another key's is not."""
    with ThreadPoolExecutor() as pool:
        first: Future[Answer] = pool.submit(order, web)
        time.sleep(0.3)
        second = order(web)
        assert (second.status, second.json["code"]) == (429, "busy")
        assert int(second.headers["retry-after"]) > 0
        other = pool.submit(order, web, secret=market.OLD_SECRET)
        time.sleep(0.3)
        worker += [done, done]
        assert (first.result().status, other.result().status) == (200, 200)
    worker.append(done)
    assert order(web).status == 200


def test_the_same_message_again(web: Web, context: Context, worker: list[Prove]) -> None:
    """A message gets the same answer again and starts nothing; with other content it is refused."""
    worker.append(done)
    name = market.message_id()
    first = order(web, name=name)
    assert order(web, name=name).body == first.body
    assert context.redis.llen(rq_queue.queue_on(context.redis).key) == 1
    assert order(web, ORDER | {"exp": 4}, name=name).status == 409


def test_a_proof_that_fails(web: Web, worker: list[Prove]) -> None:
    """A failure is 502, and lets the next proof begin."""
    worker += [lambda proof: replace(proof, state="failed", message="it did not end in time"), done]
    answer = order(web)
    assert (answer.status, answer.json["code"]) == (502, "proof_failed")
    assert "it did not end in time" in answer.json["detail"]
    assert order(web).status == 200
