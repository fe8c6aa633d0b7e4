"""The names of everything in Redis, in one place."""

TASKS = "cp:tasks"  # sorted set: task id by creation
ACTIVE = "cp:active"  # set: ids of tasks that are not over
ENDED = "cp:ended"  # sorted set: task id by end
DUE = "cp:due"  # sorted set: task id by the time at which the clock ends it
PENDING = "cp:pending"  # sorted set: task id by the time at which the clock calls a worker again
APPLIED = "cp:applied"  # sorted set: task id by the time at which a worker was done with it
OUTBOX = "cp:outbox"  # sorted set: task id by the time of its next delivery
HOSTS = "cp:hosts"  # hash: host name → task id
HOLDERS = "cp:holders"  # hash: space uuid → id of the task whose objects are on the cluster
RESERVATIONS = "cp:reservations"  # hash: holder → slots (JSON); `version` → number
INVENTORY = "cp:inventory"  # JSON of the nodes as they were seen a moment ago
METRICS = "cp:metrics"  # hash: counter → number
UPLOADS = "cp:uploads"  # sorted set: task id by the time at which its result is uploaded
UPLOADS_PAUSED = "cp:uploads:paused"  # there while Multichain Storage is left alone
ADOPTED = "cp:adopted"  # hash: job uuid → v0.3.0's key that it was adopted from
MARKET = "cp:market"  # hash: task id → what Lagrange says of its Space (JSON)
REPORTS = "cp:reports"  # hash: path at Lagrange → what came of the last report there (JSON)
LOGS_WANTED = "cp:logs-wanted"  # sorted set: task id and watcher by the end of their wish

MOST_FOUND = 100  # tasks that are looked at by one lookup


def task(task_id: str) -> str:
    """Hash of `record` (JSON) and `version`."""
    return f"cp:task:{task_id}"


def lookup(uuid: str) -> str:
    """Sorted set of the ids of tasks that are known by this task's or Space's uuid, by creation."""
    return f"cp:uuid:{uuid}"


def candidates(uuid: str, ids: list[bytes]) -> list[bytes]:
    """Return the ids of tasks that may be known by a uuid: a job's own, and those looked up."""
    job = uuid.encode()
    return [job, *(task_id for task_id in ids if task_id != job)]


def receipt(message_id: str) -> str:
    """JSON of the event that was accepted under this id."""
    return f"cp:inbox:{message_id}"


def callbacks(task_id: str) -> str:
    """Hash of sequence → callback (JSON)."""
    return f"cp:callbacks:{task_id}"


def timeline(task_id: str) -> str:
    """List of happenings (JSON)."""
    return f"cp:timeline:{task_id}"


def workload(task_id: str, revision: int) -> str:
    """JSON of what one revision of a task runs."""
    return f"cp:workload:{task_id}:{revision}"


def pods(task_id: str) -> str:
    """JSON of a task's pods, as the watcher saw them last."""
    return f"cp:pods:{task_id}"


def build_log(task_id: str) -> str:
    """Stream of the lines of a task's image build."""
    return f"cp:build-log:{task_id}"


def holder(task_id: str, revision: int) -> str:
    """Who holds slots of `RESERVATIONS`: one revision of a task."""
    return f"{task_id}:{revision}"


def wallets(digest: str) -> str:
    """JSON of the wallets of a list, as its URL (of this digest) gave them."""
    return f"cp:wallets:{digest}"


def log(task_id: str) -> str:
    """Stream of what a task's containers wrote last, while somebody watches."""
    return f"cp:log:{task_id}"


def log_places(task_id: str) -> str:
    """Hash of container → how far its log is in the stream, and of the stream's sizes."""
    return f"cp:log-places:{task_id}"


def log_seen(task_id: str) -> str:
    """Sorted set of watchers by how many bytes of the stream they have seen."""
    return f"cp:log-seen:{task_id}"


def lock(name: str) -> str:
    """The token of who works on it now."""
    return f"cp:lock:{name}"


def turn(name: str) -> str:
    """The number of the turn that a replica has now."""
    return f"cp:turn:{name}"


def turns(name: str) -> str:
    """How many turns there were."""
    return f"cp:turns:{name}"


def proof(proof_id: str) -> str:
    """JSON of a proof that was asked for, and what came of it."""
    return f"cp:proof:{proof_id}"


def former(space_uuid: str) -> str:
    """Hash of a job in v0.3.0's memory, which is read and never written."""
    return f"FULL:{space_uuid}"
