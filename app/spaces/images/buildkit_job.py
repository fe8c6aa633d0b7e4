"""`buildkit-job`: a Job on the cluster builds and pushes with rootless BuildKit."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.errors import Failure, Temporary
from app.spaces.images import context_image
from app.spaces.images.build_request import BuildRequest
from app.spaces.images.context_image import ContextImage
from app.spaces.images.job_logs import JobLogs
from k8s.api.client import Cluster
from k8s.api.errors import ClusterError, Unavailable
from k8s.jobs import build, build_jobs
from k8s.jobs.build import BuildJob
from k8s.workload import Capabilities

log = structlog.get_logger()

PROGRAM = "buildkit-job"
_HTTPS_PORT, _HTTP_PORT = 443, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBuilder:
    """Builds for one task on the cluster.

    Attributes:
        cluster: The operator's.
        task_id: The task; its build is found again by this and the files' digest.
        image: Rootless BuildKit's.
        capabilities: The cluster's own networks, and the RuntimeClass of the Job's pod.
        overrides: The operator's folder of templates, or None.
        program: The name that the operator configures.
    """

    cluster: Cluster
    task_id: str
    image: str
    capabilities: Capabilities
    overrides: Path | None = None
    program: str = PROGRAM

    def build(
        self,
        order: BuildRequest,
        *,
        check: Callable[[], None],
        tell: Callable[[str], None],
        pushing: Callable[[], None],
    ) -> str:
        """Build an image, push it, and return its digest; see `Builder`.

        A Job of this task for these files that is under way is taken up. However this ends, it is
        removed, except when the API server is away: then it goes on, and is taken up next time.
        """
        job = build.name(self.task_id, order.context.digest)
        away = False
        try:
            build_jobs.remove_of(self.cluster, self.task_id, but=job)
            if build_jobs.is_under_way(self.cluster, job):
                log.info("build taken up", job=job)
            else:
                self._start(order)
            return JobLogs(self.cluster, job, order, check, tell).run(pushing)
        except Unavailable:
            away = True
            raise
        finally:
            if not away:
                self._removed(order, job)

    def _start(self, order: BuildRequest) -> None:
        sent = asyncio.run(
            context_image.send(order.registry, order.image, order.context, order.folder)
        )
        build_jobs.start(self.cluster, self._job(order, sent), overrides=self.overrides)

    def _job(self, order: BuildRequest, sent: ContextImage) -> BuildJob:
        registry = order.registry
        return BuildJob(
            task_id=self.task_id,
            digest=order.context.digest,
            builder=self.image,
            context_image=sent.image,
            context_bytes=sent.bytes,
            dockerfile=order.context.dockerfile,
            image=order.image,
            registry=registry.host,
            plain_http=registry.plain_http,
            addresses=tuple(_addresses(registry.host, plain_http=registry.plain_http)),
            docker_config=registry.docker_config(),
            network=order.network,
            limits=order.limits,
            capabilities=self.capabilities,
        )

    def _removed(self, order: BuildRequest, job: str) -> None:
        """Remove the Job and the files; what cannot be removed now goes with time."""
        with suppress(ClusterError):
            build_jobs.remove(self.cluster, job)
        try:
            asyncio.run(_forget(order))
        except Failure as error:
            log.info("files of a build stay in the registry", job=job, reason=error.message)


async def _forget(order: BuildRequest) -> None:
    image = context_image.name(order.image)
    digest = await order.registry.digest(image)
    if digest:
        await order.registry.delete(image, digest)


def _addresses(host: str, *, plain_http: bool) -> Iterator[tuple[str, int]]:
    """Yield the registry's addresses, each with its port, for the Job's NetworkPolicy."""
    name, _, port = host.partition(":")
    number = int(port or (_HTTP_PORT if plain_http else _HTTPS_PORT))
    try:
        entries = socket.getaddrinfo(name, number, type=socket.SOCK_STREAM)
    except OSError as error:
        message = f"the registry's name {name} cannot be resolved"
        raise Temporary(message, category="registry") from error
    for address in sorted({str(entry[4][0]) for entry in entries}):
        yield address, number
