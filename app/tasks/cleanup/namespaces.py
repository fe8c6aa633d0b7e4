"""Garbage collection of tenants' vacant namespaces, and of proofs and builds left behind."""

import structlog

from app.context import Context
from app.spaces import images
from app.store import leases
from app.tasks.steps.apply import translated
from k8s.apply import conditional_removal, namespaces
from k8s.jobs import build_jobs, proof
from k8s.naming import names

log = structlog.get_logger()


def clean(context: Context, _: str) -> None:
    """Remove namespaces of tenants who have neither a task nor anything on the cluster.

    Raises:
        Permanent: The cluster refuses.
        Temporary: Redis or the cluster is away, or somebody else is at it.
    """
    with leases.held(context.redis, "cleaning") as lock, translated():
        for namespace in namespaces.candidates(context.cluster):
            lock.check()
            if _is_left(context, namespace):
                _remove(context, namespace)
        proof.remove_old(context.cluster)
        if context.config.build.builder == images.JOB:
            build_jobs.remove_old(context.cluster, seconds=context.config.build.timeout_seconds)


def _is_left(context: Context, namespace: str) -> bool:
    """Return True if neither Redis nor the cluster has anything of a tenant in it."""
    active = context.store.active()
    if any(names.namespace(task.wallet) == namespace for task in active if task.wallet):
        return False
    return namespaces.is_vacant(context.cluster, namespace)


def _remove(context: Context, namespace: str) -> None:
    """Mark, look again, remove what is still as it was marked."""
    marked = namespaces.mark(context.cluster, namespace)
    if not _is_left(context, namespace):
        log.info("namespace taken again", namespace=namespace)
        return
    if conditional_removal.remove(context.cluster, marked):
        log.info("namespace removed", namespace=namespace)
    else:
        log.info("namespace changed meanwhile", namespace=namespace)
