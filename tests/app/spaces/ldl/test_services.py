"""Tests of the `services` section, each service by itself."""

from collections.abc import Callable

import pytest

from app.spaces.ldl import Deployment
from app.spaces.ldl.diagnostics import MAX_PROBLEMS
from k8s.workload import File, Model

Read = Callable[..., Deployment]
Lines = Callable[..., list[str]]
Web = Callable[[str], str]
ENV = """
env:
  - A=b=c
  - EMPTY=
  - ALONE
  - OCTAL=010
  - SPACED= x
"""


def test_env_splits_at_the_first_equals_sign(read: Read, web: Web) -> None:
    """Values may contain `=` and be empty; a name alone is legal."""
    container = read(web(ENV)).components[0].containers[0]
    assert container.env == (
        ("A", "b=c"),
        ("EMPTY", ""),
        ("ALONE", ""),
        ("OCTAL", "010"),
        ("SPACED", " x"),
    )


def test_env_takes_other_spellings_with_a_warning(read: Read, web: Web) -> None:
    """Mappings, pairs and repetitions are read as they were meant."""
    deployment = read(web("env: [{A: 1.10}, {'B=c': d}, ~, C=1, C=2, '']"))
    env = deployment.components[0].containers[0].env
    assert env == (("A", "1.10"), ("B", "c: d"), ("C", "2"))
    paths = [problem.path for problem in deployment.warnings]
    assert paths[:4] == [f"services.web.env[{index}]" for index in (0, 1, 2, 5)]
    assert read(web("env: {A: b}")).components[0].containers[0].env == (("A", "b"),)


def test_nextauth_url_is_the_address_of_the_space(read: Read, web: Web) -> None:
    """Any variable whose name contains NEXTAUTH_URL gets the host's address."""
    env = read(web("env: [NEXTAUTH_URL=x, MY_NEXTAUTH_URL_2]")).components[0].containers[0].env
    url = "https://abc1234567.provider.example"
    assert env == (("NEXTAUTH_URL", url), ("MY_NEXTAUTH_URL_2", url))


def test_nothing_is_left_for_kubernetes_to_expand(read: Read, web: Web) -> None:
    """`$(NAME)` and `$$` reach the container as written; a lone `$` needs no escape."""
    rest = "command: [echo, $(A) $B]\nargs: [a$$b, $HOME]\nenv: [X=$(Y)]\nready-cmd: [$(A)]"
    container = read(web(rest)).components[0].containers[0]
    assert container.command == ("echo", "$$(A) $$B")
    assert container.args == ("a$$$$b", "$HOME")
    assert container.env == (("X", "$$(Y)"),)
    assert container.ready_command == ("$(A)",)


def test_commands_may_be_strings(read: Read, web: Web) -> None:
    """A string is run by a shell, as an image's author would expect."""
    rest = "command: sleep 1\nargs: only\nready-cmd: test -f /ready"
    container = read(web(rest)).components[0].containers[0]
    assert container.command == ("sh", "-c", "sleep 1")
    assert container.args == ("only",)
    assert container.ready_command == ("sh", "-c", "test -f /ready")


@pytest.mark.parametrize("empty", ["[]", "''", "~", "['']"])
def test_an_empty_ready_command_is_none(read: Read, web: Web, empty: str) -> None:
    """An empty command is no probe."""
    assert read(web(f"ready-cmd: {empty}")).components[0].containers[0].ready_command == ()


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "' nginx:1.25 '",
        "docker.io/library/nginx",
        "localhost:5000/a/b__c/d-e.f:Tag_1.0",
        f"zjuuu/pluralis:latest@sha256:{'a' * 64}",
        "GHCR.io/owner/name",
        "10.0.0.1:5000/x",
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


def test_compose_keys_are_warned_of(warnings: Lines, web: Web) -> None:
    """They have no effect; `depends_on` hints at the key that was probably meant."""
    lines = warnings(web("depends_on: [db]\nrestart: always\nenvv: [A=b]\nfoo: bar"))
    assert lines[:4] == [
        (
            "services.web.depends_on: is a Docker Compose key and has no effect here; "
            "use `depends-on`, which puts both in one pod"
        ),
        "services.web.restart: is a Docker Compose key and has no effect here",
        "services.web.envv: is not a known key; did you mean `env`?",
        "services.web.foo: is not a known key and has no effect",
    ]


