"""The client of the API server: JSON requests with timeouts, retries and one set of errors.

Of the `kubernetes` package only the credentials and the connection pool are used: its typed models
take half a second to import, its watch loses events, and its errors are many.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import tenacity
import urllib3
import yaml
from kubernetes.client.configuration import Configuration
from kubernetes.client.rest import RESTClientObject
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

from k8s.api import responses
from k8s.api.errors import (
    ClusterError,
    Conflict,
    Gone,
    Refused,
    Unavailable,
)
from k8s.naming import labels

Objects = list[dict[str, Any]]

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
ATTEMPTS = 4
LONGEST_WAIT_SECONDS = 5.0
POOL_CONNECTIONS = 16
PAGE_SIZE = 250
MAX_OBJECTS = 100_000
MAX_LOG_BYTES = 1 << 20

_APPLY = "application/apply-patch+yaml"  # JSON is YAML.


def _wait_seconds(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    requested = error.retry_after_seconds if isinstance(error, Unavailable) else None
    backoff = tenacity.wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT_SECONDS)(state)
    return min(max(requested or 0.0, backoff), LONGEST_WAIT_SECONDS)


# The configuration module of the package has no annotations.
_load_service_account: Callable[[Configuration], None] = load_incluster_config
_load_kubeconfig: Callable[[str, None, Configuration], None] = load_kube_config

_retried_for_seconds = tenacity.retry(
    retry=tenacity.retry_if_exception_type(Unavailable),
    stop=tenacity.stop_after_attempt(ATTEMPTS),
    wait=_wait_seconds,
    reraise=True,
)


class Cluster:
    """One API server and the credentials for it. Safe for threads and across forks.

    Every method raises `Refused` (or a subclass) when the API server rejects the request, and
    `Unavailable` when it cannot be reached or answers 429 or 5xx, after some seconds of retries.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._process = os.getpid()
        self._pool: urllib3.PoolManager = RESTClientObject(configuration).pool_manager

    @_retried_for_seconds
    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Read the object at `path` (`/api/v1/namespaces/x/pods/y`), or a page of a collection."""
        return responses.decode_object(self._request("GET", path, query=query))

    def list(self, path: str, *, selector: str = "", fields: str = "") -> Objects:
        """List all objects of the collection at `path`, page by page, each with its kind.

        Args:
            path: The collection, such as `/api/v1/pods`.
            selector: A label selector.
            fields: A field selector.
        """
        query = {"limit": str(PAGE_SIZE)}
        if selector:
            query["labelSelector"] = selector
        if fields:
            query["fieldSelector"] = fields
        with suppress(Gone):
            return self._list_pages(path, query)
        return self._list_pages(path, query)

    def _list_pages(self, path: str, query: dict[str, str]) -> Objects:
        objects: Objects = []
        token = ""
        while True:
            page = self.get(path, **query, **({"continue": token} if token else {}))
            objects += responses.items(page)
            token = page.get("metadata", {}).get("continue") or ""
            if not token:
                return objects
            if len(objects) > MAX_OBJECTS:
                raise ClusterError(f"{path} has more than {MAX_OBJECTS:,} objects")

    def apply(
        self, path: str, manifest: Mapping[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Server-side apply of `manifest` at `path`; returns the object as it is now.

        Conflicts are retried like a busy API server, and end as `Unavailable`: a forced apply does
        not conflict with other field managers, only with a concurrent write.
        """
        query = {"fieldManager": labels.MANAGER, "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        return self._apply(path, msgspec.json.encode(manifest), query)

    @_retried_for_seconds
    def _apply(self, path: str, body: bytes, query: dict[str, str]) -> dict[str, Any]:
        try:
            response = self._request("PATCH", path, query=query, body=body, kind=_APPLY)
            return responses.decode_object(response)
        except Conflict as conflict:
            raise Unavailable(conflict.message) from conflict

    def delete(
        self,
        path: str,
        *,
        uid: str | None = None,
        version: str | None = None,
        propagation: str = "Background",
    ) -> None:
        """Delete the object at `path`; an absent object counts as deleted.

        Args:
            path: The path of the object.
            uid: Delete only the object with this uid; another one at the path raises `Conflict`.
            version: Delete only at this resource version; another one raises `Conflict`.
            propagation: `Background`, `Foreground` or `Orphan`.
        """
        preconditions = {"uid": uid, "resourceVersion": version}
        options = {
            "propagationPolicy": propagation,
            "preconditions": {key: value for key, value in preconditions.items() if value},
        }
        self._delete(path, msgspec.json.encode(options))

    @_retried_for_seconds
    def _delete(self, path: str, body: bytes) -> None:
        try:
            self._request("DELETE", path, body=body, kind="application/json")
        except Refused as refused:
            if refused.status != responses.NOT_FOUND:
                raise

    @_retried_for_seconds
    def log(
        self, path: str, *, tail_lines: int, container: str = "", previous: bool = False
    ) -> str:
        """Read the last lines of a container's log, at most 1 MiB.

        Args:
            path: The path of the pod.
            tail_lines: The number of lines.
            container: The container; may be empty when the pod has only one.
            previous: Read the log of the container before its last restart.
        """
        query = {"tailLines": str(tail_lines), "limitBytes": str(MAX_LOG_BYTES)}
        if container:
            query["container"] = container
        if previous:
            query["previous"] = "true"
        body = self._request("GET", f"{path}/log", query=query)
        return body[:MAX_LOG_BYTES].decode(errors="replace")

    @contextmanager
    def stream(
        self, path: str, *, read_timeout_seconds: float, **query: str
    ) -> Iterator[Iterator[bytes]]:
        """Stream the lines of a response as they arrive: a watch, or a followed log.

        The lines end when the API server ends the response. No retries.

        Args:
            path: The path of a collection, or of a log.
            read_timeout_seconds: The longest silence before the API server is `Unavailable`.
            query: Query parameters, such as `watch="true"`.
        """
        with self.response(path, read_timeout_seconds=read_timeout_seconds, **query) as response:
            yield responses.lines(response)

    @contextmanager
    def response(
        self, path: str, *, read_timeout_seconds: float, **query: str
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Open the response to a GET request, to be read as it arrives. No retries."""
        response = self._open("GET", path, query=query, read_seconds=read_timeout_seconds)
        try:
            responses.check(response)
            yield response
        finally:
            response.close()

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        kind: str = "",
    ) -> bytes:
        response = self._open(method, path, query=query, body=body, kind=kind)
        try:
            responses.check(response)
            content = responses.read(response)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return content

    def _open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        kind: str = "",
        read_seconds: float = READ_SECONDS,
    ) -> urllib3.BaseHTTPResponse:
        self._reconnect_after_fork()
        url = f"{self._configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            return self._pool.request(
                method,
                url,
                body=body,
                headers=self._headers(kind),
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
                preload_content=False,
                redirect=False,
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{method} {path}: {error}") from error

    def _headers(self, kind: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": labels.MANAGER}
        if kind:
            headers["Content-Type"] = kind
        try:
            token = self._configuration.auth_settings().get("BearerToken")
        except (ConfigException, OSError) as error:
            raise Unavailable(f"the credentials cannot be renewed: {error}") from error
        if token:
            headers[token["key"]] = token["value"] or ""
        return headers

    def _reconnect_after_fork(self) -> None:
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self._pool = RESTClientObject(self._configuration).pool_manager


def connect(kubeconfig: str = "") -> Cluster:
    """Load the credentials of a cluster; nothing is sent yet.

    Args:
        kubeconfig: The path of a file. Empty: the service account when this runs in a pod, else the
            file that `KUBECONFIG` names, else `~/.kube/config`.

    Raises:
        ClusterError: There are no usable credentials.
    """
    configuration = Configuration()
    in_pod = not kubeconfig and "KUBERNETES_SERVICE_HOST" in os.environ
    file = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    source = "the pod's service account" if in_pod else file
    try:
        if in_pod:
            _load_service_account(configuration)
        else:
            _load_kubeconfig(str(Path(file).expanduser()), None, configuration)
    except (ConfigException, OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ClusterError(f"no credentials for a cluster in {source}: {error}") from error
    return Cluster(configuration)
