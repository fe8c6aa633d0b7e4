"""Model inference: a Space's `model-setting.json`, the model at the hub, the image that serves it.

Reading the file, describing the model and naming or installing its image live here; planning the
workload does not.
"""

from app.spaces.inference.frameworks import FRAMEWORKS, image_name
from app.spaces.inference.hub import ModelDescription, describe

__all__ = ["FRAMEWORKS", "ModelDescription", "describe", "image_name"]
