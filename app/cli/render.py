"""The `render` command: manifests of a Space as they would be applied, without a cluster."""

import os
import sys
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from app import config as configuration
from app.cli import refuse
from app.cli.formatting import visible
from app.context import configured_capabilities
from app.errors import ConfigError, Failure, Permanent
from app.spaces import (
    dockerfile,
    images,
    ldl,
    planning,
    source,
)
from app.spaces.files import Files
from app.spaces.inference import model_setting
from app.spaces.ldl import hardware as order
from app.spaces.source import Kind, Space, SpaceFile
from app.tasks.steps import plan as plan_step
from k8s import render as rendering
from k8s.manifests import templates
from k8s.policy import check
from k8s.workload import Capabilities, Resources

_NOBODY = "0x" + "0" * 40
_ANY_CLASS = {"*": ""}
_MAX_FILES = 2000


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--wallet", default=_NOBODY, show_default=True, help="The tenant's wallet address.")
@click.option(
    "--hardware",
    help='The ordered hardware, such as "CPU only · 2 vCPU · 16 GiB".  [default: no bound]',
)
@click.option("--host", help="The host name.  [default: a label under the provider's domain]")
def render(path: Path, wallet: str, hardware: str | None, host: str | None) -> None:
    """Print the manifests for a Space's folder, or for one LDL or SDL file.

    Exits with status 2 and one line per problem if the Space is refused. Without a config.toml, it
    renders for a provider that offers everything.
    """
    import yaml  # noqa: PLC0415 - only here.

    try:
        capabilities = _capabilities()
        names = _names(path, wallet, host or f"preview.{capabilities.domain or 'example.com'}")
        plan = _plan(path, names, hardware=_parse_hardware(hardware), capabilities=capabilities)
        for warning in plan.warnings:
            click.echo(f"warning: {visible(str(warning))}", err=True)
        overrides = (
            configuration.resolve_folder(click.get_current_context().find_root().obj) / "templates"
        )
        manifests = rendering.workload(
            plan.workload, capabilities, overrides=overrides if overrides.is_dir() else None
        )
    except ldl.InvalidDeployment as refused:
        refuse(*map(str, refused.problems))
    except ConfigError as error:
        refuse(*error.problems)
    except (Failure, rendering.Unsupported, templates.TemplateError, check.Violation) as error:
        refuse(str(error))
    rendered = yaml.safe_dump_all(manifests, sort_keys=False, allow_unicode=True)
    if sys.stdout.isatty():
        rendered = "\n".join(map(visible, rendered.split("\n")))
    click.echo(rendered, nl=False)


def _plan(
    path: Path,
    names: planning.WorkloadNames,
    *,
    hardware: Resources | None,
    capabilities: Capabilities,
) -> planning.Plan:
    files, kind = _read(path)
    config = configuration.load(
        configuration.resolve_folder(click.get_current_context().find_root().obj)
    )
    if kind.name == "image":
        image = _image(path, list(files), kind.path, names.space_uuid)
        file = dockerfile.read(files.read(kind.path, max_bytes=dockerfile.MAX_BYTES))
        return planning.plan_image(names, image, file, hardware=hardware)
    if kind.name == "model":
        setting = files.read(kind.path, max_bytes=model_setting.MAX_BYTES)
        model_id = model_setting.read(setting)
        return plan_step.of_model(config, model_id, names=names, hardware=hardware)
    return planning.plan(
        names,
        files,
        kind.path,
        hardware=hardware,
        capabilities=capabilities,
        registries=images.allowed_registries(config),
    )


def _image(path: Path, files: Sequence[str], dockerfile_path: str, space_uuid: str) -> str:
    """Return the image's name by tag; a deployment names it by the digest from the push."""
    folder = configuration.resolve_folder(click.get_current_context().find_root().obj)
    config = configuration.load(folder)
    registry = images.configured(config.registry) or images.Registry(host="registry.example.com")
    max_bytes = config.build.max_context_bytes
    context = images.describe(path, files, dockerfile_path, max_bytes=max_bytes)
    return images.name(registry, space_uuid, context.digest)


def _capabilities() -> Capabilities:
    folder = configuration.resolve_folder(click.get_current_context().find_root().obj)
    offered = configured_capabilities(configuration.load(folder))
    if (folder / "config.toml").exists():
        return offered
    click.echo(
        f"no {folder / 'config.toml'}: rendering for a provider that offers everything", err=True
    )
    return replace(
        offered,
        node_ports=offered.node_ports or "CP_CLUSTER_NODEPORTS" not in os.environ,
        load_balancers=offered.load_balancers or "CP_CLUSTER_LOADBALANCERS" not in os.environ,
        storage_classes=offered.storage_classes or _ANY_CLASS,
    )


def _parse_hardware(description: str | None) -> Resources | None:
    return order.parse(description) if description is not None else None


def _names(path: Path, wallet: str, host: str) -> planning.WorkloadNames:
    name = path.resolve().name if path.is_dir() else path.stem
    space_uuid = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    return planning.WorkloadNames(
        task_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"job/{name}")),
        space_uuid=space_uuid,
        space_name=name,
        wallet=wallet.lower(),
        host=host,
    )


def _read(path: Path) -> tuple[Files, Kind]:
    """Return the files, and the kind of Space that they make.

    Raises:
        Permanent: There is no deployment file, or there are too many files.
    """
    path = path.resolve()
    if path.is_file():
        return Files(path.parent, [path.name]), Kind("ldl", path.name)
    paths = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.is_symlink()]
    if len(paths) > _MAX_FILES:
        raise Permanent(f"{path} has more than {_MAX_FILES} files", category="source_too_large")
    files = Files(path, [file.relative_to(path).as_posix() for file in paths])
    space = Space("", path.name, "", "", None, None, tuple(SpaceFile(name, "") for name in files))
    kind = source.kind(space)
    return files, kind