def test_a_missing_key_names_a_misspelling_of_it(refusals: Lines) -> None:
    """A misspelt `image` is found."""
    lines = refusals("version: '2.0'\nservices: {web: {imgae: nginx}}")
    assert lines == ["services.web.image: is missing; `imgae` is one letter off"]


@pytest.mark.parametrize(
    ("rest", "path"),
    [
        ("credentials: {host: a, username: b, password: c}", "services.web.credentials"),
        ("params: {permissions: {read: [logs]}}", "services.web.params.permissions"),
        ("params: {tee: sev}", "services.web.params.tee"),
        ("env: ['=x']", "services.web.env[0]"),
        ("env: ['ä=x']", "services.web.env[0]"),
        ("env: [[a]]", "services.web.env[0]"),
        ("command: [[a]]", "services.web.command[0]"),
        ("args: [{a: b}]", "services.web.args[0]"),
    ],
)
def test_unsupported_or_invalid_values_are_refused(
    refusals: Lines, web: Web, rest: str, path: str
) -> None:
    """The path leads to the place."""
    (refusal,) = refusals(web(rest))
    assert refusal.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "path", "where"),
    [
        ("nginx.conf", "/etc/nginx/nginx.conf", "/etc/nginx/nginx.conf"),
        ("nginx.conf", "/etc/nginx/default.conf", "/etc/nginx/default.conf"),
        ("conf/app.json", "/app/config", "/app/config/app.json"),
        ("conf/app.json", "/app/config/", "/app/config/app.json"),
        ("./conf/app.json", "/app//app.json", "/app/app.json"),
    ],
)
def test_config_puts_a_file_of_the_space_at_a_path(
    read: Read, web: Web, name: str, path: str, where: str
) -> None:
    """`path` is the file if it looks like one, else the folder."""
    files = {"nginx.conf": b"n", "conf/app.json": b"{}"}
    container = read(web(f"config: {{name: {name}, path: {path}}}"), files=files).components[0]
    (file,) = container.containers[0].files
    normal = name.removeprefix("./")
    assert file == File(name=normal, path=where, content=files[normal])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{name: a, path: /x}", "services.web.config.name: the Space has no file `a`"),
        ("[{name: ../a, path: /x}]", "services.web.config[0].name: must not contain `..`"),
        ("{name: /etc/passwd, path: /x}", "services.web.config.name: must be a path inside"),
        ("{name: b, path: x}", "services.web.config.path: must be an absolute path"),
        ("{name: b, path: /x/../y}", "services.web.config.path: must not contain `..`"),
        ("{name: b, path: /proc/x}", "services.web.config.path: `/proc/x` belongs to the system"),
        ("{name: b}", "services.web.config.path: is missing"),
        ("[{name: b, path: /x/}, {name: b, path: /x/b}]", "services.web.config[1].path: `/x/b` is"),
    ],
)
def test_config_never_leads_out_of_its_place(
    refusals: Lines, web: Web, config: str, expected: str
) -> None:
    """Neither out of the Space nor into a reserved path."""
    (refusal,) = refusals(web(f"config: {config}"), files={"b": b""})
    assert refusal.startswith(expected)


def test_config_files_are_bounded(refusals: Lines, web: Web) -> None:
    """Together they are at most what a ConfigMap holds."""
    text = web("config: [{name: b, path: /x/}, {name: b, path: /y/}]")
    (refusal,) = refusals(text, files={"b": bytes(600_000)})
    assert refusal.startswith("services: mount more than")


def test_models_are_fetched_to_their_folder(read: Read, web: Web) -> None:
    """A model is a URL, a folder and a name."""
    rest = "models: [{name: a.bin, url: https://x.example/a, dir: /models/}]"
    assert read(web(rest)).components[0].containers[0].models == (
        Model(name="a.bin", url="https://x.example/a", directory="/models"),
    )


