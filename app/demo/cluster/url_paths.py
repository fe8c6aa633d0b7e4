"""The paths of the API, and the objects that they name."""

from dataclasses import dataclass

from app.demo.cluster import api_errors
from app.demo.cluster.resources import BY_PATH, Resource

_LONGEST_REST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A collection (no `name`), an object, or a part of it, such as `log`."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    part: str = ""


def parse(path: str) -> Target:
    """The target of a path; raises `Failure` when it names nothing that there is."""
    match path.strip("/").split("/"):
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            raise api_errors.unknown()
    namespace = ""
    match rest:
        case ["namespaces", namespace, plural, *rest]:
            pass
        case [plural, *rest]:
            pass
        case _:
            raise api_errors.unknown()
    resource = BY_PATH.get((group, version, plural))
    if resource is None or len(rest) > _LONGEST_REST or (namespace and not resource.namespaced):
        raise api_errors.unknown()
    name, part = [*rest, "", ""][:2]
    if name and resource.namespaced and not namespace:
        raise api_errors.unknown()
    return Target(resource=resource, namespace=namespace, name=name, part=part)
