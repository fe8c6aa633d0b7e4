"""Attack: a small file keeps a worker busy for hours.

A reader whose time grows with the square of a text is given texts that make it so: long runs of
blanks, of combining characters, of directives, of names that nearly match. It fails because each
reader is linear up to its bound: eight times the size costs about eight times the time.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from app.errors import Failure
from app.net import ssrf
from app.spaces import dockerfile, ldl
from app.spaces.dockerfile import guarded
from app.spaces.image_registries import PUBLIC
from app.spaces.inference import model_setting
from app.spaces.ldl import container_paths, expose, hardware, image_names, quantities
from app.spaces.source import file_paths, space
from k8s.inventory import gpus
from k8s.naming import names
from k8s.workload import Capabilities

FIRST_SIZE = 1 << 9
LAST_SIZE = 1 << 17
TIMES_AS_LARGE = 8
TIMES_AS_SLOW = 16
BEST_OF = 3
COMBINING = "\u0315\u0300"
WALLET = "0x" + "ab" * 20

Shape = Callable[[int], str]


def cost(read: Callable[[str], object], text: str) -> float:
    """Return the CPU time of a reader, whatever it makes of the text."""
    costs = []
    for _ in range(BEST_OF):
        start = time.thread_time()
        with suppress(ValueError, Failure, ldl.InvalidDeployment):
            read(text)
        costs.append(time.thread_time() - start)
    return min(costs)


@pytest.fixture(scope="module")
def noise() -> float:
    """A cost that says something on this machine: that of a short loop."""
    return cost(lambda text: [letter for letter in text if letter == "b"], "a" * 400_000)


def refuse_quadratic(read: Callable[[str], object], shape: Shape, noise: float) -> None:
    """Grow a text until reading it is measurable, then once more."""
    size = FIRST_SIZE
    while (small := cost(read, shape(size))) < noise and size < LAST_SIZE:
        size *= 2
    large = cost(read, shape(size * TIMES_AS_LARGE))
    assert large <= TIMES_AS_SLOW * max(small, noise), (size, small, large)


def repeated(pattern: str, before: str = "", after: str = "") -> Shape:
    """Return a shape: a pattern again and again, `{}` in it counted."""

    def shape(size: int) -> str:
        if "{}" not in pattern:
            return before + pattern * (size // len(pattern)) + after
        count = size // (len(pattern) + 3)
        return before + "".join(pattern.replace("{}", str(n)) for n in range(count)) + after

    return shape


def rewritten(text: str) -> str:
    """Rewrite a Dockerfile for a builder of the worker's machine."""
    return guarded.rewrite(
        text.encode(),
        registries=PUBLIC,
        is_host_network=False,
        pin=lambda image, _platform: image,
    )


def deployment(text: str) -> object:
    """Read a deployment file."""
    return ldl.read(text.encode(), hardware=None, capabilities=Capabilities(), host="a.example.com")


def described(text: str) -> object:
    """Read the description of a Space."""
    return space.read(text.encode(), max_files=100_000)


