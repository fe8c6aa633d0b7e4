"""The step that applies a workload to the cluster."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.context import Context
from app.errors import Permanent, Temporary
from app.store import leases, redis_keys
from app.tasks import transitions
from app.tasks.step import StepContext
from k8s.api.errors import Refused, Unavailable, Unsupported
from k8s.apply import apply as cluster_apply
from k8s.inventory.capabilities import missing_storage_classes
from k8s.manifests.scope import Manifest
from k8s.manifests.templates import TemplateError
from k8s.naming import names
from k8s.policy.check import Violation
from k8s.workload import Workload


def apply(step: StepContext) -> None:
    """Bring the wanted revision onto the cluster, all of it or none.

    Raises:
        Permanent: The cluster refuses an object, in its words.
        Superseded: The task was changed meanwhile.
        Temporary: Try again later.
    """
    context, task = step.context, step.task
    workload = context.store.workload(task.id, task.revision)
    if workload is None:
        raise Permanent("what it was to run is forgotten; assign it again", category="internal")
    with leases.held(context.redis, f"space:{task.space_uuid}"):
        deploy(context, workload, step, rendered=step.rendered)
        holder = context.store.field(redis_keys.HOLDERS, task.space_uuid)
        components = {part.name: part.replicas for part in workload.components}
        step.commit(
            transitions.applied(task, now=time.time(), components=components, holder=holder)
        )


def deploy(
    context: Context,
    workload: Workload,
    step: StepContext,
    *,
    rendered: Sequence[Manifest] | None = None,
) -> None:
    """Apply a workload and prune what its task has besides; `step` is checked before every write.

    Args:
        context: What operations may use.
        workload: A version that has to run, of this task or of the one that it replaced.
        step: The step.
        rendered: Its manifests without addresses, if they were rendered a moment ago.

    Raises:
        Permanent, Superseded, Temporary: As `apply`.
    """
    with translated():
        _refuse_missing_classes(context, workload)
        manifests = cluster_apply.deploy(
            context.cluster,
            workload,
            context.capabilities,
            credentials=context.credentials,
            overrides=overrides(context),
            checkpoint=step.check,
            rendered=rendered,
        )
        step.check()
        namespace = names.namespace(workload.wallet)
        cluster_apply.prune(
            context.cluster, manifests, namespace=namespace, task_id=workload.task_id
        )


def overrides(context: Context) -> Path | None:
    """Return the operator's folder of templates, if there is one."""
    templates = context.folder / "templates"
    return templates if templates.is_dir() else None


def _refuse_missing_classes(context: Context, workload: Workload) -> None:
    wanted = {
        volume.storage_class
        for component in workload.components
        for volume in component.volumes
        if volume.kind == "claim"
    }
    if not wanted:
        return
    missing = missing_storage_classes(context.cluster, wanted)
    if missing:
        shown = ", ".join(sorted(name or "(the default class)" for name in missing))
        raise Permanent(f"this cluster has no StorageClass {shown}", category="storage_class")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the cluster's errors into ours.

    Raises:
        Permanent: The cluster, or the policy, refuses.
        Temporary: The cluster is away.
    """
    try:
        yield
    except Unavailable as error:
        raise Temporary(
            f"the cluster does not answer: {error}",
            category="cluster",
            retry_after=error.retry_after_seconds,
        ) from error
    except Refused as error:
        notes = "; ".join(getattr(error, "__notes__", ()))
        message = f"the cluster refused it: {error.message}" + (f" ({notes})" if notes else "")
        raise Permanent(message, category="refused") from error
    except Unsupported as error:
        raise Permanent(str(error), category="unsupported") from error
    except (Violation, TemplateError) as error:
        raise Permanent(f"the operator's templates: {error}", category="template") from error
