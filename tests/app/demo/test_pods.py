"""A pod's state."""

import pytest

from app.demo.pods import state
from k8s.api.objects import (
    Condition,
    ContainerState,
    ContainerStatus,
    Metadata,
    Pod,
    PodSpec,
    PodStatus,
    Waiting,
)


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (Pod(), ""),
        (Pod(spec=PodSpec(node_name="n")), "starts on n"),
        (
            Pod(
                spec=PodSpec(node_name="n"),
                status=PodStatus(conditions=(Condition(type="Ready", status="True"),)),
            ),
            "ready",
        ),
        (
            Pod(
                status=PodStatus(
                    conditions=(Condition(type="PodScheduled", status="False", message="full"),)
                )
            ),
            "waits for a node: full",
        ),
        (
            Pod(
                status=PodStatus(
                    container_statuses=(
                        ContainerStatus(
                            state=ContainerState(
                                waiting=Waiting(reason="ErrImagePull", message="not found")
                            )
                        ),
                    )
                )
            ),
            "ErrImagePull: not found",
        ),
        (Pod(metadata=Metadata(name="x")), ""),
    ],
)
def test_a_pods_state_is_a_few_words(pod: Pod, expected: str) -> None:
    """The most telling fact about a pod is its state."""
    assert state(pod) == expected
