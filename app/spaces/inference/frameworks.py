"""The frameworks that models can be served with: those of the api-inference-community sources."""

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


def named(word: str) -> str | None:
    """Return the framework of a library's name on the hub (`sentence-transformers`), or None."""
    name = word.strip().lower().replace("-", "_")
    return name if name in FRAMEWORKS else None


def image(framework: str, place: str) -> str:
    """Return the image that serves a framework's models.

    Args:
        framework: One of `FRAMEWORKS`.
        place: What the names of images in the operator's registry begin with; empty: the nodes have
            the image themselves, or get it from where they get others.
    """
    name = f"lagrange/{framework}:v1.0"
    return f"{place}/{name}" if place else name
