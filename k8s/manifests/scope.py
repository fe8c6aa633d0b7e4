"""Scope of a task: the namespace, names, labels and services that its objects share."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from k8s.api.errors import Unsupported
from k8s.manifests.templates import Templates
from k8s.naming import labels, names
from k8s.workload import Capabilities, Component, Container, Port, Workload

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """One task's workload, with the capabilities and templates to render it."""

    workload: Workload
    capabilities: Capabilities
    templates: Templates

    @property
    def namespace(self) -> str:
        """The name of the tenant's namespace."""
        return names.namespace(self.workload.wallet)

    @property
    def main(self) -> Component:
        """The component that the host name routes to, else the first."""
        components = self.workload.components
        return next((component for component in components if _public(component)), components[0])

    @property
    def main_service(self) -> Container:
        """The service that the host name routes to, else the main component's own."""
        main = self.main
        own = next((c for c in main.containers if c.name == main.name), main.containers[-1])
        return _public(main) or own

    def name_part(self, component: Component) -> str:
        """Return the component's part of object names: empty for the main one."""
        return "" if component is self.main else component.name

    def service_name(self, service: str) -> str:
        """Return the name of the ClusterIP Service of the service named `service` in the file."""
        word = "" if service == self.main_service.name else service
        return names.object_name("svc", self.workload.space_uuid, word)

    def services(self) -> Iterator[tuple[Component, Container]]:
        """Yield every service with the component that it runs in."""
        for component in self.workload.components:
            for container in component.containers:
                yield component, container

    def ports(self) -> Iterator[tuple[Component, Container, Port]]:
        """Yield every port with its component and service."""
        for component, container in self.services():
            for port in container.ports:
                yield component, container, port

    def component_of(self, service: str) -> Component:
        """Return the component that runs `service`; raise `Unsupported` when there is none."""
        for component, container in self.services():
            if container.name == service:
                return component
        raise Unsupported("services", f"there is no service named {service!r}")

    def selector(self, component: Component) -> dict[str, str]:
        """Return the labels that the component's pods have in every task of the Space."""
        return self.space_selector() | {labels.COMPONENT: names.dns_label(component.name)}

    def space_selector(self) -> dict[str, str]:
        """Return the labels that all pods of the Space have in every task."""
        return {labels.SPACE: names.label_value(self.workload.space_uuid)}

    def labels(self, component: Component) -> dict[str, str]:
        """Return the labels of an object of the task."""
        return {
            **tenant_labels(self.workload.wallet),
            **self.selector(component),
            labels.TASK: names.label_value(self.workload.task_id),
            labels.NAME: names.label_value(component.name),
            labels.INSTANCE: names.label_value(self.workload.space_uuid),
        }

    def annotations(self, service: str) -> dict[str, str]:
        """Return the annotations of an object: names as they were written, too long for labels."""
        annotations = {
            labels.SPACE_NAME: self.workload.space_name,
            labels.TASK_UUID: self.workload.task_uuid,
            labels.SERVICE: service,
        }
        return {key: value for key, value in annotations.items() if value}

    def fill(
        self, template: str, name: str, component: Component, service: str, /, **values: Any
    ) -> Manifest:
        """Fill `template` for an object of the task; `values` are its own placeholders."""
        common = {
            "name": name,
            "namespace": self.namespace,
            "labels": self.labels(component),
            "annotations": self.annotations(service),
        }
        return self.templates.fill(template, common | values)


def _public(component: Component) -> Container | None:
    for container in component.containers:
        if any(port.public == "host" for port in container.ports):
            return container
    return None


def tenant_labels(wallet: str) -> dict[str, str]:
    """Return the labels of all objects of the tenant."""
    return {
        labels.MANAGED_BY: labels.MANAGER,
        labels.PART_OF: labels.MARKET,
        labels.WALLET: names.label_value(wallet.lower()),
    }
