"""The variables of a service's `env`."""

from app.spaces.ldl.diagnostics import shown
from app.spaces.ldl.fields import Node, entries, items

MAX_VARIABLES = 1000

_OWN_URL = "NEXTAUTH_URL"


def read(node: Node, *, host: str) -> tuple[tuple[str, str], ...]:
    """Names and values of `env` (`NAME=value`, `NAME`), the last of equal names only.

    A variable whose name contains `NEXTAUTH_URL` gets the address that `host` has.
    """
    variables: dict[str, str] = {}
    listed = _listed(node)
    if len(listed) > MAX_VARIABLES:
        node.refuse(f"must have at most {MAX_VARIABLES} variables")
        return ()
    for item, written in listed:
        name, _, value = written.partition("=")
        name = name.strip()
        if not _is_name(name):
            item.refuse(f"must read NAME=value with a printable ASCII name, not {shown(written)}")
            continue
        if name in variables:
            item.warn(f"sets {shown(name)} once more; this value counts")
            del variables[name]
        variables[name] = f"https://{host}" if _OWN_URL in name else literal(value)
    return tuple(variables.items())


def literal(text: str) -> str:
    """`text` such that Kubernetes, which replaces `$(NAME)`, hands it on as it is."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def _listed(node: Node) -> list[tuple[Node, str]]:
    if isinstance(node.value, dict):
        node.warn("should be a list of NAME=value; the mapping is read as one")
        return _pairs(node)
    listed: list[tuple[Node, str]] = []
    for item in items(node):
        if isinstance(item.value, dict):
            item.warn("should read NAME=value; `NAME: value` is read as that")
            listed.extend(_pairs(item))
        elif isinstance(item.value, str) and item.value.strip():
            listed.append((item, item.value))
        elif item.value is None or isinstance(item.value, str):
            item.warn("is empty")
        else:
            item.refuse("must read NAME=value")
    return listed


def _pairs(node: Node) -> list[tuple[Node, str]]:
    pairs: list[tuple[Node, str]] = []
    for key, entry in entries(node):
        value = entry.value
        if not (value is None or isinstance(value, str)):
            entry.refuse("must be a text")
        elif "=" in key:
            pairs.append((node, f"{key}: {value or ''}"))
        else:
            pairs.append((node, f"{key}={value or ''}"))
    return pairs


def _is_name(name: str) -> bool:
    return name != "" and name.isascii() and name.isprintable()
