"""Tests of the YAML parser with untrusted documents."""

import pytest

from app.spaces.ldl import InvalidDeployment, yaml_parser


def refusal(text: str | bytes) -> str:
    """The first refusal of a document that must not be accepted."""
    content = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(InvalidDeployment) as refused:
        yaml_parser.parse(content)
    return str(refused.value)


@pytest.mark.parametrize(
    "scalar", ["no", "on", "12:30", "0o17", "010", "1.10", "2024-01-01", "1e3", "0x1F", "1_000"]
)
def test_scalars_stay_the_text_that_was_written(scalar: str) -> None:
    """A scalar that YAML 1.1 takes for a boolean, a date or a number stays text."""
    assert yaml_parser.parse(f"a: {scalar}".encode()) == {"a": scalar}


def test_only_a_plain_null_or_an_empty_scalar_is_null() -> None:
    """Quoted text is never null."""
    text = b"a:\nb: ~\nc: null\nd: ''\ne: 'null'\nf: !!null x\ng: !!str null"
    assert yaml_parser.parse(text) == {
        "a": None,
        "b": None,
        "c": None,
        "d": "",
        "e": "null",
        "f": None,
        "g": "null",
    }


def test_duplicate_keys_name_their_path_and_lines() -> None:
    """A duplicate key is refused, not resolved by guessing."""
    text = "services:\n  web:\n    image: a\n    image: b\n"
    assert refusal(text) == "services.web.image: appears twice, on line 3 and on line 4"


def test_merges_fill_in_what_is_absent() -> None:
    """An explicit key wins over a merged one, an earlier merge over a later one."""
    text = b"x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], a: 0}"
    parsed = yaml_parser.parse(text)
    assert isinstance(parsed, dict)
    assert parsed["z"] == {"a": "0", "b": "1", "c": "2"}


def test_aliases_count_as_what_they_expand_to() -> None:
    """An alias bomb is refused although its file is small."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "expands the file to more than 20000 values" in refusal("\n".join(levels))


def test_aliases_count_the_bytes_that_they_expand_to() -> None:
    """A long text that is repeated by aliases is refused."""
    text = f"a: &a {'x' * 10_000}\nb: [{', '.join(['*a'] * 100)}]"
    assert "expands the file to more than 512 KiB" in refusal(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &a [*a]", "a[0]: *a contains itself (line 1)"),
        ("a: *b", "a: *b refers to an anchor that the file does not define (line 1)"),
        ("a: !!python/object:os.system x", "has a tag"),
        ("a: !!binary aGk=", "has a tag"),
        ("a: !!set {x: }", "has a tag"),
        ("[a]: b", "has a key that is not a string"),
        ("~: b", "has a key that is not a string"),
        ("a: {<<: 5}", "`<<` merges mappings only"),
        ('a: "x\\0y"', "a: contains a NUL character (line 1)"),
        ("a: b\n---\nc: d", "document: contains several YAML documents"),
        ("a:\n\tb: c", "line 2, column 1: found character that cannot start any token; indent"),
        ("a: [", "line 2, column 1: did not find expected node content"),
        ("a: b\nc: d: e", "line 2, column 5: mapping values are not allowed"),
        ("a: 'x", "found unexpected end of stream"),
        (b"a: \xff", "line 1: is not UTF-8 text"),
        ("a: b".encode("utf-16"), "line 1: is not UTF-8 text"),
        (b"a: b\nc: \x00", "line 2: contains a control character (U+0000)"),
        ("[" * 1000, "is nested deeper than 64 levels"),
        ("a: 1\n" + "#" * (1 << 20), "document: is larger than 1 MiB"),
    ],
)
def test_invalid_documents_are_refused_with_their_place(text: str | bytes, expected: str) -> None:
    """Every broken or hostile document is refused with its place."""
    assert expected in refusal(text)


def test_harmless_oddities_are_read() -> None:
    """A byte order mark, empty documents, Windows lines and lines that hold only a tab."""
    assert yaml_parser.parse(b"\xef\xbb\xbf---\r\na: b\r\n") == {"a": "b"}
    assert yaml_parser.parse(b"---\n---\na: b\n---\n") == {"a": "b"}
    assert yaml_parser.parse(b"a: b\n\t\nc: d\n") == {"a": "b", "c": "d"}
    assert yaml_parser.parse(b"") is None
