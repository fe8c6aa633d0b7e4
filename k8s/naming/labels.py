"""Labels, annotations and selectors of everything that runs for tenants.

Operators' dashboards and scripts select by `lad_app` and `lab-ns`; the others identify the owner of
an object, so that objects are found by owner and never by name.
"""

from k8s.naming import names

SPACE = "lad_app"
NAMESPACE = "lab-ns"

TASK = "lagrangedao.org/task"
WALLET = "lagrangedao.org/wallet"
REVISION = "lagrangedao.org/revision"

NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
MANAGED_BY = "app.kubernetes.io/managed-by"
PART_OF = "app.kubernetes.io/part-of"

MANAGER = "computing-provider"
MARKET = "lagrange"

# Annotations: values that do not fit into the 63 characters of a label.
SPACE_NAME = "lagrangedao.org/space-name"
TASK_UUID = "lagrangedao.org/task-uuid"
SERVICE = "lagrangedao.org/service"

MANAGED_SELECTOR = f"{MANAGED_BY}={MANAGER}"

# The labels that the provider sets on a task's objects; controllers and v0.3.0 set others.
TASK_LABELS = frozenset(
    {SPACE, TASK, WALLET, REVISION, NAME, INSTANCE, COMPONENT, MANAGED_BY, PART_OF}
)


def task_selector(task_id: str) -> str:
    """Return the label selector of one task's objects."""
    return f"{MANAGED_SELECTOR},{TASK}={names.label_value(task_id)}"


def space_selector(space_uuid: str) -> str:
    """Return the label selector of one Space's objects, whichever task they belong to."""
    return f"{MANAGED_SELECTOR},{SPACE}={names.label_value(space_uuid)}"
