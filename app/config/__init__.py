"""The operator's configuration: v0.3.0's `config.toml` with new tables, and `CP_*` variables."""

from app.config.load import (
    converted,
    folder,
    keys,
    load,
    tables,
    variable,
)
from app.config.masking import document, secrets, shown
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
    "converted",
    "document",
    "folder",
    "keys",
    "load",
    "secrets",
    "shown",
    "tables",
    "variable",
]
