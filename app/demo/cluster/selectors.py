"""Label selectors: `a=b,c!=d,e in (f,g),h notin (i),j,!k`, and those that objects carry."""

import re
from collections.abc import Callable, Mapping

from app.demo.cluster import api_errors
from app.demo.cluster.resources import Json

Labels = Mapping[str, str]
Selector = Callable[[Labels], bool]

_KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_VALUE = r"[-A-Za-z0-9_.]*"
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<key>{_KEY})\s*(?P<operator>==|=|!=)\s*(?P<value>{_VALUE})"
    rf"|(?P<set_key>{_KEY})\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\)"
    rf"|(?P<negated>!?)\s*(?P<present>{_KEY}))\s*(?:,(?!\s*$)|$)"
)


def parse(text: str) -> Selector:
    """The test that a `labelSelector` stands for; raises `Failure` when it is none."""
    requirements: list[Selector] = []
    position = 0
    while position < len(text):
        match = _REQUIREMENT.match(text, position)
        if match is None:
            raise api_errors.bad_request(f"unable to parse requirement: {text[position:][:100]!r}")
        requirements.append(_requirement(match))
        position = match.end()
    return lambda labels: all(holds(labels) for holds in requirements)


def _requirement(match: re.Match[str]) -> Selector:
    if match["key"]:
        operator = "NotIn" if match["operator"] == "!=" else "In"
        return expression(match["key"], operator, [match["value"]])
    if match["set"]:
        operator = "In" if match["set"] == "in" else "NotIn"
        return expression(match["set_key"], operator, match["values"].replace(" ", "").split(","))
    return expression(match["present"], "DoesNotExist" if match["negated"] else "Exists", [])


def expression(key: str, operator: str, values: list[str]) -> Selector:
    """One requirement, as `matchExpressions` have it."""
    if operator == "In":
        return lambda labels: labels.get(key) in values
    if operator == "NotIn":
        return lambda labels: labels.get(key) not in values
    if operator == "Exists":
        return lambda labels: key in labels
    if operator == "DoesNotExist":
        return lambda labels: key not in labels
    raise api_errors.bad_request(f"{operator!r} is not a valid label selector operator")


def of(selector: Json) -> Selector:
    """The test that an object's `matchLabels` and `matchExpressions` stand for."""
    requirements = [expression(k, "In", [v]) for k, v in selector.get("matchLabels", {}).items()]
    requirements += [
        expression(requirement["key"], requirement["operator"], requirement.get("values", []))
        for requirement in selector.get("matchExpressions", [])
    ]
    return lambda labels: all(holds(labels) for holds in requirements)


def labels(item: Json) -> Labels:
    """The labels of an object."""
    return dict(item["metadata"].get("labels") or {})
