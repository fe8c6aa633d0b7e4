"""Information that Lagrange reads from a provider, over real HTTP."""

import base64
import os
import time
import uuid
from pathlib import Path

import msgspec
import pytest
import redis
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from app.admission.inventory_snapshot import InventorySnapshot
from app.context import Context, open_context
from app.lagrange import report_thread
from app.store import redis_keys
from app.tasks import transitions
from k8s.inventory.inventory import Inventory, Node
from k8s.inventory.quantities import ResourceAmounts
from tests.support import market
from tests.support.web_server import Web, serving

BASE = "/api/v1/computing"


def test_host_info(web: Web) -> None:
    """The host comes in the envelope, in the fields of v0.3.0."""
    answer = web.call("GET", f"{BASE}/host/info")
    assert answer.status == 200
    assert set(answer.json) == {"status", "code", "data", "message"}
    assert (answer.json["status"], answer.json["code"]) == ("success", 200)
    data = answer.json["data"]
    assert set(data) == {
        "swan_miner_version",
        "operating_system",
        "architecture",
        "cpu_cores",
    }
    assert (data["operating_system"], data["cpu_cores"]) == ("linux", os.cpu_count())


@pytest.mark.parametrize("path", [f"{BASE}/cp", f"{BASE}/lagrange/cp"])
def test_resources(web: Web, context: Context, redis_url: str, path: str) -> None:
    """The last snapshot is answered without an envelope; one that is too old is 503."""
    answer = web.call("GET", path)
    assert (answer.status, answer.json["code"]) == (503, "unavailable")
    for at, status in ((time.time() - 120, 503), (time.time(), 200)):
        content = msgspec.json.encode(
            InventorySnapshot(at, Inventory(nodes=(Node(name="n", machine_id="7f"),)))
        )
        with redis.Redis.from_url(redis_url) as connection:
            connection.set(redis_keys.INVENTORY, content)
        answer = web.call("GET", path)
        assert answer.status == status
    assert answer.json["node_id"] == context.identity.node_id
    assert [node["machine_id"] for node in answer.json["cluster_info"]] == ["7f"]


async def test_the_status_by_policy(provider_folder: Path, redis_url: str) -> None:
    """The provider is active while more is free than its quotas, if its policy is readable."""
    context = open_context(str(provider_folder))
    room = ResourceAmounts(cpu_millis=4000, memory_bytes=8 << 30, storage_bytes=8 << 30)
    nodes = (Node(name="n", allocatable=room),)
    content = msgspec.json.encode(InventorySnapshot(time.time(), Inventory(nodes=nodes)))
    with redis.Redis.from_url(redis_url) as connection:
        connection.set(redis_keys.INVENTORY, content)
    for text, active in (
        (None, True),
        ('{"cpu": {"quota": 3}}', True),
        ('{"cpu": {"quota": 4}}', False),
        ("{", False),
    ):
        if text is not None:
            (provider_folder / "resource_policy.json").write_text(text)
        seen = await report_thread.look(context)
        assert seen is not None
        assert (seen.active, seen.free) == (active, {"n": room})
    await context.async_store.close()


def test_the_public_key(web: Web, context: Context) -> None:
    """The key of callbacks comes as base64 of its PEM."""
    text = web.call("GET", f"{BASE}/lagrange/cp/public_key").json["data"]["public_key"]
    assert load_pem_public_key(base64.b64decode(text)) == context.identity.signing_key.public_key()


def test_a_jobs_status(web: Web, context: Context) -> None:
    """The status of a job is answered when the orchestrator has signed its uuid."""
    job = market.job()
    assert web.webhook("job.assigned", job).status == 202
    path = f"{BASE}/lagrange/job/{job['uuid']}"
    signature = market.eip191(context.identity.node_id, job["uuid"])
    answer = web.call("GET", f"{path}?signature={signature}")
    assert answer.json["data"] == {
        "job_uuid": job["uuid"],
        "job_status": "submitted",
        "job_result_url": "",
    }
    task = context.store.get(job["uuid"])
    assert task
    context.store.commit(transitions.fetching(task, now=1))
    task = context.store.get(job["uuid"])
    assert task
    uploaded = transitions.uploaded(task, "https://gateway.example.com/ipfs/x", now=2)
    context.store.commit(uploaded)
    data = web.call("GET", f"{path}?signature={signature}").json["data"]
    assert data["job_status"] == "downloadSource"
    assert data["job_result_url"] == "https://gateway.example.com/ipfs/x"


