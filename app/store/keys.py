"""The names of everything in Redis, in one place."""

TASKS = "cp:tasks"  # sorted set: task id by creation
ACTIVE = "cp:active"  # set: ids of tasks that are not over
ENDED = "cp:ended"  # sorted set: task id by end
DUE = "cp:due"  # sorted set: task id by the time at which the clock ends it
PENDING = "cp:pending"  # sorted set: task id by the time at which the clock calls a worker again
OUTBOX = "cp:outbox"  # sorted set: task id by the time of its next delivery
HOSTS = "cp:hosts"  # hash: host name → task id
HOLDERS = "cp:holders"  # hash: space uuid → id of the task whose objects are on the cluster
METRICS = "cp:metrics"  # hash: counter → number


def task(task_id: str) -> str:
    """Hash of `record` (JSON) and `version`."""
    return f"cp:task:{task_id}"


def lookup(uuid: str) -> str:
    """Sorted set of the ids of tasks that are known by this uuid, by creation."""
    return f"cp:uuid:{uuid}"


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


def lock(name: str) -> str:
    """The token of who works on it now."""
    return f"cp:lock:{name}"
