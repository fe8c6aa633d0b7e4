"""The check of payloads, which names every wrong field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Rejected
from app.intake import payloads
from app.intake.payloads import Renewal, Termination
from app.store import job_data
from app.store.job_data import JobData
from tests.support import market
from tests.support.arbitrary_json import JSON


def wrong(document: Any, kind: Any = JobData) -> dict[str, str]:
    """Return the wrong fields, each with its error."""
    with pytest.raises(Rejected) as caught:
        payloads.check(document, kind)
    assert (caught.value.status, caught.value.code) == (422, "invalid")
    return {error.pointer: error.detail for error in caught.value.errors}


def test_unknown_fields_are_ignored() -> None:
    """A field that is not known here is left to others."""
    assert payloads.check(market.job(space_id={"x": [1]}), JobData).duration == 900


def test_every_wrong_field_is_named() -> None:
    """All of them, not the first."""
    errors = wrong({"uuid": 5, "duration": "900", "task_uuid": "x", "job_type": -1, "name": None})
    assert set(errors) == {
        "/uuid",
        "/duration",
        "/task_uuid",
        "/job_type",
        "/name",
        "/job_source_uri",
    }
    assert errors["/job_source_uri"] == "is missing"
    assert errors["/task_uuid"] == "has to be a uuid, or empty"
    assert errors["/duration"] == "has to be `int`, got `str`"


@pytest.mark.parametrize("document", [None, [], "x", 5, True])
def test_no_object(document: Any) -> None:
    """A document has to be an object."""
    assert wrong(document) == {"": "has to be an object"}


@pytest.mark.parametrize(
    "text", ["", "x", "{}", " {}", "{}\n", "{{}}", "urn:uuid:{}", "{}/..", "\u0661" * 36]
)
def test_uuids_have_one_form(text: str) -> None:
    """A uuid has 36 characters of ASCII, with nothing before or after, not even a line's end."""
    uuid = market.job()["uuid"]
    if text == "{}":
        assert payloads.check(market.job(uuid=uuid.upper()), JobData).uuid == uuid.upper()
        return
    assert set(wrong(market.job(uuid=text.format(uuid)))) == {"/uuid"}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a/b",
        "file:///etc/passwd",
        "https:///x\n",
        "http://a b",
        "//a",
        "https://" + "a" * 2048,
    ],
)
def test_sources_are_http(url: str) -> None:
    """A source is an http(s) URL of bounded length, on one line."""
    assert set(wrong(market.job(job_source_uri=url))) == {"/job_source_uri"}


@pytest.mark.parametrize("duration", [0, -1, 1 << 41, 1.5, "60", None, True, [], 10**30])
def test_durations_are_whole_seconds(duration: Any) -> None:
    """A duration is a positive whole number."""
    assert set(wrong(market.job(duration=duration))) == {"/duration"}
    assert set(wrong({"uuid": "", "duration": duration}, Renewal)) == {"/duration"}


def test_lists_are_bounded() -> None:
    """A list has an end, and its items are checked."""
    assert set(wrong(market.job(ip_white_list=["1.2.3.4"] * 257))) == {"/ip_white_list"}
    assert set(wrong(market.job(ip_white_list=["1.2.3.4", 5]))) == {"/ip_white_list"}
    assert payloads.check(market.job(ip_white_list=None), JobData).ip_white_list is None


def test_the_most_specific_name_counts() -> None:
    """A job is more specific than its task, and that than its Space."""
    space, task, job = (market.job()["uuid"] for _ in range(3))
    names = {"space_uuid": space, "task_uuid": task, "job_uuid": job.upper()}
    assert payloads.check(names, Termination).named == job
    assert payloads.check({"space_uuid": space, "task_uuid": task}, Termination).named == task
    assert payloads.check({"space_uuid": space}, Termination).named == space
    assert not payloads.check({}, Termination).named


@given(st.dictionaries(st.sampled_from(sorted(market.job())), JSON) | JSON)
def test_nothing_else_is_raised(document: Any) -> None:
    """Whatever JSON comes, it is of its shape or invalid, and then a field is named."""
    for kind in (JobData, Renewal, Termination):
        try:
            payloads.check(document, kind)
        except Rejected as rejected:
            assert rejected.errors  # noqa: PT017 - either outcome is right, no other is.


@pytest.mark.parametrize(
    ("url", "has_uuid"),
    [
        ("https://a/spaces/{}", True),
        ("https://a/spaces/{}/", True),
        ("https://a/spaces/{}?x=1", True),
        ("https://a/spaces/{}#x", True),
        ("https://a/spaces/{}/files", False),
        ("https://a/spaces/x{}", False),
        ("https://a/spaces?x=/{}", False),
        ("https://a/spaces#/{}", False),
        ("https://a/", False),
    ],
)
def test_source_uuid(url: str, has_uuid: bool) -> None:  # noqa: FBT001 - a table's column.
    """The Space's uuid is the last part of its address, in lower case."""
    uuid = market.job()["uuid"]
    assert job_data.source_uuid(url.format(uuid.upper())) == (uuid if has_uuid else "")
