"""The names of all keys in Redis, in one place."""

TASKS = "cp:tasks"  # sorted set: task id by creation
ACTIVE = "cp:active"  # set: ids of tasks that are not over
ENDED = "cp:ended"  # sorted set: task id by end
DUE = "cp:due"  # sorted set: task id by the time at which the clock ends it
PENDING = "cp:pending"  # sorted set: task id by the time at which the clock calls a worker again
APPLIED = "cp:applied"  # sorted set: task id by the time at which a worker finished with it
OUTBOX = "cp:outbox"  # sorted set: task id by the time of its next delivery
HOSTS = "cp:hosts"  # hash: host name → task id
HOLDERS = "cp:holders"  # hash: space uuid → id of the task whose objects are on the cluster
RESERVATIONS = "cp:reservations"  # hash: holder → slots (JSON); `version` → number
INVENTORY = "cp:inventory"  # JSON of the nodes as the watcher saw them last
METRICS = "cp:metrics"  # hash: counter → number
UPLOADS = "cp:uploads"  # sorted set: task id by the time at which its result is uploaded
UPLOADS_PAUSED = "cp:uploads:paused"  # exists while Multichain Storage is left alone
ADOPTED = "cp:adopted"  # hash: job uuid → v0.3.0's key that it was adopted from
MARKET = "cp:market"  # hash: task id → last answer of Lagrange about its Space (JSON)
REPORTS = "cp:reports"  # hash: path at Lagrange → outcome of the last report there (JSON)
BUILD_LOGS = "cp:build-logs"  # sorted set: task id by the time of its build log's last line
FULL = "cp:full"  # percentage of Redis' memory in use, while that is too much for new jobs
PROBE = "cp:probe"  # never written: deleting it shows whether Redis takes writes
RESERVE = "cp:reserve"  # bytes that are given up when Redis is at its limit
LOGS_WANTED = "cp:logs-wanted"  # sorted set: task id and watcher by expiry


def task(task_id: str) -> str:
    """Hash of `record` (JSON), `version`, and the attempts at a step: `<revision>:<step>`."""
    return f"cp:task:{task_id}"


def lookup(uuid: str) -> str:
    """Sorted set of the ids of tasks that are known by this task's or Space's uuid, by creation."""
    return f"cp:uuid:{uuid}"


def receipt(message_id: str) -> str:
    """JSON of the event that was accepted under this id, or the digest of a message refused."""
    return f"cp:inbox:{message_id}"


def callbacks(task_id: str) -> str:
    """Hash of sequence → callback (JSON)."""
    return f"cp:callbacks:{task_id}"


def timeline(task_id: str) -> str:
    """List of timeline entries (JSON)."""
    return f"cp:timeline:{task_id}"


def workload(task_id: str, revision: int) -> str:
    """JSON of the workload of one revision of a task."""
    return f"cp:workload:{task_id}:{revision}"


def demands(task_id: str) -> str:
    """Hash of revision → what its pods ask for (JSON)."""
    return f"cp:demands:{task_id}"


def pods(task_id: str) -> str:
    """JSON of a task's pods, as the watcher saw them last."""
    return f"cp:pods:{task_id}"


def build_log(task_id: str) -> str:
    """Stream of the lines of a task's image build."""
    return f"cp:build-log:{task_id}"


def holder(task_id: str, revision: int) -> str:
    """Field of `RESERVATIONS`: one revision of a task."""
    return f"{task_id}:{revision}"


def wallets(digest: str) -> str:
    """JSON of the wallets of a list, as its URL (of this digest) gave them."""
    return f"cp:wallets:{digest}"


def log(task_id: str) -> str:
    """Stream of the last output of a task's containers, while it is watched."""
    return f"cp:log:{task_id}"


def log_places(task_id: str) -> str:
    """Hash of container → position in its log, and of the stream's sizes."""
    return f"cp:log-places:{task_id}"


def log_seen(task_id: str) -> str:
    """Sorted set of watchers by the bytes of the stream that they have seen."""
    return f"cp:log-seen:{task_id}"


def lock(name: str) -> str:
    """Token of the process that holds the lease of this name."""
    return f"cp:lock:{name}"


def leader(name: str) -> str:
    """Token of the replica that leads in this duty; the others stand by."""
    return f"cp:turn:{name}"


def proof(proof_id: str) -> str:
    """JSON of a proof that was ordered, and its outcome."""
    return f"cp:proof:{proof_id}"


def legacy_record(space_uuid: str) -> str:
    """Hash of a job as v0.3.0 wrote it; it is read and never written."""
    return f"FULL:{space_uuid}"
