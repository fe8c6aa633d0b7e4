"""GPU product names, normalised: as tenants, orders, drivers and node labels spell them.

`Nvidia A4000`, `NVIDIA RTX A4000`, `rtxa4000` and the label `NVIDIA-A4000` name one product. A
spelling is reduced to its core, the model's own letters and digits (`a4000`), and its variants, the
maker's suffixes for the same model (`80gb`, `sxm4`). No other module knows these words.
"""

import re

MAKER = "NVIDIA"
MAX_LABEL = 63
_MAX_NAME = 200

# The maker and its product lines, which people write or leave out as they please.
_LINES = re.compile(r"nvidia|geforce|tesla|rtx|gtx|generation")
_VARIANT = re.compile(r"sxm[0-9]?|pcie|nvl|hbm[0-9]?e?|([0-9]{1,3})gi?b?")
# An existing memory size appended to the model: `a10080gb`.
_SIZE = re.compile(r"(?<=[0-9])(10|11|12|16|20|24|32|40|48|80|94|96|141|192)gi?b?$")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
# A maker's name, or the bare name of a model as older drivers give it (`A100-SXM4-40GB`, `T4`).
_PRODUCT = re.compile(
    r"(?:nvidia|geforce|tesla|quadro|titan|[rg]tx)[ _-]?[a-z0-9]|[a-z]{1,2}[0-9]{1,4}[a-z]?(?:-|$)",
    re.IGNORECASE,
)

# The driver's name of a model → the short name that people use, both as cores.
_ALIASES = {
    "pro6000blackwell": "pro6000",
    "pro6000blackwellserveredition": "pro6000se",
    "pro6000blackwellworkstationedition": "pro6000we",
}


def core(name: str) -> str:
    """Return the model's own letters and digits, lower case: `a4000` for `NVIDIA RTX A4000`."""
    return _split(name)[0]


def label(name: str) -> str:
    """Return the canonical label of a product, the same for each spelling: `NVIDIA-A4000`.

    The inventory uses it; the label on a node may be spelled in another way, see `matches`. Empty
    when the text names no product.
    """
    return f"{MAKER}-{core(name).upper()}"[:MAX_LABEL] if core(name) else ""


def label_as_written(product: str) -> str:
    """Turn a product into a label, close to how it was written: `NVIDIA-GeForce-RTX-3080`."""
    branded = re.sub(r"^nvidia", MAKER, product.strip(), flags=re.IGNORECASE)
    return _UNSAFE.sub("-", branded)[:MAX_LABEL].strip("-._")


def label_of_model(model: str) -> str:
    """Turn a model without its maker (`rtx4090`) into a label: `NVIDIA-RTX4090`."""
    bare = re.sub(r"^nvidia[\s_-]*", "", model.strip(), flags=re.IGNORECASE)
    return label_as_written(f"{MAKER} {bare.upper()}")


def is_same_model(name: str, other: str) -> bool:
    """Return whether two spellings name one model, whatever its variants."""
    return bool(core(name)) and core(name) == core(other)


def matches(requested: str, available: str) -> bool:
    """Return whether a product satisfies a request: the same model, each requested variant."""
    requested_model, requested_variants = _split(requested)
    model, variants = _split(available)
    return bool(model) and model == requested_model and requested_variants <= variants


def is_product(name: str) -> bool:
    """Return whether the key of a label looks like a GPU product."""
    return "/" not in name and bool(_PRODUCT.match(name)) and bool(core(name))


def _split(name: str) -> tuple[str, frozenset[str]]:
    """Split a name into its core and its variants."""
    first, *rest = re.sub("[^a-z0-9]+", " ", name[:_MAX_NAME].lower()).split() or [""]
    words, variants = [first], set()
    for word in rest:
        variant = _VARIANT.fullmatch(word)
        if variant:
            variants.add(f"{variant[1]}gb" if variant[1] else word)
        else:
            words.append(word)
    model = _LINES.sub("", "".join(words))
    if size := _SIZE.search(model):
        variants.add(f"{size[1]}gb")
        model = model[: size.start()]
    if _VARIANT.fullmatch(model):
        return "", frozenset(variants)
    return _ALIASES.get(model, model), frozenset(variants)
