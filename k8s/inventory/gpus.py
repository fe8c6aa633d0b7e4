"""How GPU products are spelled: by tenants, by orders, by drivers, and on nodes' labels.

`Nvidia A4000`, `NVIDIA RTX A4000`, `rtxa4000` and the label `NVIDIA-A4000` name one product. A
spelling is cut down to its core, the model's own letters and digits (`a4000`), and its variants,
what a maker adds for the same model (`80gb`, `sxm4`). The one place that knows these words.
"""

import re

MAKER = "NVIDIA"
MAX_LABEL = 63
_MAX_NAME = 200

# Words of the maker and its product lines, which people write or leave out as they please.
_LINES = re.compile(r"nvidia|geforce|tesla|rtx|gtx|generation")
_VARIANT = re.compile(r"sxm[0-9]?|pcie|nvl|hbm[0-9]?e?|([0-9]{1,3})gi?b?")
# A size of memory that is written onto the model, of those that there are: `a10080gb`.
_SIZE = re.compile(r"(?<=[0-9])(10|11|12|16|20|24|32|40|48|80|94|96|141|192)gi?b?$")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
# A maker's name, or the bare name of a model as older drivers give it (`A100-SXM4-40GB`, `T4`).
_PRODUCT = re.compile(
    r"(?:nvidia|geforce|tesla|quadro|titan|[rg]tx)[ _-]?[a-z0-9]|[a-z]{1,2}[0-9]{1,4}[a-z]?(?:-|$)",
    re.IGNORECASE,
)

# What drivers call a model for which people have another short name: core → core.
_ALIASES = {
    "pro6000blackwell": "pro6000",
    "pro6000blackwellserveredition": "pro6000se",
    "pro6000blackwellworkstationedition": "pro6000we",
}


def core(name: str) -> str:
    """The model's own letters and digits, lower case: `a4000` for `NVIDIA RTX A4000`."""
    return _split(name)[0]


def label(name: str) -> str:
    """The node label of a product, the same for each of its spellings: `NVIDIA-A4000`.

    What nodes are known by in the inventory; the label that a node carries may be spelled in
    another way, see `matches`. Empty when the text names no product.
    """
    return f"{MAKER}-{core(name).upper()}"[:MAX_LABEL] if core(name) else ""


def label_as_written(product: str) -> str:
    """A product as a label can carry it, close to how it was written: `NVIDIA-GeForce-RTX-3080`."""
    branded = re.sub(r"^nvidia", MAKER, product.strip(), flags=re.IGNORECASE)
    return _UNSAFE.sub("-", branded)[:MAX_LABEL].strip("-._")


def label_of_model(model: str) -> str:
    """A model without its maker (`rtx4090`) as a label can carry it: `NVIDIA-RTX4090`."""
    bare = re.sub(r"^nvidia[\s_-]*", "", model.strip(), flags=re.IGNORECASE)
    return label_as_written(f"{MAKER} {bare.upper()}")


def is_same_model(one: str, other: str) -> bool:
    """Whether two spellings name one model, whatever its variants."""
    return bool(core(one)) and core(one) == core(other)


def matches(wanted: str, offered: str) -> bool:
    """Whether who wants one product is served by another: each variant wanted has to be there."""
    (model, variants), (other, has) = _split(wanted), _split(offered)
    return bool(model) and model == other and variants <= has


def is_product(name: str) -> bool:
    """Whether a label's key reads like a GPU product's name."""
    return "/" not in name and bool(_PRODUCT.match(name)) and bool(core(name))


def _split(name: str) -> tuple[str, frozenset[str]]:
    """The core of a name, and its variants."""
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
