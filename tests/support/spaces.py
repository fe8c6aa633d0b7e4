"""Spaces that tests deploy."""

from collections.abc import Mapping
from pathlib import Path

from app.spaces import files
from app.spaces.files import Files

SPACE = """
version: "2.0"
services:
  web:
    image: nginx:1.27
    depends-on: [cache]
    expose:
      - {port: 80, to: [{global: true}]}
  cache:
    image: redis:7
    expose:
      - {port: 6379}
  api:
    image: node:22
    expose:
      - {port: 3000, to: [{service: web}]}
deployment:
  web: {lagrange: {count: 1}}
  cache: {lagrange: {count: 1}}
  api: {lagrange: {count: 2}}
"""


def stored(folder: Path, contents: Mapping[str, bytes]) -> Files:
    """Write a Space's files into a folder that does not exist yet."""
    files.prepare(folder)
    for path, content in contents.items():
        with files.create(folder, path) as file:
            file.write(content)
    return Files(folder, contents)
