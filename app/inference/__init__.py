"""Spaces that serve a model by `model-setting.json`: which model, what it is, what serves it."""

from app.inference.frameworks import FRAMEWORKS, image
from app.inference.hub import Described, describe
from app.inference.setting import read

__all__ = ["FRAMEWORKS", "Described", "describe", "image", "read"]
