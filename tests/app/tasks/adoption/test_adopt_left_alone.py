"""Records of v0.3.0 that are not adopted, and the reasons."""

import pytest

from app.context import Context
from app.tasks.adoption import adopt
from k8s.api import url_paths
from k8s.naming import labels
from tests.support.legacy_objects import Left, adopted, left, whole, why


def test_a_record_without_url(context: Context) -> None:
    """The host name is the one of the Ingress."""
    one = left(context)
    context.redis.hdel(one.key, "url", "hardware")
    task = adopted(context, one)
    assert (task.host, task.hardware) == (one.host, "CPU")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"job_uuid": ""}, "job_uuid is missing"),
        ({"wallet_address": "0x12"}, "wallet_address is '0x12'"),
        ({"expire_time": "tomorrow"}, "expire_time is 'tomorrow'"),
        ({"expire_time": ""}, "expire_time is missing"),
        ({"expire_time": "9999999999999"}, "expire_time is '9999999999999'"),
        ({"space_uuid": "11111111-1111-1111-1111-111111111111"}, "it is about Space 11111111"),
        ({"space_uuid": "../x"}, "space_uuid is '../x'"),
        ({"url": "https://a b/"}, "url is 'https://a b/'"),
    ],
)
def test_a_broken_record_is_left_alone(
    context: Context, fields: dict[str, str], reason: str
) -> None:
    """One broken record holds up no other; it and what it is about stay as they are."""
    broken, whole_one = left(context), left(context)
    context.redis.delete(broken.key)
    broken.write(context.redis, **fields)
    before = whole(context)
    adopted(context, whole_one)
    assert why(context, broken.key).startswith(reason)
    assert whole(context) == before
    assert len(list(context.store.tasks())) == 1
    [pod] = broken.pods(context.cluster)
    assert labels.TASK not in pod["metadata"]["labels"]


def test_others_keys_are_left_alone(context: Context) -> None:
    """Keys of other types and of other people under `FULL:` are no records."""
    context.redis.set("FULL:text", "x")
    context.redis.rpush("FULL:list", "x")
    context.redis.hset("FULL:stranger", "a", "b")
    context.redis.hset("FULL:binary", mapping={"space_uuid": b"\xff\xfe"})
    before = {key: context.redis.dump(key) for key in context.redis.scan_iter(match="FULL:*")}
    adopt.adopt(context, "")
    reasons = {key.decode(): why(context, key.decode()) for key in before}
    assert reasons == {
        "FULL:text": "it is no hash",
        "FULL:list": "it is no hash",
        "FULL:stranger": "space_uuid is missing",
        "FULL:binary": "space_uuid is '\ufffd\ufffd'",
    }
    assert before == {key: context.redis.dump(key) for key in before}


def test_a_reason_is_told_once(context: Context, capsys: pytest.CaptureFixture[str]) -> None:
    """The log has one line for each record that is left alone, however often it is looked at."""
    context.redis.set("FULL:text", "x")
    adopt.adopt(context, "")
    adopt.adopt(context, "")
    told = capsys.readouterr()
    assert (told.out + told.err).count("left alone") == 1


def test_a_record_of_what_is_gone(context: Context) -> None:
    """What the cluster says is not there is no task."""
    one = Left().write(context.redis)
    adopt.adopt(context, "")
    assert why(context, one.key) == "nothing of it is on the cluster"
    assert context.store.get(one.job_uuid) is None


def test_a_deployment_of_somebody_else(context: Context) -> None:
    """What has the name and not the shape of v0.3.0's Deployment is left as it is."""
    one = Left()
    deployment = one.objects()[1]
    deployment["spec"]["selector"]["matchLabels"]["app"] = "mine"
    deployment["spec"]["template"]["metadata"]["labels"]["app"] = "mine"
    for stated in (one.objects()[0], deployment):
        context.cluster.apply(url_paths.object_path(stated), stated)
    one.write(context.redis)
    adopt.adopt(context, "")
    assert "does not select its pods as v0.3.0 does" in why(context, one.key)


def test_two_records_of_one_host_name(context: Context) -> None:
    """A host name leads to one task; the other record is left alone."""
    first, second = left(context), left(context)
    second.write(context.redis, url=f"https://{first.host}")
    adopt.adopt(context, "")
    assert len(list(context.store.tasks())) == 1
    reasons = why(context, first.key) + why(context, second.key)
    assert reasons.startswith(f"{first.host} belongs to task ")
