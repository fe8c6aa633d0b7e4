"""The operator's configuration: `config.toml` as in v0.3.0, with new tables, and `CP_*` variables.

Files in the provider's folder are read, checked, edited and written here, its key included. Nothing
here connects to Redis, a cluster or Lagrange.
"""

from app.config.load import (
    convert,
    keys,
    load,
    resolve_folder,
    tables,
    variable_name,
)
from app.config.masking import mask, secrets, to_document
from app.config.tables import (
    Admission,
    Api,
    Build,
    Config,
    Inference,
    Lag,
    Mcs,
    Registry,
    TaskTable,
)

__all__ = [
    "Admission",
    "Api",
    "Build",
    "Config",
    "Inference",
    "Lag",
    "Mcs",
    "Registry",
    "TaskTable",
    "convert",
    "keys",
    "load",
    "mask",
    "resolve_folder",
    "secrets",
    "tables",
    "to_document",
    "variable_name",
]
