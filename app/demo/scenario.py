"""The life of one job: it is assigned, comes up, is renewed, ends, and is gone."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from importlib import resources
from pathlib import Path

import msgspec
import yaml

from app.demo import callbacks, http_get, task_objects
from app.demo.assigned import Accepted, Assigned
from app.demo.pods import Pods
from app.demo.polling import Failed
from app.demo.setup import Stage
from app.net.http_client import Answer

SPACE = "visitors"
HARDWARE = "CPU only · 1 vCPU · 1 GiB"
DURATION_SECONDS = 3600
RENEWAL_SECONDS = 1800

_ANSWER_SECONDS = 20
_REMOVAL_SECONDS = 120


class TaskStatus(msgspec.Struct, frozen=True):
    """The task as the provider shows it at `status_url`."""

    state: str
    expires_at: datetime | None
    ended_at: datetime | None


class _Problem(msgspec.Struct, frozen=True):
    detail: str


def space() -> Path:
    """Return the folder of the Space that is deployed."""
    return Path(str(resources.files("app.demo"))) / "spaces" / SPACE


def assign(stage: Stage) -> Assigned:
    """Have Lagrange assign the Space.

    Raises:
        Failed: The provider does not accept it.
        Interrupted: A signal came.
        Temporary: The provider does not answer.
    """
    stage.screen.heading("Lagrange assigns a Space")
    stage.screen.line("space", f"{SPACE}: {', '.join(_services(space() / 'deploy.yaml'))}")
    space_uuid = stage.lagrange.add_space(space(), wallet=stage.wallet, hardware=HARDWARE)
    job = stage.lagrange.job(space_uuid, DURATION_SECONDS)
    answer = _send(
        stage,
        f"job.assigned, signed, for {DURATION_SECONDS} s",
        lambda: stage.lagrange.assign(stage.provider_url, job),
    )
    accepted = msgspec.json.decode(answer.body, type=Accepted)
    stage.screen.line("task", accepted.task_id)
    pods = Pods(
        stage.cluster,
        stage.namespace,
        accepted.task_id,
        tell=lambda name, state: stage.screen.line("pod", f"{name:<14} {state}"),
    )
    pods.start()
    return Assigned(stage, job, accepted, pods)


def _services(file: Path) -> Iterable[str]:
    document = yaml.safe_load(file.read_text("utf-8"))
    for name, service in document["services"].items():
        count = document["deployment"][name]["lagrange"]["count"]
        yield f"{name} ({'2 × ' if count > 1 else ''}{service['image']})"


def _send(stage: Stage, what: str, send: Callable[[], Answer]) -> Answer:
    stage.screen.line("sent", what)
    answer = stage.patience.call(lambda: "the provider's answer", send, seconds=_ANSWER_SECONDS)
    phrase = HTTPStatus(answer.status).phrase
    stage.screen.line("answer", f"{answer.status} {phrase}")
    if answer.status != HTTPStatus.ACCEPTED:
        raise Failed(f"the provider answered {answer.status}: {_detail(answer)}")
    return answer


def _detail(answer: Answer) -> str:
    """The detail of a problem document, or any other answer."""
    try:
        return msgspec.json.decode(answer.body, type=_Problem).detail
    except msgspec.DecodeError:
        return " ".join(http_get.lines(answer.body))


def come_up(assigned: Assigned) -> None:
    """Wait until the job is reported to run.

    Raises:
        ClusterError: The cluster does not answer, or refuses.
        Failed: It is reported to have failed, or nothing is in time.
        Interrupted: A signal came.
    """
    callbacks.wait(assigned, "running", fatal=("failed",), progress=lambda: assigned.pods.progress)
    stage = assigned.stage
    objects = stage.patience.call(
        lambda: "the cluster answers",
        lambda: task_objects.objects(stage.cluster, stage.namespace, assigned.accepted.task_id),
        seconds=_ANSWER_SECONDS,
    )
    stage.screen.line("cluster", f"holds {task_objects.shown(objects)}")
    stage.screen.line("url", assigned.accepted.url)


def renew(assigned: Assigned) -> None:
    """Have Lagrange lengthen the job, and see its expiry move.

    Raises:
        Failed: It does not move by as much.
        Interrupted: A signal came.
        Temporary: The provider does not answer.
    """
    stage = assigned.stage
    stage.screen.heading("Lagrange renews the job")
    before = _expiry(assigned)
    _send(
        stage,
        f"job.renewed, signed, by {RENEWAL_SECONDS} s",
        lambda: stage.lagrange.renew(stage.provider_url, assigned.job, RENEWAL_SECONDS),
    )
    after = _expiry(assigned)
    stage.screen.line("expiry", f"{_clock(before)} → {_clock(after)} UTC")
    moved = round((after - before).total_seconds())
    if moved != RENEWAL_SECONDS:
        raise Failed(f"the expiry moved by {moved} s instead of {RENEWAL_SECONDS} s")


def _expiry(assigned: Assigned) -> datetime:
    status = _status(assigned)
    if status.expires_at is None:
        raise Failed(f"the task is {status.state} and has no expiry")
    return status.expires_at


def _status(assigned: Assigned) -> TaskStatus:
    answer = assigned.stage.patience.call(
        lambda: "the provider's answer",
        lambda: http_get.get(assigned.accepted.status_url),
        seconds=_ANSWER_SECONDS,
    )
    if answer.status != HTTPStatus.OK:
        raise Failed(f"the task's status cannot be read: {answer.status}")
    return msgspec.json.decode(answer.body, type=TaskStatus)


def _clock(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%H:%M:%S")


def terminate(assigned: Assigned) -> None:
    """Have Lagrange end the job, and wait until that is reported.

    Raises:
        Failed: It is not reported in time.
        Interrupted: A signal came.
        Temporary: The provider does not answer.
    """
    stage = assigned.stage
    stage.screen.heading("Lagrange ends the job")
    status = _status(assigned)
    if status.ended_at is not None:
        stage.screen.line("task", f"is {status.state} already")
        return
    _send(
        stage,
        "job.terminated, signed",
        lambda: stage.lagrange.terminate(stage.provider_url, assigned.job),
    )
    callbacks.wait(assigned, "terminated", progress=lambda: "its pods end")


def leave_nothing(assigned: Assigned) -> None:
    """Check that nothing of the task is left on the cluster, and remove its tenant.

    Raises:
        ClusterError: The cluster does not answer, or refuses.
        Failed: Something is left.
        Interrupted: A signal came.
    """
    stage = assigned.stage
    assigned.pods.stop()
    objects = stage.patience.call(
        lambda: "the cluster answers",
        lambda: task_objects.objects(stage.cluster, stage.namespace, assigned.accepted.task_id),
        seconds=_ANSWER_SECONDS,
    )
    stage.screen.line("cluster", f"objects of the task: {task_objects.shown(objects)}")
    if objects:
        raise Failed(f"the task is over and still has {task_objects.shown(objects)}")
    removed = stage.patience.call(
        lambda: "the tenant's namespace goes",
        lambda: task_objects.remove_tenant(
            stage.cluster, stage.namespace, seconds=_REMOVAL_SECONDS, waiting=stage.screen.waiting
        ),
        seconds=_REMOVAL_SECONDS,
    )
    if removed:
        stage.screen.line("cluster", "the tenant's namespace is gone, too")
