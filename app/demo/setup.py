"""Everything that takes part: set up before the first step, removed after the last."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.config import load
from app.context import Context
from app.demo import (
    configuration,
    http_get,
    ingress,
    shutdown,
    task_objects,
)
from app.demo.cluster import command, initial_objects
from app.demo.fake_lagrange import Lagrange, ReceivedCallback
from app.demo.output import Screen
from app.demo.polling import (
    EXPECTED,
    Failed,
    Interrupted,
    Patience,
)
from app.demo.redis_choice import Database, database
from app.errors import Temporary
from app.net import signatures
from app.processes.supervisor import Child, Supervisor
from k8s.api import client
from k8s.api.client import Cluster
from k8s.api.errors import ClusterError
from k8s.naming import names

_READY_SECONDS = 60
_CALL_SECONDS = 30
_STOP_SECONDS = 5
_REMOVAL_SECONDS = 120
_POLL_SECONDS = 0.1
_WALLET_BYTES = 20
_OK = 200
_SIMULATED_KUBECONFIG = "simulated.kubeconfig"

Children = Callable[[Context], list[Child]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that takes part in the demonstration.

    Attributes:
        screen: The output.
        patience: Waits.
        lagrange: The stand-in for Lagrange.
        context: The provider's.
        cluster: The provider's.
        wallet: The owner of the Space: a tenant of this demonstration alone.
        simulated: Whether the cluster only pretends to run pods.
    """

    screen: Screen
    patience: Patience
    lagrange: Lagrange
    context: Context
    cluster: Cluster
    wallet: str
    simulated: bool

    @property
    def namespace(self) -> str:
        """The tenant's."""
        return names.namespace(self.wallet)

    @property
    def provider_url(self) -> str:
        """Return the URL of the provider."""
        return f"http://127.0.0.1:{self.context.config.api.port}"


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting of a demonstration, which sets up its stage.

    Attributes:
        folder: The provider's; empty.
        outer: The operator's environment.
        screen: The output.
        patience: Waits.
        kubeconfig: Of a real cluster; None simulates one.
        children: The processes of a provider.
    """

    folder: Path
    outer: Mapping[str, str]
    screen: Screen
    patience: Patience
    kubeconfig: Path | None
    children: Children

    @contextmanager
    def stage(self) -> Iterator[Stage]:
        """Set up, yield the stage, and leave nothing behind however the demonstration ends.

        Raises:
            ClusterError: The cluster does not answer, or refuses.
            ConfigError: There is no Redis, or it does not start.
            Failed: Something does not come up, or cannot be removed.
            Interrupted: A signal came.
        """
        environment = configuration.environment(
            self.folder, self.outer, simulated=self.kubeconfig is None
        )
        with ExitStack() as stack, self._announced():
            lagrange = stack.enter_context(Lagrange(on_callback=self._tell))
            self.screen.line("lagrange", f"a stand-in serves {lagrange.url}")
            ingress_class = self._look_at_cluster(environment)
            redis = stack.enter_context(database(self.folder / "redis", environment))
            self.screen.line("redis", redis.description)
            wallet = f"0x{secrets.token_hex(_WALLET_BYTES)}"
            if self.kubeconfig:
                cluster = client.connect(str(self.kubeconfig))
                stack.callback(self._remove_tenant, cluster, names.namespace(wallet))
            supervisor = self._supervisor(stack, environment)
            kubeconfig = self.kubeconfig or self._simulated(supervisor)
            context = self._configured(environment, lagrange, redis, kubeconfig, ingress_class)
            self._start(supervisor, context)
            self._await(context)
            yield Stage(
                screen=self.screen,
                patience=self.patience,
                lagrange=lagrange,
                context=context,
                cluster=context.cluster,
                wallet=wallet,
                simulated=self.kubeconfig is None,
            )

    def _configured(
        self,
        environment: Mapping[str, str],
        lagrange: Lagrange,
        redis: Database,
        kubeconfig: Path,
        ingress_class: str,
    ) -> Context:
        """Fill the provider's folder, and make its identity known to Lagrange."""
        configuration.write(
            self.folder,
            lagrange=lagrange,
            redis=redis,
            kubeconfig=kubeconfig,
            ingress_class=ingress_class,
        )
        configuration.write_templates(self.folder)
        context = Context(self.folder, load(self.folder, environment))
        identity = context.identity
        lagrange.know(
            account=configuration.ACCOUNT,
            node_id=identity.node_id,
            provider_key=signatures.public_text(identity.signing_key.public_key()),
        )
        return context

    @contextmanager
    def _announced(self) -> Iterator[None]:
        """Print at once why the demonstration ends early; removing everything takes a while."""
        try:
            yield
        except EXPECTED as error:
            self.screen.line("trouble", str(error))
            self.screen.heading("Everything is removed")
            raise
        except Interrupted as interrupted:
            self.screen.heading(f"Everything is removed, by {interrupted}")
            raise

    def _tell(self, callback: ReceivedCallback) -> None:
        words = callback.reason.removeprefix(f"{callback.status}: ")
        reason = f": {words}" if words else ""
        repeated = ", sent again" if callback.repeated else ""
        text = f"{callback.sequence or '?'}  {callback.status}{reason}"
        self.screen.line("callback", text, f"signature {callback.signature}{repeated}")

    def _look_at_cluster(self, environment: Mapping[str, str]) -> str:
        """Return the cluster's ingress class; a real one is asked before anything is started."""
        if self.kubeconfig is None:
            return initial_objects.INGRESS_CLASS
        cluster = client.connect(str(self.kubeconfig))
        version = self._call("the cluster answers", lambda: task_objects.version(cluster))
        self.screen.line("cluster", version, str(self.kubeconfig))
        configured = environment.get("CP_CLUSTER_INGRESSCLASS", "")
        if environment.get("CP_CLUSTER_GATEWAY"):
            return configured
        return self._call("its ingress", lambda: ingress.class_name(cluster, configured))

    def _supervisor(self, stack: ExitStack, environment: Mapping[str, str]) -> Supervisor:
        """Return a supervisor without processes, which looks after them during every wait."""
        supervisor = Supervisor([], environment)
        stack.callback(self._stop, supervisor)
        self.patience.meanwhile = supervisor.tick
        return supervisor

    def _simulated(self, supervisor: Supervisor) -> Path:
        """Start the simulated cluster; return its kubeconfig once it serves."""
        kubeconfig = self.folder / _SIMULATED_KUBECONFIG
        supervisor.children = [Child("simulator", command(kubeconfig))]
        self.patience.until(
            lambda: "the simulated cluster", kubeconfig.exists, seconds=_READY_SECONDS
        )
        return kubeconfig

    def _start(self, supervisor: Supervisor, context: Context) -> None:
        supervisor.children = [*self.children(context), *supervisor.children]
        supervisor.tick()
        running = ", ".join(child.name for child in supervisor.children)
        self.screen.line("provider", f"starts its processes: {running}")

    def _stop(self, supervisor: Supervisor) -> None:
        if count := shutdown.stop(supervisor, seconds=_STOP_SECONDS):
            self.screen.line("provider", f"its {count} processes have ended")

    def _await(self, context: Context) -> None:
        """Return once the provider answers."""
        if self.kubeconfig is None:
            version = self._call(
                "the cluster answers", lambda: task_objects.version(context.cluster)
            )
            self.screen.line("cluster", f"{version}, simulated: its pods only pretend to run")
        url = f"http://127.0.0.1:{context.config.api.port}"
        self.patience.until(
            lambda: "the provider answers",
            lambda: _is_ready(url),
            seconds=_READY_SECONDS,
            every=_POLL_SECONDS,
        )
        self.screen.line("provider", f"answers at {url}", f"node {context.identity.node_id[:12]}…")

    def _call(self, what: str, function: Callable[[], str]) -> str:
        return self.patience.call(lambda: what, function, seconds=_CALL_SECONDS)

    def _remove_tenant(self, cluster: Cluster, namespace: str) -> None:
        try:
            if task_objects.remove_tenant(
                cluster, namespace, seconds=_REMOVAL_SECONDS, waiting=self.screen.waiting
            ):
                self.screen.line("cluster", "the tenant's namespace is gone")
        except (ClusterError, Failed) as error:
            raise Failed(
                f"something may be left on the cluster: {error}; "
                f"`kubectl delete namespace {namespace}` removes it"
            ) from error


def _is_ready(url: str) -> bool:
    with suppress(Temporary):
        return http_get.get(f"{url}/readyz").status == _OK
    return False
