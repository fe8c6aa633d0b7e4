"""Tests of image names."""

import pytest

from tests.support.deployment_files import Lines, Read


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "' nginx:1.25 '",
        "docker.io/library/nginx",
        "quay.io:443/a/b__c/d-e.f:Tag_1.0",
        f"zjuuu/pluralis:latest@sha256:{'a' * 64}",
        "GHCR.io/owner/name",
    ],
)
def test_images_are_references(read: Read, image: str) -> None:
    """Registries, ports, tags, digests and spaces around are fine."""
    deployment = read(f"version: '2.0'\nservices: {{web: {{image: {image}}}}}")
    assert deployment.components[0].containers[0].image == image.strip("' ")


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("''", "is missing"),
        ("~", "is missing"),
        ("[a]", "must be a string, not a list"),
        ("a b", "must be a single image name without spaces"),
        ("Nginx", "must be in lower case up to the tag"),
        ("https://a/b", "not a URL"),
        ("a:b:c", "is not an image name"),
        (f"a{'b' * 600}", "at most 512 characters"),
    ],
)
def test_invalid_image_references_are_refused(refusals: Lines, image: str, reason: str) -> None:
    """The sentence says what is wrong with the name."""
    (refusal,) = refusals(f"version: '2.0'\nservices: {{web: {{image: {image}}}}}")
    assert refusal.startswith("services.web.image: ")
    assert reason in refusal
