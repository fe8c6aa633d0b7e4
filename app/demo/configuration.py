"""The provider's folder as the demonstration fills it, and the environment of its processes."""

import json
import os
import socket
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from app.demo.fake_lagrange import Lagrange
from app.demo.redis_choice import Database
from k8s.manifests.deployments import PRE_STOP_SECONDS

DOMAIN = "demo.example.com"
ACCOUNT = "0x00000000000000000000000000000000000000de"

_DEPLOYMENT = "deployment.yaml"
_GRACE_SECONDS = PRE_STOP_SECONDS + 2
_REDIS = {"CP_API_REDISURL", "CP_API_REDISPASSWORD"}
_CLUSTER = "CP_CLUSTER_"
_KUBECONFIG = "CP_CLUSTER_KUBECONFIG"


def environment(folder: Path, outer: Mapping[str, str], *, simulated: bool) -> dict[str, str]:
    """Return the environment of the provider's processes.

    Of the operator's settings, only those of Redis and of a real cluster count; the others are
    another provider's.
    """
    kept = set(_REDIS)
    if not simulated:
        kept |= {name for name in outer if name.startswith(_CLUSTER)} - {_KUBECONFIG}
    inherited = {
        name: value for name, value in outer.items() if not name.startswith("CP_") or name in kept
    }
    return inherited | {"CP_PATH": str(folder)}


def write(
    folder: Path, *, lagrange: Lagrange, redis: Database, kubeconfig: Path, ingress_class: str
) -> None:
    """Write config.toml: a provider that listens to this Lagrange alone."""
    port = _free_port()
    tables: dict[str, dict[str, Any]] = {
        "API": {
            "Port": port,
            "MultiAddress": f"/ip4/127.0.0.1/tcp/{port}",
            "Domain": DOMAIN,
            "RedisUrl": redis.url,
            "RedisPassword": redis.password,
        },
        "LAG": {"ServerUrl": lagrange.url, "AccessToken": lagrange.access_token},
        "WEBHOOK": {"Secrets": [lagrange.secret], "PublicKeys": [lagrange.public_key]},
        "HUB": {"OrchestratorPk": lagrange.address, "AccountAddress": ACCOUNT},
        "CLUSTER": {"Kubeconfig": str(kubeconfig.absolute()), "IngressClass": ingress_class},
        "SOURCE": {"AllowPrivateAddresses": True},
        "TASK": {"Workers": 1},
    }
    path = folder / "config.toml"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(_table(name, content) for name, content in tables.items()))


def write_templates(folder: Path) -> None:
    """Have pods end within seconds: nothing that runs in them is worth a grace period."""
    template = yaml.safe_load((resources.files("k8s") / "templates" / _DEPLOYMENT).read_text())
    template["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = _GRACE_SECONDS
    (folder / "templates").mkdir()
    (folder / "templates" / _DEPLOYMENT).write_text(yaml.safe_dump(template))


def _table(name: str, content: Mapping[str, Any]) -> str:
    # JSON's strings, numbers, booleans and lists of them are TOML's.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in content.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
