"""The demonstration from its first line to its last, and its exit code."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from app.demo import (
    callbacks,
    failure_log,
    hints,
    scenario,
)
from app.demo.output import Screen
from app.demo.polling import EXPECTED, Interrupted, Patience
from app.demo.setup import Children, Setting, Stage
from app.demo.visit import visit
from app.processes import log_setup

_LOG = "demo.log"
_SIGNALLED = 128
_PREFIX = "computing-provider-demo-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The operator's choices.

    Attributes:
        keep: Leave it running, until a signal comes.
        kubeconfig: Of a real cluster; None: a simulated one.
        ingress: `host` or `host:port` of the real cluster's ingress controller; empty: look for it.
    """

    keep: bool = False
    kubeconfig: Path | None = None
    ingress: str = ""


def play(choice: Choice, children: Children, outer: Mapping[str, str] = os.environ) -> int:
    """Play, and leave nothing behind but the folder of a play that failed.

    Args:
        choice: The operator's choices.
        children: The processes of a provider.
        outer: The operator's environment.

    Returns:
        0; 1 when a step failed; 128 and the signal's number when a signal ended it.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with _output_aside(folder / _LOG) as file:
        screen = Screen(file)
        patience = Patience(show=screen.waiting)
        patience.listen()
        setting = Setting(folder, outer, screen, patience, choice.kubeconfig, children)
        code = _outcome(setting, choice)
        if code != 1:
            shutil.rmtree(folder, ignore_errors=True)
        patience.ignore()
    return code


def _outcome(setting: Setting, choice: Choice) -> int:
    screen = setting.screen
    log_setup.start("demo")
    try:
        summary = _acts(setting, choice)
    except Interrupted as interrupted:
        screen.failure(f"stopped by {interrupted}; nothing is left")
        return _SIGNALLED + interrupted.number
    except EXPECTED as error:
        screen.failure(str(error))
        _show_log(screen, setting.folder / _LOG)
        return 1
    screen.success(summary)
    return 0


def _acts(setting: Setting, choice: Choice) -> str:
    screen = setting.screen
    where = "a real cluster" if choice.kubeconfig else "a simulated cluster"
    screen.title(
        f"One job from its webhook to its end, on {where}",
        f"The log of the processes is {setting.folder / _LOG}",
    )
    screen.heading("A provider starts")
    with setting.stage() as stage, ExitStack() as stack:
        assigned = scenario.assign(stage)
        stack.callback(assigned.pods.stop)
        scenario.come_up(assigned)
        address = visit(assigned, choice.ingress) if choice.kubeconfig else ""
        scenario.renew(assigned)
        if choice.keep:
            hints.show(assigned, address)
            stage.patience.forever()
        scenario.terminate(assigned)
        scenario.leave_nothing(assigned)
        count = callbacks.check(assigned)
        screen.heading("The provider stops")
    return _summary(stage, count)


def _summary(stage: Stage, callbacks: int) -> str:
    page = "" if stage.simulated else "its page read, "
    return (
        f"One job assigned, run, {page}renewed and ended in {stage.screen.seconds:.1f} s; "
        f"{callbacks} callbacks, in order, every signature valid; nothing is left."
    )


def _show_log(screen: Screen, path: Path) -> None:
    screen.plain(f"  The log of the processes is {path}")
    for line in failure_log.gravest(path):
        screen.quote(line)


@contextmanager
def _output_aside(path: Path) -> Iterator[TextIO]:
    """Yield the standard output for us alone; all other output goes to this file.

    That is the output of the processes to come, which inherit it, and this one's log.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    aside = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(aside, number)
    os.close(aside)
    file = os.fdopen(os.dup(kept[0]), "w", encoding=sys.stdout.encoding, errors="replace")
    try:
        yield file
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in zip((1, 2), kept, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        with suppress(OSError):
            file.close()
