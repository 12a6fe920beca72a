"""One readable file per published result, and the register of them.

The register is all that the terminal needs to name the recipes: a recipe is imported, and PyTorch with it, when it is asked for.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harmonium.recipes.cd_bias import CdBias
    from harmonium.recipes.density import Density
    from harmonium.recipes.digits import Digits
    from harmonium.recipes.mnist_dbm import MnistDbm
    from harmonium.recipes.mnist_dbn import MnistDbn
    from harmonium.recipes.mnist_dbn_bound import MnistDbnBound
    from harmonium.recipes.mnist_denoise import MnistDenoise
    from harmonium.recipes.mnist_exact import MnistExact
    from harmonium.recipes.mnist_joint import MnistJoint
    from harmonium.recipes.mnist_rbm import MnistRbm

    RECIPES: tuple[Any, ...]


@dataclass(frozen=True)
class Entry:
    """What the register says of a recipe.

    Attributes:
        name: as the command line has it.
        module: where it is.
        kind: its class there.
        sentence: what it does, in at most 60 characters.
        published: the value published of the first headline, "" where there is none; a star says that the protocol is another than ours.
        headline: metrics, of which a list shows the first, and the records that have them all.
        setting: the one whose record a list shows; by default the first that is recorded.
    """

    name: str
    module: str
    kind: str
    sentence: str
    published: str
    headline: tuple[str, ...]
    setting: str = ""


REGISTRY = (
    Entry(
        "cd-bias",
        "harmonium.recipes.cd_bias",
        "CdBias",
        "Fixed points of CD-1, CD-10 and PCD beside the likelihood's",
        "not 0",
        ("kl_gap_cd1_weight_cost_nats",),
    ),
    Entry(
        "density",
        "harmonium.recipes.density",
        "Density",
        "RBMs on thirteen binary data sets, in nats a test case",
        "-9.81*",
        ("test_nats_mushrooms",),
    ),
    Entry(
        "digits",
        "harmonium.recipes.digits",
        "Digits",
        "The demo: a deep belief net of 8x8 digits, in about a minute",
        "",
        ("test_error_percent",),
    ),
    Entry(
        "mnist-dbm",
        "harmonium.recipes.mnist_dbm",
        "MnistDbm",
        "Deep Boltzmann machine 784-500-1000: its variational bound",
        "-84.62",
        ("test_bound_nats", "ablation_nats"),
    ),
    Entry(
        "mnist-dbn",
        "harmonium.recipes.mnist_dbn",
        "MnistDbn",
        "Deep belief net of digits, fine-tuned by backpropagation",
        "1.2",
        ("test_error_percent",),
    ),
    Entry(
        "mnist-dbn-bound",
        "harmonium.recipes.mnist_dbn_bound",
        "MnistDbnBound",
        "Variational bound of a deep belief net 784-500-2000",
        "-85.97*",
        ("test_bound_nats",),
    ),
    Entry(
        "mnist-denoise",
        "harmonium.recipes.mnist_denoise",
        "MnistDenoise",
        "Digits under structured noise, with top-down effects",
        "",
        ("test_gate_error_percent_block",),
    ),
    Entry(
        "mnist-exact",
        "harmonium.recipes.mnist_exact",
        "MnistExact",
        "Learning rules side by side, log Z exact; and centring",
        "-150.11*",
        ("test_nats_pcd_20_hidden",),
    ),
    Entry(
        "mnist-joint",
        "harmonium.recipes.mnist_joint",
        "MnistJoint",
        "Digits and labels in one net, tuned by wake-sleep",
        "1.25",
        ("test_error_percent",),
    ),
    Entry(
        "mnist-rbm",
        "harmonium.recipes.mnist_rbm",
        "MnistRbm",
        "RBM of 500 hidden units on digits: its likelihood",
        "-86.34",
        ("test_nats_fixed_stochastic",),
        "full, learnt from fixed pixels",
    ),
)


def find(name: str) -> Any:
    """A recipe's class, of which only its own module is imported.

    Parameters
    ----------
    name
        As the command line has it.

    Returns
    -------
    type[Recipe]

    Raises
    ------
    ValueError
        There is no recipe of that name.

    Examples
    --------
    >>> find("mnist-rbm").paper
    'Salakhutdinov & Murray 2008'
    """
    for entry in REGISTRY:
        if entry.name == name:
            return getattr(import_module(entry.module), entry.kind)
    raise ValueError(f"{name!r} is no recipe of this version: see `harmonium list`")


def __getattr__(name: str) -> Any:
    if name == "RECIPES":
        return tuple(find(entry.name) for entry in REGISTRY)
    for entry in REGISTRY:
        if entry.kind == name:
            return find(entry.name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "RECIPES",
    "REGISTRY",
    "CdBias",
    "Density",
    "Digits",
    "Entry",
    "MnistDbm",
    "MnistDbn",
    "MnistDbnBound",
    "MnistDenoise",
    "MnistExact",
    "MnistJoint",
    "MnistRbm",
    "find",
]
