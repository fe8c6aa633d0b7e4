"""The registry's credentials in tenants' namespaces: up to date while needed, gone afterwards."""

from collections.abc import Iterator

import structlog

from app.context import Context
from app.store import leases
from app.store.records import Task
from app.tasks.steps.apply import translated
from k8s.apply import conditional_removal, pull_secrets
from k8s.manifests.pull_secrets import is_needed

log = structlog.get_logger()


def refresh(context: Context, _: str = "") -> int:
    """Bring the credentials of all tenants with images of ours up to date; return how many.

    No pod is started anew for it: what is pulled from then on is pulled with the new ones.

    Raises:
        Permanent: The cluster refuses.
        Temporary: Redis or the cluster is away, or somebody else is at it.
    """
    credentials = context.credentials
    if credentials is None:
        return 0
    changed = 0
    with leases.held(context.redis, "credentials") as lock, translated():
        for wallet in sorted(set(_served(context))):
            lock.check()
            changed += pull_secrets.refresh(context.cluster, wallet, credentials)
    if changed:
        log.info("registry credentials renewed", namespaces=changed)
    return changed


def _served(context: Context) -> Iterator[str]:
    """Yield the wallets of tasks with a version that runs an image of ours, or may again."""
    capabilities = context.capabilities
    for task in context.store.active():
        revisions = {task.revision, task.running_revision, *_fallback(task)} - {0, None}
        workloads = (context.store.workload(task.id, revision) for revision in revisions)
        if task.wallet and any(run and is_needed(run, capabilities) for run in workloads):
            yield task.wallet


def _fallback(task: Task) -> set[int]:
    own = task.fallback and task.fallback.task_id == task.id
    return {task.fallback.revision} if task.fallback and own else set()


def withdraw(context: Context, task: Task) -> None:
    """Remove the credentials from the namespace of a tenant who has no other task.

    Who deploys there meanwhile applies them after its record says so, and before that they are
    looked at: what was applied since is left alone.

    Raises:
        Permanent: The cluster refuses.
        Temporary: Redis or the cluster is away.
    """
    if context.credentials is None:
        return
    with translated():
        secret = pull_secrets.find(context.cluster, task.wallet)
        if secret is None:
            return
        others = (other for other in context.store.active() if other.id != task.id)
        if any(other.wallet == task.wallet for other in others):
            return
        conditional_removal.remove(context.cluster, secret)
