"""The records that Redis holds: values, without I/O, clock or randomness."""

from enum import StrEnum
from typing import Literal

import msgspec

from app.store.job_data import JobData


class State(StrEnum):
    """The state of a task.

    `failed` with `Task.ended_at` unset means that the workload is on the cluster and may recover;
    with it set, that the task is over.
    """

    ACCEPTED = "accepted"
    FETCHING = "fetching"
    BUILDING = "building"
    DEPLOYING = "deploying"
    RUNNING = "running"
    FAILED = "failed"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    EXPIRED = "expired"


STARTING = frozenset({State.ACCEPTED, State.FETCHING, State.BUILDING, State.DEPLOYING})


class Reason(msgspec.Struct, frozen=True):
    """The reason for a task's state: a word for machines, a sentence for the tenant."""

    category: str
    message: str

    def __str__(self) -> str:
        return f"{self.category}: {self.message}"


class Fallback(msgspec.Struct, frozen=True):
    """The version that serves until a new one does, and again when the new one fails."""

    task_id: str
    revision: int


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job as this provider holds it. Times are unix seconds, durations seconds.

    Attributes:
        id: The job's uuid, lower case.
        job: What Lagrange assigned; replaced by a redeploy.
        wallet: The Space's owner, lower case; empty until the Space was fetched.
        host: The host name under the provider's domain.
        revision: The version that is wanted; raised by each redeploy.
        latest_revision: The highest revision ever given out.
        applied_revision: The version that was last applied to the cluster; 0: none.
        running_revision: The version that was last seen running; 0: none.
        fallback: The version that serves while `revision` comes up, if one does.
        outcome: Set when the task is being ended: the state that it ends in.
        components: Replicas by component of the applied version.
        sequence: The number of the last callback.
        start_deadline: When a task that never ran is ended.
        expires_at: Set when the task first runs.
        result_url: The address of its result document, once that is uploaded.
        adopted: True if v0.3.0 began it, and uploaded its result.
        version: Counts changes of this record; the store's compare-and-set.
    """

    id: str
    job: JobData
    host: str
    created_at: float
    start_deadline: float
    duration: int
    space_uuid: str = ""
    space_name: str = ""
    wallet: str = ""
    hardware: str = ""
    state: State = State.ACCEPTED
    reason: Reason | None = None
    outcome: State | None = None
    revision: int = 1
    latest_revision: int = 1
    applied_revision: int = 0
    running_revision: int = 0
    fallback: Fallback | None = None
    components: dict[str, int] = {}
    sequence: int = 0
    started_at: float | None = None
    expires_at: float | None = None
    ended_at: float | None = None
    result_url: str = ""
    adopted: bool = False
    version: int = 0

    @property
    def task_uuid(self) -> str:
        """The auction's row, lower case, or empty."""
        return self.job.task_uuid.lower()

    @property
    def url(self) -> str:
        """The address of the workload."""
        return f"https://{self.host}"

    @property
    def uuids(self) -> frozenset[str]:
        """Every uuid that this task is known by."""
        return frozenset({self.id, self.task_uuid, self.space_uuid} - {""})

    @property
    def ended(self) -> bool:
        """True once nothing of it will ever run again."""
        return self.ended_at is not None

    @property
    def stopping(self) -> bool:
        """True while it is being ended."""
        return self.outcome is not None and not self.ended

    @property
    def due_at(self) -> float | None:
        """The time at which the clock ends it; None: it is over, or being ended."""
        if self.ended or self.stopping:
            return None
        return self.expires_at if self.expires_at is not None else self.start_deadline

    @property
    def owes_result(self) -> bool:
        """True while its result document is to be uploaded: it ran, and goes on."""
        ran = self.started_at is not None and not self.adopted
        return ran and not self.result_url and not self.ended and not self.stopping

    @property
    def pending(self) -> bool:
        """True while a worker has something to do for it."""
        if self.ended:
            return False
        if self.stopping or self.state in {State.ACCEPTED, State.FETCHING, State.BUILDING}:
            return True
        return self.applied_revision != self.revision


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """A report owed to Lagrange, and the state of its delivery.

    Attributes:
        sequence: Counts a task's callbacks from 1; they are sent in this order.
        status: Lagrange's word for it.
        timestamp: When it happened, unix seconds.
        message_id: Its Standard Webhooks id, the same at every attempt.
        state: `owed`, `delivered`, `parked` (given up until somebody says `redeliver`).
    """

    sequence: int
    status: str
    reason: str
    timestamp: float
    message_id: str
    state: Literal["owed", "delivered", "parked"] = "owed"
    attempts: int = 0
    first_attempt_at: float | None = None
    last_error: str = ""
    delivered_at: float | None = None


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a task's timeline."""

    at: float
    what: str
    detail: str = ""


class MarketStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of Lagrange about a task's Space, in its own words, at this time (unix seconds).

    Times are seconds as Lagrange writes them; empty: it gave none. `noted`: the task's timeline
    has an entry that Lagrange calls it terminated.
    """

    space_status: str
    payment_amount: str = ""
    remaining_time: str = ""
    running_time: str = ""
    at: float = 0
    noted: bool = False


class PodSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A pod as the watcher saw it last.

    Attributes:
        name: Its name on the cluster.
        phase: Kubernetes' word for where it is.
        ready: Whether all its containers are.
        restarts: Of all its containers together.
        node: Where it runs; empty: nowhere yet.
        reason: What a container of it, or it itself, waits for or ended by; empty: nothing.
    """

    name: str = ""
    phase: str = ""
    ready: bool = False
    restarts: int = 0
    node: str = ""
    reason: str = ""


class PodSummaries(msgspec.Struct, frozen=True, kw_only=True):
    """The pods of a task at this time (unix seconds)."""

    at: float = 0
    pods: tuple[PodSummary, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a report to Lagrange.

    Attributes:
        at: When, unix seconds.
        error: Why Lagrange did not take it; empty: it did.
        status: `Active` or `Inactive`, where the report says that.
    """

    at: float
    error: str = ""
    status: str = ""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A proof that was ordered, and its outcome so far.

    Attributes:
        method: As ordered, like `block_data` and `exp`.
        deadline: When it is given up, unix seconds.
        state: `started` once the cluster was told.
        message: Why it failed.
        log: What it wrote.
    """

    method: str
    block_data: str
    exp: int
    deadline: float
    state: Literal["wanted", "started", "done", "failed"] = "wanted"
    message: str = ""
    log: str = ""

    @property
    def is_over(self) -> bool:
        """True once its outcome is final."""
        return self.state in {"done", "failed"}


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted event: a digest of its content, and the answer to it."""

    digest: str
    status: int
    body: bytes
    task_id: str
    received_at: float
