"""Server-side apply: an object takes its manifest's fields, and keeps those of other managers."""

import copy
import re
from typing import Any

from app.demo.cluster import api_errors, defaults, selectors, validation
from app.demo.cluster.object_store import ObjectStore
from app.demo.cluster.resources import DEPLOYMENTS, Json, Resource

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME = 253
_SYSTEM_FIELDS = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")


def apply(
    store: ObjectStore,
    resource: Resource,
    namespace: str,
    name: str,
    manifest: Json,
    *,
    manager: str,
    dry_run: bool,
) -> tuple[Json, bool]:
    """The object as it is after the apply, and whether it is new; raises `Failure`.

    A field that this manager applied before and does not apply now is gone; lists are replaced.
    """
    manifest = _without_nulls(manifest)
    _check(resource, namespace, name, manifest)
    if resource.namespaced and store.is_ending(namespace):
        raise api_errors.ending(resource, name, namespace)
    wanted = _wanted(resource, namespace, name, manifest)
    live = store.get(resource, namespace, name) if store.has(resource, namespace, name) else None
    _check_identity(resource, name, manifest, live)
    before = store.applied.get((live["metadata"]["uid"], manager), {}) if live else {}
    merged = _merge(live or {}, before, wanted)
    validation.check(resource, name, merged)
    defaults.fill(store, resource, merged, live)
    if resource == DEPLOYMENTS:
        _check_deployment(name, merged, live)
    if dry_run:
        return store.complete(resource, merged), live is None
    kept = store.put(resource, merged)
    store.applied[kept["metadata"]["uid"], manager] = wanted
    return kept, live is None


def _without_nulls(part: Any) -> Any:
    """A field that is null is a field that is left out."""
    if isinstance(part, dict):
        return {k: _without_nulls(v) for k, v in part.items() if v is not None}
    return [_without_nulls(item) for item in part] if isinstance(part, list) else part


def _check(resource: Resource, namespace: str, name: str, manifest: Json) -> None:
    if (manifest.get("apiVersion"), manifest.get("kind")) != (resource.api_version, resource.kind):
        sort = f"{manifest.get('apiVersion', '')}, Kind={manifest.get('kind', '')}"
        raise api_errors.bad_request(f"invalid object type: {'' if '/' in sort else '/'}{sort}")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        raise api_errors.bad_request("metadata: must be an object")
    if metadata.get("name", name) != name:
        raise api_errors.bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL "
            f"({name})"
        )
    if metadata.get("namespace", namespace) != namespace:
        raise api_errors.bad_request(
            f"the namespace of the object ({metadata['namespace']}) does not match the namespace "
            f"on the URL ({namespace})"
        )
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        message = f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of '
        message += "lower case alphanumeric characters, '-' or '.'"
        raise api_errors.invalid(resource, name, "metadata.name", message)


def _check_identity(resource: Resource, name: str, manifest: Json, live: Json | None) -> None:
    """A manifest that names a uid is about that object alone."""
    uid, found = manifest["metadata"].get("uid"), live["metadata"]["uid"] if live else ""
    if uid not in {None, found}:
        there = f"the uid of the existing object is {found}" if live else "there is no object"
        raise api_errors.conflict(resource, name, f"uid mismatch: the manifest says {uid}, {there}")


def _check_deployment(name: str, merged: Json, live: Json | None) -> None:
    spec = merged.get("spec", {})
    labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
    if not selectors.of(spec.get("selector", {}))(labels):
        message = f"Invalid value: {labels}: `selector` does not match template `labels`"
        raise api_errors.invalid(DEPLOYMENTS, name, "spec.template.metadata.labels", message)
    if live and live["spec"]["selector"] != spec["selector"]:
        message = f"Invalid value: {spec['selector']}: field is immutable"
        raise api_errors.invalid(DEPLOYMENTS, name, "spec.selector", message)


def _wanted(resource: Resource, namespace: str, name: str, manifest: Json) -> Json:
    """The manifest without the fields that no manager may set."""
    wanted = copy.deepcopy(manifest)
    wanted.pop("status", None)
    for field in _SYSTEM_FIELDS:
        wanted["metadata"].pop(field, None)
    wanted["metadata"]["name"] = name
    if resource.namespaced:
        wanted["metadata"]["namespace"] = namespace
    return wanted


def _merge(live: Json, before: Json, wanted: Json) -> Json:
    """`live` with every field of `wanted`, and without those that only `before` has."""
    merged = {field: value for field, value in live.items() if field not in before}
    for field, value in live.items():
        if field in before and field not in wanted and isinstance(before[field], dict):
            rest = _merge(value, before[field], {}) if isinstance(value, dict) else {}
            merged |= {field: rest} if rest else {}
    for field, value in wanted.items():
        old, applied = live.get(field), before.get(field)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[field] = _merge(old, applied if isinstance(applied, dict) else {}, value)
        else:
            merged[field] = copy.deepcopy(value)
    return merged