def test_a_job_in_upper_case(web: Web, context: Context) -> None:
    """The signature covers the uuid as requested; the job is the same in any case."""
    job = market.job()
    web.webhook("job.assigned", job)
    requested = job["uuid"].upper()
    signature = market.eip191(context.identity.node_id, requested)
    answer = web.call("GET", f"{BASE}/lagrange/job/{requested}?signature={signature}")
    assert answer.json["data"]["job_uuid"] == job["uuid"]


def test_a_jobs_status_needs_its_signature(web: Web, context: Context) -> None:
    """A missing, malformed or another job's signature is 401, without the uuid."""
    job = market.job()
    web.webhook("job.assigned", job)
    other = market.eip191(context.identity.node_id, str(uuid.uuid4()))
    for signature in ("", "0x", "x" * 132, other):
        answer = web.call("GET", f"{BASE}/lagrange/job/{job['uuid']}?signature={signature}")
        assert answer.status == 401
        assert job["uuid"] not in answer.body.decode()


def test_an_unknown_job(web: Web, context: Context) -> None:
    """A job that is not held is not found."""
    unknown = str(uuid.uuid4())
    signature = market.eip191(context.identity.node_id, unknown)
    answer = web.call("GET", f"{BASE}/lagrange/job/{unknown}?signature={signature}")
    assert (answer.status, answer.json["code"]) == (404, "unknown_task")


def test_an_assignment_answers_with_the_result(web: Web, context: Context) -> None:
    """A repeated assignment is answered with the result's URL, once it is uploaded."""
    job = market.job()
    assert web.webhook("job.assigned", job).status == 202
    task = context.store.get(job["uuid"])
    assert task
    context.store.commit(transitions.uploaded(task, "https://gateway.example/ipfs/x", now=2))
    body = market.encoded(job)
    answer = web.post(f"{BASE}/lagrange/jobs", body, market.v1(body))
    assert answer.json["job_result_uri"] == "https://gateway.example/ipfs/x"
    assert msgspec.json.decode(answer.body)["uuid"] == job["uuid"]


def test_lists_and_prices_of_an_operator_who_has_none(web: Web) -> None:
    """Without lists and prices the answers are empty, in their shapes."""
    for name in ("whitelist", "blacklist"):
        assert web.call("GET", f"{BASE}/lagrange/cp/{name}").json["data"] == []
    assert web.call("GET", f"{BASE}/lagrange/cp/price").json["data"] == {
        "cpu_price": "",
        "memory_price": "",
        "hd_ephemeral_price": "",
        "gpu_default_price": "",
        "gpus_price": {},
        "pricing": False,
    }


def test_lists_and_prices(provider_folder: Path) -> None:
    """Wallets come in lower case and in order, prices as the operator wrote them."""
    config = provider_folder / "config.toml"
    table = '[ADMISSION]\nWhiteList = "white.txt"\nBlackList = "missing.txt"\nPricing = true\n'
    config.write_text(config.read_text() + table)
    wallets = [f"0x{letter * 40}" for letter in "bA"]
    (provider_folder / "white.txt").write_text("\n".join(wallets))
    (provider_folder / "price.toml").write_text('TARGET_CPU="0.2"\nTARGET_GPU_3080="2.0"\n')
    context = open_context(str(provider_folder))
    with serving(context) as web:
        white = web.call("GET", f"{BASE}/lagrange/cp/whitelist").json["data"]
        assert white == ["0x" + "a" * 40, "0x" + "b" * 40]
        missing = web.call("GET", f"{BASE}/lagrange/cp/blacklist")
        assert (missing.status, missing.json["code"]) == (503, "unavailable")
        prices = web.call("GET", f"{BASE}/lagrange/cp/price").json["data"]
        assert (prices["cpu_price"], prices["pricing"]) == ("0.2", True)
        assert prices["gpus_price"] == {"TARGET_GPU_3080": "2.0"}
        (provider_folder / "price.toml").write_text('TARGET_CPU="much"\n')
        assert web.call("GET", f"{BASE}/lagrange/cp/price").status == 503
