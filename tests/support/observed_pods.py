"""Pods and Deployments as a real cluster (1.37) described them, and their health."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from k8s.api.objects import Deployment, Pod
from k8s.health import health
from k8s.health.health import Health
from k8s.naming import labels

LATER = datetime(2026, 11, 22, 22, 24, 45, tzinfo=UTC)
HALF_A_MINUTE = "after half a minute"


def observed(moment: str, component: str) -> list[dict[str, Any]]:
    """Return the component's pods and Deployment as they were at that time."""
    path = Path(__file__).with_suffix(".jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    objects = [line["object"] for line in lines if line["seen"] == moment]
    return [
        document
        for document in objects
        if document["metadata"]["labels"][labels.COMPONENT] == component
    ]


def assess(
    objects: Iterable[dict[str, Any]],
    *,
    now: datetime = LATER,
    revision: int = 1,
    replicas: int = 1,
) -> Health:
    """Assess the health of the only component among the objects."""
    documents = list(objects)
    component = documents[0]["metadata"]["labels"][labels.COMPONENT]
    return health.assess(
        [msgspec.convert(document, Pod) for document in documents if document["kind"] == "Pod"],
        [
            msgspec.convert(document, Deployment)
            for document in documents
            if document["kind"] == "Deployment"
        ],
        components={component: replicas},
        revision=revision,
        now=now,
    )
