"""Names of objects from untrusted words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s.naming import names

SPACE = "0f2b3c4d-1111-2222-3333-444455556666"
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
HOSTILE = [
    "",
    "-",
    ".",
    "..",
    "../../etc/passwd",
    "Web",
    "WEB",
    "web_1",
    "web.1",
    "web 1",
    "web\n",
    "web-",
    "-web",
    "web\0",
    "${name}",
    "$(name)",
    "a: {b: c}",
    "服务",
    "ﬁ",
    "\ud800",
    "x" * 63,
    "x" * 64,
    "x" * 63 + "y",
    "x" * 10_000,
    "node",
    "web-node",
    "ip-web",
    "web-deadbeef",
]


@pytest.mark.parametrize("word", ["web", "a", "0", "a-b", "a--b", "my-app-2"])
def test_legal_names_stay(word: str) -> None:
    """A legal name stays as it is."""
    assert names.dns_label(word) == word


def test_hostile_words_become_distinct_labels() -> None:
    """No hostile word gives an illegal name, and no two give the same."""
    labels = [names.dns_label(word, limit=18) for word in HOSTILE]
    assert all(LABEL.fullmatch(name) and len(name) <= 18 for name in labels)
    assert len(set(labels)) == len(HOSTILE)


def test_a_name_made_safe_is_not_another_words_own() -> None:
    """A service that is called as another one's safe name is called differently itself."""
    taken = names.dns_label("Web_1")
    assert names.dns_label(taken) != taken


@given(st.text())
def test_every_word_fits_everywhere(word: str) -> None:
    """Any text becomes names of at most 63 characters, and label values that Kubernetes takes."""
    for name in (
        names.dns_label(word),
        names.object_name("deploy", SPACE, word),
        names.object_name("svc", word, word, before="ip", after="node"),
        names.namespace(word),
    ):
        assert LABEL.fullmatch(name)
    assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)", names.label_value(word))
    assert names.is_host(names.config_map(SPACE, word))
    assert len(names.config_map(SPACE, word)) <= 253


def test_names_of_the_original_stay() -> None:
    """Main objects are named as dashboards and scripts of operators expect them."""
    assert names.object_name("deploy", SPACE) == f"deploy-{SPACE}"
    assert names.object_name("svc", SPACE.upper()) == f"svc-{SPACE}"
    assert names.namespace("0x" + "Ab" * 20) == "ns-0x" + "ab" * 20
    assert names.config_map(SPACE, "nginx.conf") == f"{SPACE}-nginx.conf"


def test_published_ports_take_no_services_name() -> None:
    """A service called `web-node` does not share the name of web's NodePort Service."""
    published = names.object_name("svc", SPACE, "web", after="node")
    assert names.object_name("svc", SPACE, "web-node") != published
    address = names.object_name("svc", SPACE, "a", before="ip")
    assert names.object_name("svc", SPACE, "ip-a") != address


def test_container_port_names_are_short() -> None:
    """The name of a port is one that Kubernetes takes, and another component's differs."""
    name, other = (names.endpoint_port(word, 80, "TCP") for word in ("web", "api"))
    assert name != other
    assert re.fullmatch(r"[a-z0-9-]{1,15}", name)


@pytest.mark.parametrize(
    ("word", "legal"),
    [
        ("NVIDIA-A4000", True),
        ("nvidia.com/gpu.product", True),
        ("A 4000", False),
        ("/a", False),
        ("a/b/c", False),
        ("", False),
        ("x" * 64, False),
    ],
)
def test_label_keys(word: str, *, legal: bool) -> None:
    """Only what Kubernetes takes as a label's key passes for one."""
    assert names.is_label_key(word) is legal
