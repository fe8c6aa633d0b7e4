"""Tests of the Dockerfile parser: every form of EXPOSE that Docker accepts, and any other text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.spaces import dockerfile

NO_PORT = "the Dockerfile exposes no TCP port"


def port(text: str) -> int:
    """Return the port of a Dockerfile."""
    return dockerfile.read(text.encode()).port


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nEXPOSE 8080", 8080),
        ("FROM a\nEXPOSE 8080/tcp", 8080),
        ("FROM a\nEXPOSE 8080/TCP 9090", 8080),
        ("FROM a\nEXPOSE 8080 9090\nEXPOSE 7070", 8080),
        ("from a\n\texpose   8080  ", 8080),
        ("\ufeffFROM a\r\nEXPOSE 8080\r\n", 8080),
        ("FROM a\nEXPOSE 8000-8010", 8000),
        ("FROM a\nEXPOSE 80:8081", 8081),
        ('FROM a\nEXPOSE "8080"', 8080),
        ("FROM a\nEXPOSE 53/udp 8053/tcp", 8053),
        ("FROM a\nEXPOSE nonsense\nEXPOSE 8080", 8080),
        ("FROM a\nEXPOSE 0 65536 8080", 8080),
    ],
)
def test_a_plain_port(text: str, expected: int) -> None:
    """The first TCP port that the file exposes counts, however it is spelled."""
    assert port(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nENV PORT=8080\nEXPOSE $PORT", 8080),
        ("FROM a\nENV PORT 8080\nEXPOSE ${PORT}/tcp", 8080),
        ("FROM a\nENV A=1 PORT='8080' B=2\nEXPOSE $PORT", 8080),
        ("FROM a\nARG PORT=8080\nEXPOSE $PORT", 8080),
        ("ARG PORT=8080\nFROM a\nARG PORT\nEXPOSE $PORT", 8080),
        ("FROM a\nARG PORT=1\nENV PORT=8080\nARG PORT=2\nEXPOSE $PORT", 8080),
        ("FROM a\nEXPOSE ${PORT:-8080}", 8080),
        ("FROM a\nENV PORT=\nEXPOSE ${PORT:-8080}", 8080),
        ("FROM a\nENV ON=1\nEXPOSE ${ON:+8080}", 8080),
        ("FROM a\nENV P=80 PORT=${P}81\nEXPOSE $PORT", 81),
        ("FROM a\nENV P=80\nENV PORT=${P}80\nEXPOSE $PORT", 8080),
        ("FROM a\nENV PORTS='8080 9090'\nEXPOSE $PORTS", 8080),
        ("FROM a\nEXPOSE ${A:-${B:-8080}}", 8080),
        ("FROM a\nENV P=1\nEXPOSE $P\nENV P=2", 1),
        ("FROM a\nENV P=1\nEXPOSE \\$P 8080", 8080),
    ],
)
def test_a_port_from_variables(text: str, expected: int) -> None:
    """ARG and ENV have their values at the EXPOSE; ENV takes precedence."""
    assert port(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a AS build\nEXPOSE 1\nFROM b\nEXPOSE 8080", 8080),
        ("FROM a AS base\nEXPOSE 8080\nFROM base\nRUN true", 8080),
        ("FROM a AS base\nENV PORT=8080\nFROM BASE as end\nEXPOSE $PORT", 8080),
        ("ARG S=base\nFROM a AS base\nEXPOSE 8080\nFROM --platform=x ${S}\nRUN true", 8080),
        ("FROM a AS build\nEXPOSE 1\nFROM b\nCOPY --from=build /x /x", 80),
        ("FROM a AS one\nENV P=1\nFROM b\nEXPOSE $P 8080", 8080),
        ("ARG P=1\nFROM a\nEXPOSE $P 8080", 8080),
        ("EXPOSE 1\nFROM a", 80),
    ],
)
def test_several_stages(text: str, expected: int) -> None:
    """The last stage counts, with all that it inherits from the stages that it is built from."""
    assert port(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nEXPOSE \\\n  8080", 8080),
        ("FROM a\nEXPOSE \\  \n# a comment\n\n  8080 \\\n 9090", 8080),
        ("FROM a\nRUN echo \\\n EXPOSE 1 && \\\n true\nEXPOSE 8080", 8080),
        ("FROM a\n# EXPOSE 1\n  # EXPOSE 2\nEXPOSE 8080", 8080),
        ("# escape=`\nFROM a\nRUN x `\n EXPOSE 1\nENV P=C:\\\nEXPOSE 8080", 8080),
        ("# syntax=docker/dockerfile:1\n# ESCAPE = `\nFROM a\nEXPOSE `\n 8080", 8080),
        ("# a comment\n# escape=`\nFROM a\nEXPOSE \\\n 8080", 8080),
        ("FROM a\nRUN <<EOF\nEXPOSE 1\nEOF\nEXPOSE 8080", 8080),
        ("FROM a\nCOPY <<-'A' <<B /x/\n\tEXPOSE 1\n\tA\nEXPOSE 2\nB\nEXPOSE 8080", 8080),
        ("FROM a\nENV X <<EOF\nEXPOSE 8080\nEOF", 8080),
        ("FROM a\nONBUILD EXPOSE 1\nEXPOSE 8080", 8080),
        ("FROM a\nONBUILD RUN <<E\nEXPOSE 1\nE\nEXPOSE 8080", 8080),
        ("FROM a\nEXPOSE 8080 \\", 8080),
    ],
)
def test_text_that_is_not_an_instruction(text: str, expected: int) -> None:
    """Comments, continuations, heredocs and ONBUILD hide text that only looks like an EXPOSE."""
    assert port(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "FROM a", "FROM a\nEXPOSE", "FROM a\nEXPOSE $PORT", "FROM a\nEXPOSE 53/udp", "\0\xff"],
)
def test_no_port(text: str) -> None:
    """Without a port it is 80, and the author learns how to choose another."""
    parsed = dockerfile.read(text.encode("latin-1"))
    assert parsed.port == 80
    assert NO_PORT in parsed.warnings[-1]


def test_ignored_ports_are_warned_of() -> None:
    """Each EXPOSE that does not count is named."""
    parsed = dockerfile.read(b'FROM a\nEXPOSE 1/udp x "open\nEXPOSE 8080')
    assert [warning.partition(":")[0] for warning in parsed.warnings] == [
        'EXPOSE "open cannot be evaluated',
        "EXPOSE 1/udp",
        "EXPOSE x",
    ]


def test_urls_of_add() -> None:
    """URLs of ADD are found in both forms; COPY, files and targets are ignored."""
    text = """
