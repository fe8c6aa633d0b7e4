"""Everything that takes part: set up before the first act, and gone after the last."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app import log, signing
from app.config import load
from app.context import SIMULATED_KUBECONFIG, Context
from app.demo import cluster, configuration, ingress, page, processes
from app.demo.memory import memory
from app.demo.patience import Patience
from app.demo.screen import Screen
from app.errors import Temporary
from app.standin import Callback, Lagrange
from app.supervisor import Child, Supervisor
from k8s import client
from k8s.client import Cluster

_READY_SECONDS = 60
_CALL_SECONDS = 30
_STOP_SECONDS = 5
_POLL_SECONDS = 0.1

Children = Callable[[Context], list[Child]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Who plays, and where.

    Attributes:
        screen: What people see.
        patience: How to wait.
        lagrange: The stand-in for Lagrange.
        context: The provider's.
        cluster: The provider's.
    """

    screen: Screen
    patience: Patience
    lagrange: Lagrange
    context: Context
    cluster: Cluster

    @property
    def provider_url(self) -> str:
        """Where the provider listens."""
        return f"http://127.0.0.1:{self.context.config.api.port}"

    @property
    def simulated(self) -> bool:
        """Whether the cluster only pretends to run pods."""
        return self.context.config.cluster.simulated


@contextmanager
def setting(
    folder: Path,
    outer: Mapping[str, str],
    screen: Screen,
    patience: Patience,
    *,
    kubeconfig: Path | None,
    children: Children,
) -> Iterator[Stage]:
    """Set up, yield the stage, and end every process however the play ends.

    Raises:
        ClusterError: The cluster does not answer, or refuses.
        ConfigError: There is no Redis, or it does not start.
        Failed: Something does not come up.
        Interrupted: A signal came.
    """
    environment = configuration.environment(folder, outer, simulated=kubeconfig is None)
    with ExitStack() as stack:
        lagrange = stack.enter_context(Lagrange(on_callback=lambda one: _tell(screen, one)))
        screen.line("lagrange", f"a stand-in serves {lagrange.url}")
        chosen = _ingress_class(kubeconfig, environment, screen, patience)
        remembered = stack.enter_context(memory(folder / "redis", environment))
        screen.line("redis", remembered.description)
        configuration.write(
            folder,
            lagrange=lagrange,
            memory=remembered,
            kubeconfig=kubeconfig,
            ingress_class=chosen,
        )
        context = Context(folder, load(folder, environment))
        _introduce(lagrange, context)
        supervisor = Supervisor(children(context), environment)
        stack.callback(processes.stop, supervisor, seconds=_STOP_SECONDS)
        patience.meanwhile = supervisor.tick
        yield _come_up(supervisor, context, lagrange, screen, patience)


def _tell(screen: Screen, one: Callback) -> None:
    text = f"{one.sequence or '?':>2}  {one.status}" + (f": {one.reason}" if one.reason else "")
    screen.line("callback", text, f"signature {one.signature}" + ", again" * one.repeated)


def _ingress_class(
    kubeconfig: Path | None, environment: Mapping[str, str], screen: Screen, patience: Patience
) -> str:
    """Look at the real cluster, before anything else is started."""
    if kubeconfig is None:
        return ""
    found = client.connect(str(kubeconfig))
    told = patience.call("the cluster", lambda: cluster.version(found), seconds=_CALL_SECONDS)
    screen.line("cluster", told, str(kubeconfig))
    if environment.get("CP_CLUSTER_GATEWAY"):
        return ""
    configured = environment.get("CP_CLUSTER_INGRESSCLASS", "")
    return patience.call(
        "its ingress classes",
        lambda: ingress.class_name(found, configured),
        seconds=_CALL_SECONDS,
    )


def _introduce(lagrange: Lagrange, context: Context) -> None:
    identity = context.identity
    lagrange.know(
        account=configuration.ACCOUNT,
        node_id=identity.node_id,
        provider_key=signing.public_text(identity.signing_key.public_key()),
    )


def _come_up(
    supervisor: Supervisor, context: Context, lagrange: Lagrange, screen: Screen, patience: Patience
) -> Stage:
    if context.config.cluster.simulated:
        where = context.folder / SIMULATED_KUBECONFIG
        patience.until("the simulated cluster starts", where.exists, seconds=_READY_SECONDS)
        told = patience.call(
            "the cluster", lambda: cluster.version(context.cluster), seconds=_CALL_SECONDS
        )
        screen.line("cluster", f"{told}, simulated: its pods only pretend to run")
    stage = Stage(
        screen=screen, patience=patience, lagrange=lagrange, context=context, cluster=context.cluster
    )
    patience.until(
        "the provider starts", lambda: _is_ready(stage), seconds=_READY_SECONDS, every=_POLL_SECONDS
    )
    names = ", ".join(child.name for child in supervisor.children)
    screen.line("provider", f"answers at {stage.provider_url}", names)
    return stage


def _is_ready(stage: Stage) -> bool:
    with suppress(Temporary):
        return page.get(f"{stage.provider_url}/readyz").status == 200  # noqa: PLR2004 - HTTP
    return False
