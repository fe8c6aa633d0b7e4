"""Frameworks that can serve models: those of the api-inference-community sources."""

FRAMEWORKS = (
    "adapter_transformers",
    "allennlp",
    "asteroid",
    "bertopic",
    "diffusers",
    "doctr",
    "espnet",
    "fairseq",
    "fastai",
    "fasttext",
    "flair",
    "generic",
    "k2",
    "keras",
    "mindspore",
    "nemo",
    "open_clip",
    "paddlenlp",
    "peft",
    "pyannote_audio",
    "sentence_transformers",
    "setfit",
    "sklearn",
    "spacy",
    "span_marker",
    "speechbrain",
    "stanza",
    "timm",
    "transformers",
)


def from_library(library: str) -> str | None:
    """Return the framework of a library as the hub spells it (`sentence-transformers`), or None."""
    name = library.strip().lower().replace("-", "_")
    return name if name in FRAMEWORKS else None


def image_name(framework: str, place: str) -> str:
    """Return the name of the image that serves a framework's models.

    Args:
        framework: One of `FRAMEWORKS`.
        place: Prefix of image names in the operator's registry; empty if the nodes have the image
            or pull it from their default registry.
    """
    name = f"lagrange/{framework}:v1.0"
    return f"{place}/{name}" if place else name