def test_a_model_may_name_its_digest(read: Read, web: Web) -> None:
    """Upper and lower case are the same digest."""
    rest = f"models: [{{name: a, url: https://x.example/a, dir: /m, sha256: {'Ab' * 32}}}]"
    (model,) = read(web(rest)).components[0].containers[0].models
    assert model.sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("models", "refusal"),
    [
        ("{name: a, dir: /data}", "models[0].dir: `/data/a` lies in `/data`, which"),
        ("{name: a, dir: /data/deep}", "models[0].dir: `/data/deep/a` lies in `/data`, which"),
        ("{name: data, dir: /}", "models[0].dir: must be below /"),
        ("{name: m, dir: /etc}", "models[0].dir: `/etc/m` is taken by services.web.config[0].path"),
        ("{name: m, dir: /m}, {name: m, dir: /m/}", "models[1].dir: `/m/m` is taken by"),
        ("{name: m, dir: /m}, {name: x, dir: /m/m}", "models[1].dir: `/m/m/x` lies in `/m/m`"),
        ("{name: x, dir: /m/m}, {name: m, dir: /m}", "models[1].dir: `/m/m` is taken by"),
    ],
)
def test_models_that_overlap_another_mount_are_refused(
    refusals: Lines, models: str, refusal: str
) -> None:
    """Each file has a place of its own, outside of what else is mounted."""
    listed = models.replace("{", "{url: https://x.example, ")
    text = f"""
    services:
      web:
        image: nginx
        config: [{{name: m, path: /etc/}}]
        models: [{listed}]
        params: {{storage: {{s: {{mount: /data}}}}}}
    profiles: {{compute: {{c: {{resources: {{storage: [{{name: s, size: 1Gi}}]}}}}}}}}
    deployment: {{web: {{lagrange: {{profile: c, count: 1}}}}}}
    """
    (line,) = refusals(text, files={"m": b""})
    assert line.startswith(f"services.web.{refusal}")


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("{name: a, url: https://x.example, dir: /m, sha256: abc}", "sha256"),
        ("{name: 'a:b', url: https://x.example, dir: /m}", "name"),
        (f"{{name: {'é' * 128}, url: https://x.example, dir: /m}}", "name"),
        ("{name: a/b, url: https://x.example, dir: /m}", "name"),
        ("{name: .., url: https://x.example, dir: /m}", "name"),
        ("{name: a, url: file:///etc/passwd, dir: /m}", "url"),
        ("{name: a, url: 'https://[x', dir: /m}", "url"),
        ("{name: a, url: https://x.example, dir: m}", "dir"),
        ("{name: a, url: https://x.example}", "dir"),
    ],
)
def test_models_from_or_to_elsewhere_are_refused(
    refusals: Lines, web: Web, model: str, path: str
) -> None:
    """Only HTTP, only one file, only below an absolute folder."""
    (refusal,) = refusals(web(f"models: [{model}]"))
    assert refusal.startswith(f"services.web.models[0].{path}: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "document: must be a mapping"),
        ("- a", "document: must be a mapping"),
        ("version: '2.0'", "services: must name at least one service"),
        ("version: '2.0'\nservices: []", "services: must be a mapping"),
        ("version: '2.0'\nservices: {web: nginx}", "services.web: must be a mapping"),
        ("version: '3.8'\nservices: {web: {image: a}}", 'version: must be "2.0", not `3.8`'),
        ("version: '2.0'\nservices: {'': {image: a}}", 'services."": is not a service name'),
        (
            "version: '2.0'\nservices: {\"a\\x1bb\": {image: a}}",
            'services."a·b": is not a service name',
        ),
    ],
)
def test_files_of_another_form_are_refused_with_the_reason(
    refusals: Lines, text: str, expected: str
) -> None:
    """No other form crashes the parser."""
    assert refusals(text)[0].startswith(expected)


def test_problems_are_reported_together_and_bounded(refusals: Lines) -> None:
    """An author sees all problems of a short file, but never a flood."""
    services = "".join(f"  s{i}:\n    image: A B\n    expose: [{{port: x}}]\n" for i in range(40))
    assert len(refusals(f"version: '2.0'\nservices:\n{services}")) == MAX_PROBLEMS


def test_numbers_of_services_are_bounded(refusals: Lines) -> None:
    """A file has at most 64 services."""
    services = "".join(f"  s{i}: {{image: a}}\n" for i in range(65))
    assert refusals(f"version: '2.0'\nservices:\n{services}")[0].startswith("services: must have")
