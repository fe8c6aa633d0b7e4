"""The environment variables of a service's `env` section."""

from app.spaces.ldl.diagnostics import quote
from app.spaces.ldl.fields import Node, entries, items

MAX_VARIABLES = 1000

_OWN_URL = "NEXTAUTH_URL"


def read(node: Node, *, host: str) -> tuple[tuple[str, str], ...]:
    """Names and values of `env` (`NAME=value`, `NAME`), the last one of each name.

    A variable whose name contains `NEXTAUTH_URL` gets the URL of `host`.
    """
    variables: dict[str, str] = {}
    assignments = _assignments(node)
    if len(assignments) > MAX_VARIABLES:
        node.refuse(f"must have at most {MAX_VARIABLES} variables")
        return ()
    for item, assignment in assignments:
        name, _, value = assignment.partition("=")
        name = name.strip()
        if not _is_name(name):
            item.refuse(f"must be NAME=value with a printable ASCII name, not {quote(assignment)}")
            continue
        if name in variables:
            item.warn(f"sets {quote(name)} again; this value is used")
            del variables[name]
        variables[name] = f"https://{host}" if _OWN_URL in name else literal(value)
    return tuple(variables.items())


def literal(text: str) -> str:
    """`text` escaped so that Kubernetes, which expands `$(NAME)`, passes it on unchanged."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def _assignments(node: Node) -> list[tuple[Node, str]]:
    if isinstance(node.value, dict):
        node.warn("should be a list of NAME=value; the mapping is read as such a list")
        return _pairs(node)
    assignments: list[tuple[Node, str]] = []
    for item in items(node):
        if isinstance(item.value, dict):
            item.warn("should be NAME=value; `NAME: value` is read as such")
            assignments.extend(_pairs(item))
        elif isinstance(item.value, str) and item.value.strip():
            assignments.append((item, item.value))
        elif item.value is None or isinstance(item.value, str):
            item.warn("is empty")
        else:
            item.refuse("must be NAME=value")
    return assignments


def _pairs(node: Node) -> list[tuple[Node, str]]:
    pairs: list[tuple[Node, str]] = []
    for key, entry in entries(node):
        value = entry.value
        if not (value is None or isinstance(value, str)):
            entry.refuse("must be a string")
        elif "=" in key:
            pairs.append((node, f"{key}: {value or ''}"))
        else:
            pairs.append((node, f"{key}={value or ''}"))
    return pairs


def _is_name(name: str) -> bool:
    return name != "" and name.isascii() and name.isprintable()
