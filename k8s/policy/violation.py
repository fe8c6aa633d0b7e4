"""How a broken rule is told."""

from collections.abc import Mapping
from typing import Any


class Violation(Exception):
    """A rendered object breaks a rule.

    Attributes:
        object: `Kind/name`.
        rule: What it would have to be.
    """

    def __init__(self, object_: str, rule: str) -> None:
        super().__init__(f"{object_}: {rule}")
        self.object = object_
        self.rule = rule


def require(holds: bool, manifest: Mapping[str, Any], rule: str) -> None:  # noqa: FBT001 - reads as an assertion.
    """Raise `Violation` of `manifest` unless the rule holds."""
    if not holds:
        name = manifest.get("metadata", {}).get("name", "")
        raise Violation(f"{manifest.get('kind', '')}/{name}", rule)
