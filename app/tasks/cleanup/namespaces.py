"""What is left behind: tenants' namespaces with nothing in them, proofs and builds."""

import structlog

from app.context import Context
from app.spaces import images
from app.store import leases
from app.tasks.steps.apply import namespace as namespace_of
from app.tasks.steps.apply import translated
from k8s import jobs
from k8s.apply import namespaces
from k8s.jobs import proof

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
            jobs.remove_old(context.cluster, seconds=context.config.build.timeout_seconds)


def _is_left(context: Context, namespace: str) -> bool:
    """Whether neither our record nor the cluster has anything in it."""
    if any(one.wallet and namespace_of(one) == namespace for one in context.store.active()):
        return False
    return namespaces.is_vacant(context.cluster, namespace)


def _remove(context: Context, namespace: str) -> None:
    """Mark, look again, remove what is still as it was marked."""
    marked = namespaces.mark(context.cluster, namespace)
    if not _is_left(context, namespace):
        log.info("namespace taken again", namespace=namespace)
        return
    if namespaces.remove(context.cluster, marked):
        log.info("namespace removed", namespace=namespace)
    else:
        log.info("namespace changed meanwhile", namespace=namespace)
