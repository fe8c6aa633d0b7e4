"""Installation manifests, checked against the rest of the project; `tests/cluster` runs them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from app import cli
from tests.support import documents
from tests.support.documents import ROOT

INSTALL = ROOT / "k8s" / "install"
ACCOUNT = "The account on the cluster"
Rule = tuple[str, str, str]


def objects() -> Iterator[dict[str, Any]]:
    """Yield every object of the base."""
    for path in sorted((INSTALL / "base").glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from yaml.safe_load_all(path.read_text("utf-8"))


def rules(role: dict[str, Any]) -> set[Rule]:
    """Return what a role allows, one by one."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def pins(path: Path) -> set[tuple[str, str]]:
    """Return the packages of a lock file, and the lines of their hashes."""
    matches = re.findall(r"^([\w.-]+==[^ \\]+)|--hash=(sha256:\w+)", path.read_text(), re.MULTILINE)
    package, pairs = "", set()
    for name, digest in matches:
        package = name or package
        pairs.add((package, digest))
    return pairs


def test_the_accounts_together_may_what_one_needs() -> None:
    """Worker and watcher share what docs/install.md asks for an account of a provider outside."""
    roles = [document for document in objects() if document["kind"] == "ClusterRole"]
    outside = map(yaml.safe_load, documents.blocks(documents.INSTALL, "yaml", below=ACCOUNT))
    assert set[Rule]().union(*map(rules, roles)) == set[Rule]().union(*map(rules, outside))


def test_nothing_of_ours_looks_like_a_tenants() -> None:
    """The label by which workers may write and watchers look is on nothing of the provider."""
    for document in objects():
        assert "app.kubernetes.io/managed-by" not in document["metadata"]["labels"]
        assert document["metadata"]["labels"]["app.kubernetes.io/component"]


def test_each_process_is_one_of_the_command_line() -> None:
    """Deployments run commands that there are, with options that there are."""
    for document in objects():
        if document["kind"] != "Deployment":
            continue
        name, *options = document["spec"]["template"]["spec"]["containers"][0]["args"]
        assert name == document["metadata"]["name"]
        command = cli.main.get_command(None, name)  # type: ignore[arg-type]  # it is not used.
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts}
        assert {option for option in options if option.startswith("--")} <= known


def test_the_image_is_made_of_what_is_tested() -> None:
    """The packages in the image are a part of the lock file, hash by hash."""
    whole = pins(ROOT / "requirements.lock")
    for name in ("runtime.lock", "build.lock"):
        part = pins(INSTALL / name)
        assert part
        assert part <= whole, part - whole


def test_the_image_has_everything_that_runs() -> None:
    """Each dependency of the project is in the image's part of the lock file."""
    project = (ROOT / "pyproject.toml").read_text()
    listed = project.partition("\ndependencies = [")[2].partition("]")[0]
    required = set(re.findall(r'"([\w-]+)', listed))
    assert required <= {name.partition("==")[0] for name, _ in pins(INSTALL / "runtime.lock")}
