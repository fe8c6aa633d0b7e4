"""Spaces that serve a model by `model-setting.json`: which model, what it is, what serves it."""

from app.spaces.inference.frameworks import FRAMEWORKS, image
from app.spaces.inference.hub import ModelDescription, describe
from app.spaces.inference.model_setting import read

__all__ = ["FRAMEWORKS", "ModelDescription", "describe", "image", "read"]