FROM a
ENV BASE=https://one.example
ADD --chown=1 $BASE/x file git@two.example:y /target
ADD ["http://three.example/z", "https://target/"]
ADD https://target-only.example
COPY http://no.example /x
"""
    assert dockerfile.read(text.encode()).urls == (
        "https://one.example/x",
        "git@two.example:y",
        "http://three.example/z",
    )


WORDS = st.sampled_from(
    [
        *("FROM", "ARG", "ENV", "EXPOSE", "RUN", "ADD", "ONBUILD", "AS", "a", "80", "8080/tcp"),
        *(" ", " ", "\n", "\n", "\\\n", "`", "# escape=`\n", "$A", "${A:-", "}", "{", "A=", "$"),
        *(
            "'",
            '"',
            "<<E",
            "E\n",
            "[",
            "]",
            ",",
            "-",
            "/udp",
            ":",
            "\t",
            "\r",
            "\0",
            "\x85",
            "\ud800",
        ),
    ]
)


@given(st.lists(WORDS, max_size=60).map("".join))
def test_any_text_is_read(text: str) -> None:
    """No text crashes the parser, and the port is always valid."""
    parsed = dockerfile.read(text.encode("utf-8", "surrogatepass"))
    assert 0 < parsed.port < 65536
    assert all(warning.isprintable() and len(warning) < 300 for warning in parsed.warnings)


@given(st.binary(max_size=300))
def test_any_bytes_are_read(content: bytes) -> None:
    """No bytes crash the parser."""
    assert 0 < dockerfile.read(content).port < 65536


@pytest.mark.parametrize(
    "content",
    [
        b"FROM a\nENV A=xxxxxxxxxx\n" + b"ENV A=$A$A$A$A\n" * 50_000 + b"EXPOSE $A",
        b"FROM a\n" + b"".join(b"ENV A%d=$A%d\n" % (n, n - 1) for n in range(60_000)),
        b"FROM a AS s0\n" + b"".join(b"FROM s%d AS s%d\n" % (n, n + 1) for n in range(40_000)),
        b"FROM a\nEXPOSE " + b"${A:-" * 200_000,
        b"FROM a\nEXPOSE " + b"x " * 500_000,
        b"FROM a\nRUN " + b"<<A " * 250_000,
        b"FROM a\nRUN " + b"\\\n" * 500_000,
        b"FROM a\nEXPOSE 80" + b":" * 1_000_000,
    ],
    ids=["growth", "variables", "stages", "braces", "words", "heredocs", "continuations", "colons"],
)
def test_bombs_are_read_in_seconds(content: bytes) -> None:
    """Text made to grow or to nest costs no more than its size."""
    start = time.process_time()
    assert dockerfile.read(content).port == 80
    assert time.process_time() - start < 5
