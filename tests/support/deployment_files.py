"""Deployment files with little in them."""

from collections.abc import Callable

from app.spaces.ldl import Deployment

GI = 1 << 30


def file(*services: str, compute: str = "{}", deployment: str = "{}", params: str = "{}") -> str:
    """A file with services that have only an image, and profiles for some of them."""
    listed = ", ".join(f"{name}: {{image: a, params: {params}}}" for name in services)
    return (
        f'version: "2.0"\nservices: {{{listed}}}\n'
        f"profiles: {{compute: {compute}}}\ndeployment: {deployment}\n"
    )


Read = Callable[..., Deployment]
Lines = Callable[..., list[str]]
Web = Callable[[str], str]
