"""Transitions of a task, and the callbacks that report them."""

import pytest
from msgspec.structs import replace

from app.store import Change, redis_keys
from app.store.job_data import JobData
from app.store.records import Fallback, Reason, State, Task
from app.tasks import transitions
from app.tasks.advance import failure, next_step

NOW = 1_800_000_000.0
SPACE = "4a7f0c52-93e5-4d0e-9a3b-6f5f6d6b2f10"
JOB = JobData(
    uuid="AAAAAAAA-0000-4000-8000-000000000001",
    duration=900,
    job_source_uri=f"https://api.example.com/spaces/{SPACE.upper()}",
    task_uuid="BBBBBBBB-0000-4000-8000-000000000002",
)
REASON = Reason("image_pull", "no such image")


def fresh() -> Task:
    """Return a task that was just accepted."""
    return transitions.accepted(
        JOB, host="abc.example.com", now=NOW, start_timeout_seconds=60
    ).after


def runs() -> Task:
    """Return a task that runs its first revision."""
    task = replace(fresh(), wallet="0x" + "a" * 40, state=State.DEPLOYING, applied_revision=1)
    return transitions.running(task, now=NOW).after


def told(change: Change) -> list[tuple[int, str]]:
    """Return what Lagrange is told: sequence numbers and statuses."""
    return [(callback.sequence, callback.status) for callback in change.callbacks]


def test_a_task_is_known_by_its_uuids_in_lower_case() -> None:
    """Whatever the case on the wire, one job is one task."""
    task = fresh()
    assert task.id == JOB.uuid.lower()
    assert task.uuids == {JOB.uuid.lower(), JOB.task_uuid.lower(), SPACE}


def test_the_expiry_counts_from_the_first_run() -> None:
    """A task that waits has a deadline to start; one that ran expires its duration later."""
    task = fresh()
    assert (task.expires_at, task.due_at) == (None, NOW + 60)
    assert runs().due_at == NOW + 900
    again = transitions.running(replace(runs(), state=State.FAILED), now=NOW + 300).after
    assert again.due_at == NOW + 900


def test_a_renewal_adds_to_the_duration_before_and_after_the_start() -> None:
    """More seconds are more seconds, whether the time runs already or not."""
    waiting = transitions.renewed(fresh(), seconds=100, now=NOW).after
    assert (waiting.duration, waiting.expires_at) == (1000, None)
    assert transitions.renewed(runs(), seconds=100, now=NOW).after.expires_at == NOW + 1000


def test_each_callback_has_the_next_number() -> None:
    """Steps are told in order, each with a number and an id of its own."""
    change = transitions.fetching(fresh(), now=NOW)
    assert told(change) == [(1, "downloadSource")]
    after = transitions.troubled(change.after, REASON, now=NOW)
    assert told(after) == [(2, "failed")]
    assert after.callbacks[0].reason == "image_pull: no such image"
    assert change.callbacks[0].message_id != after.callbacks[0].message_id


def test_a_redeploy_falls_back_on_what_runs_and_on_nothing_else() -> None:
    """Only a version that was seen running can be gone back to."""
    job = replace(JOB, duration=5)
    task = transitions.redeployed(runs(), job, now=NOW).after
    assert task.fallback == Fallback(task.id, 1)
    assert (task.revision, task.latest_revision, task.host) == (2, 2, "abc.example.com")
    assert task.job.duration == 900
    third = transitions.redeployed(task, job, now=NOW).after
    assert (third.revision, third.fallback) == (3, Fallback(task.id, 1))
    assert transitions.redeployed(fresh(), JOB, now=NOW).after.fallback is None


def test_a_failed_redeploy_goes_back() -> None:
    """The failure is told, and the version before is applied once more."""
    task = transitions.redeployed(runs(), JOB, now=NOW).after
    change = failure(task, REASON, now=NOW)
    assert told(change) == [(2, "failed")]
    after = change.after
    assert (after.revision, after.state, after.pending) == (1, State.DEPLOYING, True)
    assert after.latest_revision == 2
    with pytest.raises(ValueError, match="no earlier revision"):
        transitions.rolled_back(fresh(), REASON, now=NOW)


def test_a_task_that_never_reached_the_cluster_fails_at_once() -> None:
    """There is nothing to remove of it."""
    after = failure(replace(fresh(), state=State.FETCHING), REASON, now=NOW).after
    assert (after.state, after.ended) == (State.FAILED, True)
    assert after.due_at is None


def test_a_task_with_objects_is_removed_before_its_failure_is_told() -> None:
    """Objects that were applied have to go first."""
    change = failure(replace(fresh(), state=State.DEPLOYING), REASON, now=NOW)
    assert change.callbacks == ()
    assert change.after.stopping
    ended = transitions.ended(change.after, now=NOW)
    assert told(ended) == [(1, "failed")]
    assert ended.after.reason == REASON


@pytest.mark.parametrize("outcome", [State.TERMINATED, State.EXPIRED, State.FAILED])
def test_an_end_is_told_as_what_it_was(outcome: State) -> None:
    """Terminated, expired and failed are three different ends."""
    stopping = transitions.stopping(runs(), outcome, None, now=NOW).after
    assert (stopping.due_at, stopping.pending) == (None, True)
    assert transitions.ended(stopping, now=NOW).after.state == outcome


def test_a_claim_on_the_host_name_comes_with_the_task() -> None:
    """Two tasks never get the same host name."""
    change = transitions.accepted(JOB, host="abc.example.com", now=NOW, start_timeout_seconds=60)
    (guard,) = change.guards
    assert (guard.key, guard.name, guard.was) == (redis_keys.HOSTS, "abc.example.com", None)


def test_there_is_nothing_to_do_for_what_runs_or_is_over() -> None:
    """Workers leave alone what the cluster and the clock have the word on."""
    assert next_step(runs()) is None
    over = transitions.ended(
        transitions.stopping(runs(), State.EXPIRED, None, now=NOW).after, now=NOW
    ).after
    assert next_step(over) is None
    assert next_step(fresh()) is not None
