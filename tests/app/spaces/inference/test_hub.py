"""What the hub says of models, asked over real HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.config import Inference
from app.errors import Permanent, Temporary
from app.spaces.inference import (
    FRAMEWORKS,
    ModelDescription,
    describe,
    image,
)
from tests.support import fake_hub
from tests.support.fake_hub import Answer, Hub

TOKEN = "hf_secret"
KNOWN = {"library_name": "transformers", "pipeline_tag": "text-generation", "gated": False}


@pytest.fixture
def market() -> Iterator[Hub]:
    """A hub that knows one model."""
    with fake_hub.serving() as found:
        found.models["a/b"] = {**KNOWN, "siblings": [{"rfilename": "x"}], "downloads": 7}
        yield found


def table(market: Hub, token: str = "") -> Inference:
    """Return the configuration for a hub."""
    return Inference(server_url=f"{market.url}/", access_token=token)


async def test_a_model(market: Hub) -> None:
    """Framework and task come from the hub; without a token none is sent, with one it is."""
    assert await describe(table(market), "a/b") == ModelDescription(
        "a/b", "transformers", "text-generation"
    )
    await describe(table(market, TOKEN), "a/b")
    assert market.asked == [("/api/models/a/b", ""), ("/api/models/a/b", f"Bearer {TOKEN}")]


@pytest.mark.parametrize(
    ("said", "framework"),
    [
        ({"library_name": "sentence-transformers"}, "sentence_transformers"),
        ({"library_name": "Pyannote-Audio"}, "pyannote_audio"),
        ({"library_name": None, "tags": ["pytorch", "diffusers", "transformers"]}, "diffusers"),
    ],
)
async def test_frameworks(market: Hub, said: dict[str, Any], framework: str) -> None:
    """A library's hyphens are a framework's underscores; where no library is named, tags tell."""
    market.models["a/b"] = {**KNOWN, **said}
    assert (await describe(table(market), "a/b")).framework == framework


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"library_name": "mlx"}, "is for mlx; those served here are adapter_transformers, "),
        ({"library_name": "common\x1b"}, "is for common·; "),
        ({"library_name": None, "tags": ["mlx"]}, "names no framework (library_name); "),
        ({"pipeline_tag": None}, "names no task (pipeline_tag)"),
        ({"pipeline_tag": "a b\n"}, "names no task (pipeline_tag)"),
        ({"gated": "manual"}, "is gated: "),
        ({"private": True}, "is private: "),
        ({"disabled": True}, "is disabled: "),
    ],
)
async def test_what_cannot_be_served(market: Hub, said: dict[str, Any], words: str) -> None:
    """A model that no pod could serve is refused, with the reason."""
    market.models["a/b"] = {**KNOWN, **said}
    with pytest.raises(Permanent) as refused:
        await describe(table(market), "a/b")
    assert refused.value.category == "model_refused"
    assert refused.value.message.startswith(f"the model a/b {words}")
    assert refused.value.message.isprintable()


@pytest.mark.parametrize(
    ("status", "token", "category", "words"),
    [
        (404, "", "model_missing", "has no model a/b; "),
        (401, "", "model_missing", "has no public model a/b; "),
        (401, TOKEN, "model_denied", "does not take this provider's token; "),
        (403, TOKEN, "model_denied", "answers 403 for the model a/b; "),
        (400, "", "model_denied", "answers 400 for the model a/b; "),
    ],
)
async def test_refusals(market: Hub, status: int, token: str, category: str, words: str) -> None:
    """A refusal says who has to do what, and never the token."""
    market.answers["/api/models/a/b"] = status, {}, b"{}"
    with pytest.raises(Permanent) as refused:
        await describe(table(market, token), "a/b")
    assert refused.value.category == category
    assert refused.value.message.startswith(f"127.0.0.1 {words}")
    assert TOKEN not in refused.value.message


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        ((429, {"Retry-After": "7"}, b""), 7),
        ((429, {"Retry-After": "99999"}, b""), 600),
        ((503, {"Retry-After": "soon"}, b""), None),
        ((200, {}, b"<html>"), None),
        ((200, {}, b'{"pipeline_tag": 7}'), None),
    ],
)
async def test_what_may_pass(market: Hub, answer: Answer, pause: float | None) -> None:
    """An overloaded or broken hub is asked again, when it says or as usual."""
    market.answers["/api/models/a/b"] = answer
    with pytest.raises(Temporary) as failed:
        await describe(table(market), "a/b")
    assert (failed.value.category, failed.value.retry_after) == ("hub", pause)


async def test_a_hub_that_is_away() -> None:
    """Nobody there is no reason to refuse a model."""
    with pytest.raises(Temporary) as failed:
        await describe(Inference(server_url="http://127.0.0.1:1"), "a/b")
    assert failed.value.category == "unreachable"


async def test_a_renamed_model(market: Hub) -> None:
    """A redirect on the same server is followed."""
    market.answers["/api/models/old"] = 307, {"Location": "/api/models/a/b"}, b""
    assert (await describe(table(market), "old")).framework == "transformers"


async def test_redirects_elsewhere(market: Hub) -> None:
    """Another server is never asked, whatever redirects there, so it never gets the token."""
    with fake_hub.serving() as other:
        other.models["a/b"] = KNOWN
        for location in (f"{other.url}/api/models/a/b", "//[", market.url.replace("http", "ftp")):
            market.answers["/api/models/a/b"] = 302, {"Location": location}, b""
            with pytest.raises(Permanent, match="another server"):
                await describe(table(market, TOKEN), "a/b")
        assert other.asked == []


async def test_redirects_for_ever(market: Hub) -> None:
    """A circle is left after a few rounds."""
    market.answers["/api/models/a/b"] = 302, {"Location": "/api/models/a/b"}, b""
    with pytest.raises(Permanent, match="redirects the model's description more than 3 times"):
        await describe(table(market), "a/b")
    assert len(market.asked) == 4


def test_images() -> None:
    """An image is in the operator's registry, or where the nodes look."""
    assert image("transformers", "") == "lagrange/transformers:v1.0"
    assert image("k2", "r.example/x") == "r.example/x/lagrange/k2:v1.0"
    assert sorted(set(FRAMEWORKS)) == list(FRAMEWORKS)
