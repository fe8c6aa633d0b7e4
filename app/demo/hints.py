"""Commands to try while the demonstration is kept running."""

import shlex
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from app.demo.assigned import Assigned

_COMMAND = "computing-provider"


def show(assigned: Assigned, ingress_address: str) -> None:
    """Print the commands."""
    screen = assigned.stage.screen
    screen.heading("It keeps running; look around from another terminal")
    for line in _commands(assigned, ingress_address):
        screen.plain(f"  {line}")
    screen.plain()
    screen.plain("Ctrl-C ends the job and removes everything.")


def _commands(assigned: Assigned, ingress_address: str) -> list[str]:
    stage = assigned.stage
    folder = stage.context.folder
    command = _command()
    lines = [
        f"export CP_PATH={shlex.quote(str(folder))}",
        f"{command} task list",
        f"{command} task get {assigned.job.uuid}",
        f"{command} info",
        f"curl {stage.provider_url}/metrics",
        f"tail -f {shlex.quote(str(folder / 'demo.log'))}",
    ]
    if not stage.simulated:
        kubeconfig = stage.context.config.cluster.kubeconfig
        lines.append(f"kubectl --kubeconfig {shlex.quote(kubeconfig)} -n {stage.namespace} get all")
    if ingress_address:
        host = urlsplit(assigned.accepted.url).hostname
        lines.append(f"curl -H 'Host: {host}' http://{ingress_address}/")
    return lines


def _command() -> str:
    if shutil.which(_COMMAND):
        return _COMMAND
    return shlex.quote(str(Path(sys.argv[0]).absolute()))
