"""Tests of the `services` section, each service by itself."""

import pytest

from app.spaces.ldl.diagnostics import MAX_PROBLEMS
from tests.support.deployment_files import Lines, Read, Web

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