WORDS: dict[str, Callable[[str], object]] = {
    "image": image_names.reference,
    "url": partial(ssrf.permit, allow_private=False),
    "cpu": quantities.cpu_millis,
    "size": quantities.size_bytes,
    "hardware": hardware.parse,
    "mount": container_paths.absolute,
    "mounted file": container_paths.inside,
    "file name": container_paths.base_name,
    "path in the Space": partial(file_paths.inside, wallet=WALLET, space_name="s"),
    "path": file_paths.check,
    "host": expose.is_host,
    "gpu": gpus.label_of_model,
    "gpu's core": gpus.core,
    "label": names.dns_label,
    "label key": names.is_label_key,
    "model": lambda text: model_setting.read(json.dumps({"model_id": text}).encode()),
}
SHAPES = [
    *map(repeated, ("a", "0", " ", "-", ".", "/", ":", "_", "a-", "a.", "a/", "../", "1.", "{}/")),
    *map(repeated, (COMBINING, "\ufdfa", "\u200b")),
    repeated(" ", "a", "b"),
    repeated(" ", "1", "x"),
    repeated("0", "0.", "x"),
    repeated("a", "http://", ".example.com/"),
    repeated("a.", "http://", "/"),
    repeated("ü", "http://", ".example.com/"),
    repeated("@", "http://"),
    repeated("a", f"{WALLET}/spaces/s/"),
    repeated(COMBINING, f"{WALLET}/spaces/s/"),
    repeated("a/", f"{WALLET}/spaces/s/", "b"),
]
DOCKERFILES = [
    repeated(" ", "# syntax=a", "b\nFROM scratch"),
    repeated(" \t", "#", "x = a\nFROM scratch"),
    repeated("=", "# escape", "\nFROM scratch"),
    repeated("a", "#", "=\\\nFROM scratch"),
    repeated("FROM a AS a\n", "FROM x AS a\n"),
    repeated("FROM a AS b{}\n", "FROM x AS a\n"),
    repeated("ENV V{}=x\n", "FROM x\n"),
    repeated("V{}=x ", "FROM x\nENV "),
    repeated("FROM a AS a\nENV V{}=x\n", "FROM x AS a\n"),
    repeated("EXPOSE $P\n", f"FROM x\nENV P='{'1 ' * 2000}'\n"),
    repeated("$P ", f"FROM x\nENV P='{'1 ' * 2000}'\nEXPOSE "),
    repeated("$U ", f"FROM x\nENV U='http://{'a' * 4000}'\nADD "),
    repeated("http://a{} ", "FROM x\nADD ", "/"),
    repeated("${", "FROM x\nEXPOSE "),
    repeated("${A:-", "FROM x\nEXPOSE "),
    repeated('"', "FROM x\nEXPOSE "),
    repeated("<<a ", "FROM x\nRUN "),
    repeated("RUN <<a{}\n", "FROM x\n"),
    repeated("0", "FROM x\nRUN ", "<<"),
    repeated("\\\n", "FROM x\nRUN "),
    repeated("\\\n#\n", "FROM x\nRUN "),
    repeated('"a",', "FROM x\nADD [", '"b"]'),
    repeated("ARG A{}=x\n"),
    repeated("A{}=$A ", "ARG "),
    repeated("--link ", "FROM x\nCOPY "),
    repeated("from=a{},", "FROM x\nRUN --mount=", "a true"),
    repeated("COPY --from=a{} /x /x\n", "FROM x\n"),
    repeated("[", "FROM x\nADD "),
    repeated(":", "FROM x\nEXPOSE "),
    repeated("\n"),
]
SERVICE = "services: {a: {image: b, "
DEPLOYMENTS = [
    repeated("%TAG !a{}! x\n", after="---\nservices: {}"),
    repeated("%A{} x\n", after="---\nservices: {}"),
    repeated("[", "services: "),
    repeated("? "),
    repeated("- "),
    repeated("---\n"),
    repeated("\t \n", "a: 1\n"),
    repeated("\t", "a: 1\n", "x"),
    repeated(" ", "a:", "x"),
    repeated("''", "a: '", "'"),
    repeated("\\\n", 'a: "', '"'),
    repeated(" x\n\n", "a: >\n"),
    repeated("x", after=": 1"),
    repeated("k{}: 1\n"),
    repeated("k{}: &a{} 1\n"),
    repeated("k{}: *a\n", "a: &a [1, 2, 3]\n"),
    repeated("k{}: {<<: *a}\n", "a: &a {a: 1, b: 2}\n"),
    repeated("- *a\n", "x: &a {a: 1}\n<<:\n"),
    repeated("s{}: {image: a}, ", "services: {", "}"),
    repeated("X{}=1, ", f"{SERVICE}env: [", "]}}"),
    repeated("X=1, ", f"{SERVICE}env: [", "]}}"),
    repeated("$(A)", f"{SERVICE}env: ['A=", "']}}"),
    repeated("a{}, ", f"{SERVICE}depends-on: [", "]}}"),
    repeated("{port: {}}, ", f"{SERVICE}expose: [", "]}}"),
    repeated("{port: 80}, ", f"{SERVICE}expose: [", "]}}"),
    repeated("{service: a{}}, ", f"{SERVICE}expose: [{{port: 80, to: [", "]}]}}"),
    repeated("a{}.example.com, ", f"{SERVICE}expose: [{{port: 80, accept: [", "]}]}}"),
    repeated("{name: a, path: /b{}}, ", f"{SERVICE}config: [", "]}}"),
    repeated("{name: a{}, url: 'http://a/', dir: /a}, ", f"{SERVICE}models: [", "]}}"),
    repeated("a{}: {resources: {cpu: {units: 1}}}, ", "profiles: {compute: {", "}}"),
    repeated("a{}: {lagrange: {profile: b}}, ", f"{SERVICE}}}}}\ndeployment: {{", "}"),
    repeated("a{}: {kind: ip}, ", f"{SERVICE}}}}}\nendpoints: {{", "}"),
    repeated("a", f"{SERVICE}command: ", "}}"),
]
SETTINGS = [
    repeated("[", '{"model_id": '),
    repeated("1", '{"model_id": ', "}"),
    repeated("1", '{"model_id": 0.', "}"),
    repeated('"a{}": 1,', "{", '"model_id": "a"}'),
    repeated("\\u0041", '{"model_id": "', '"}'),
]
FILE = f'{{"name": "{WALLET}/spaces/s/a{{}}", "url": "http://a/"}},'
SPACE = (
    f'"owner": {{"public_address": "{WALLET}"}}, "space": {{"name": "s",'
    ' "uuid": "0b7a9f94-2d7e-4b36-9d0e-0f3f3a7ad1f2",'
    ' "activeOrder": {"config": {"description": "CPU only · 1 vCPU · 1 GiB"}}}}}'
)
DESCRIPTIONS = [
    *SETTINGS,
    repeated(FILE, '{"data": {"files": [', FILE.replace("{}", "").rstrip(",") + f"], {SPACE}"),
    repeated("1,", '{"data": {"files": [', f"1], {SPACE}"),
    repeated(" ", '{"data": {"space": {"name": "', '\\n"}}}'),
]


@pytest.mark.parametrize("name", WORDS)
def test_words(name: str, noise: float) -> None:
    """Names, URLs, quantities and paths are read in linear time, or bounded before."""
    for shape in SHAPES:
        refuse_quadratic(WORDS[name], shape, noise)


@pytest.mark.parametrize("number", range(len(DOCKERFILES)))
def test_dockerfiles(number: int, noise: float) -> None:
    """Directives, continuations, heredocs, variables and stages are read in linear time."""
    refuse_quadratic(lambda text: dockerfile.read(text.encode()), DOCKERFILES[number], noise)


@pytest.mark.parametrize("number", range(len(DOCKERFILES)))
def test_dockerfiles_for_host_builders(number: int, noise: float) -> None:
    """They are rewritten in linear time, or refused as soon."""
    refuse_quadratic(rewritten, DOCKERFILES[number], noise)


@pytest.mark.parametrize("number", range(len(DEPLOYMENTS)))
def test_deployment_files(number: int, noise: float) -> None:
    """YAML, and each list and mapping of LDL, is read in linear time."""
    refuse_quadratic(deployment, DEPLOYMENTS[number], noise)


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_model_settings(number: int, noise: float) -> None:
    """The JSON of a model's settings is read in linear time."""
    refuse_quadratic(lambda text: model_setting.read(text.encode()), SETTINGS[number], noise)


@pytest.mark.parametrize("number", range(len(DESCRIPTIONS)))
def test_descriptions(number: int, noise: float) -> None:
    """The JSON that describes a Space is read in linear time."""
    refuse_quadratic(described, DESCRIPTIONS[number], noise)


def test_one_long_name_costs_no_more_than_many_short_ones(noise: float) -> None:
    """Unicode's normal forms, which sort combining characters, get no long text to sort."""
    read = partial(file_paths.inside, wallet=WALLET, space_name="s")
    long = cost(read, f"{WALLET}/spaces/{COMBINING * 20_000}/a")
    short = cost(read, f"{WALLET}/spaces/{COMBINING * 100}/a")
    assert long <= TIMES_AS_SLOW * max(short, noise)
