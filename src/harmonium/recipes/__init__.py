"""One folder for each published result, with a `recipe.py` that is read from top to bottom.

`REGISTRY` is all that the terminal needs to name the recipes: a recipe is imported, and PyTorch with it, when it is asked for. `RECIPES`
holds the classes by name, and `find` gives one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harmonium.recipes.angles.recipe import AngleRegression as AngleRegression
    from harmonium.recipes.autoencoder.recipe import MnistAutoencoder as MnistAutoencoder
    from harmonium.recipes.cd_bias.recipe import CdBias as CdBias
    from harmonium.recipes.conv.recipe import MnistConv as MnistConv
    from harmonium.recipes.curves.recipe import CurvesAutoencoder as CurvesAutoencoder
    from harmonium.recipes.dbm.recipe import MnistDbm as MnistDbm
    from harmonium.recipes.dbn.recipe import MnistDbn as MnistDbn
    from harmonium.recipes.dbn_bound.recipe import MnistDbnBound as MnistDbnBound
    from harmonium.recipes.denoise.recipe import MnistDenoise as MnistDenoise
    from harmonium.recipes.density.recipe import Density as Density
    from harmonium.recipes.digits.recipe import Digits as Digits
    from harmonium.recipes.exact.recipe import MnistExact as MnistExact
    from harmonium.recipes.few_labels.recipe import FewLabels as FewLabels
    from harmonium.recipes.joint.recipe import MnistJoint as MnistJoint
    from harmonium.recipes.layer_size.recipe import LayerSize as LayerSize
    from harmonium.recipes.pretraining_depth.recipe import PretrainingDepth as PretrainingDepth
    from harmonium.recipes.pretraining_effect.recipe import PretrainingEffect as PretrainingEffect
    from harmonium.recipes.pretraining_trajectories.recipe import PretrainingTrajectories as PretrainingTrajectories
    from harmonium.recipes.pretraining_why.recipe import PretrainingWhy as PretrainingWhy
    from harmonium.recipes.rbm.recipe import MnistRbm as MnistRbm
    from harmonium.recipes.variations.recipe import MnistVariations as MnistVariations
    from harmonium.runs.contract import Recipe


@dataclass(frozen=True)
class Entry:
    """What the register says of a recipe.

    Attributes
    ----------
    name
        As the command line has it.
    module
        Where it is.
    kind
        Its class there.
    sentence
        What it does, in at most 60 characters.
    published
        The value published of the first headline, "" where there is none; a star says that the protocol is another than ours.
    headline
        Metrics, of which a list shows the first, and the records that have them all.
    setting
        The one whose record a list shows; by default the first that is recorded.
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
        "angle-regression",
        "harmonium.recipes.angles.recipe",
        "AngleRegression",
        "Views of toys: their directions from few labels",
        "",
        ("test_degrees_off_pretrained_1_labelled",),
    ),
    Entry(
        "cd-bias",
        "harmonium.recipes.cd_bias.recipe",
        "CdBias",
        "Fixed points of CD and PCD beside the likelihood's",
        "not 0",
        ("kl_gap_cd1_weight_cost_nats",),
    ),
    Entry(
        "curves-autoencoder",
        "harmonium.recipes.curves.recipe",
        "CurvesAutoencoder",
        "Deep autoencoder of curves in six numbers, beside PCA",
        "1.44*",
        ("test_squared_error",),
    ),
    Entry(
        "density",
        "harmonium.recipes.density.recipe",
        "Density",
        "RBMs on thirteen binary data sets, in nats a case",
        "-9.81*",
        ("test_nats_mushrooms",),
    ),
    Entry(
        "digits",
        "harmonium.recipes.digits.recipe",
        "Digits",
        "The demo: a deep belief net, in about a minute",
        "",
        ("test_error_percent",),
    ),
    Entry(
        "few-labels",
        "harmonium.recipes.few_labels.recipe",
        "FewLabels",
        "MNIST with 100 to 60,000 labels, pre-trained or not",
        "6.35*",
        ("test_error_percent_pretrained_1000", "test_error_percent_random_1000"),
    ),
    Entry(
        "layer-size",
        "harmonium.recipes.layer_size.recipe",
        "LayerSize",
        "MNIST by deep belief nets of several shapes",
        "",
        ("test_error_percent_500_500_2000", "test_error_percent_2000_500_500"),
    ),
    Entry(
        "mnist-autoencoder",
        "harmonium.recipes.autoencoder.recipe",
        "MnistAutoencoder",
        "Deep autoencoder of digits in 30 numbers, beside PCA",
        "3.00",
        ("test_squared_error",),
    ),
    Entry(
        "mnist-conv",
        "harmonium.recipes.conv.recipe",
        "MnistConv",
        "Convolutional nets of digits, pre-trained and not",
        "0.60*",
        ("test_error_percent_pretrained", "test_error_percent_random"),
    ),
    Entry(
        "mnist-dbm",
        "harmonium.recipes.dbm.recipe",
        "MnistDbm",
        "Deep Boltzmann machine 784-500-1000: its bound",
        "-84.62",
        ("test_bound_nats", "ablation_nats", "test_error_percent", "test_dropout_error_percent"),
    ),
    Entry(
        "mnist-dbn",
        "harmonium.recipes.dbn.recipe",
        "MnistDbn",
        "Deep belief net of digits, then backpropagation",
        "1.2",
        ("test_error_percent",),
    ),
    Entry(
        "mnist-dbn-bound",
        "harmonium.recipes.dbn_bound.recipe",
        "MnistDbnBound",
        "Variational bound of a deep belief net 784-500-2000",
        "-85.97*",
        ("test_bound_nats",),
    ),
    Entry(
        "mnist-denoise",
        "harmonium.recipes.denoise.recipe",
        "MnistDenoise",
        "Digits under structured noise, with top-down effects",
        "",
        ("test_gate_error_percent_block",),
    ),
    Entry(
        "mnist-exact",
        "harmonium.recipes.exact.recipe",
        "MnistExact",
        "Learning rules and centring, log Z exact",
        "-150.11*",
        ("test_nats_pcd_20_hidden",),
    ),
    Entry(
        "mnist-joint",
        "harmonium.recipes.joint.recipe",
        "MnistJoint",
        "Digits and labels in one net, tuned by wake-sleep",
        "1.25",
        ("test_error_percent",),
    ),
    Entry(
        "mnist-rbm",
        "harmonium.recipes.rbm.recipe",
        "MnistRbm",
        "RBM of 500 hidden units on digits: its likelihood",
        "-86.34",
        ("test_nats_fixed_stochastic",),
        "full, learnt from fixed pixels",
    ),
    Entry(
        "mnist-variations",
        "harmonium.recipes.variations.recipe",
        "MnistVariations",
        "Eight sets of many factors: DBNs beside an SVM",
        "10.30*",
        ("test_error_percent_dbn3_rot",),
    ),
    Entry(
        "pretraining-depth",
        "harmonium.recipes.pretraining_depth.recipe",
        "PretrainingDepth",
        "Sigmoid nets of 1 to 5 layers, pre-trained or not",
        "1.41*",
        ("test_error_percent_median_pretrained_depth_1",),
    ),
    Entry(
        "pretraining-effect",
        "harmonium.recipes.pretraining_effect.recipe",
        "PretrainingEffect",
        "A hundred nets with pre-training, a hundred without",
        "1.37*",
        ("test_error_percent_median_pretrained_depth_2",),
    ),
    Entry(
        "pretraining-trajectories",
        "harmonium.recipes.pretraining_trajectories.recipe",
        "PretrainingTrajectories",
        "Pre-trained nets and others in function space",
        "0*",
        ("share_beside_other_kind",),
    ),
    Entry(
        "pretraining-why",
        "harmonium.recipes.pretraining_why.recipe",
        "PretrainingWhy",
        "Does pre-training help: labels of causes, of pixels",
        "",
        ("test_error_percent_pretrained_parity_of_3_bars_depth_2",),
    ),
)


class _Recipes(Mapping[str, "type[Recipe]"]):
    """The classes by name. Names and their number cost nothing; a class is imported when it is asked for."""

    def __getitem__(self, name: str) -> type[Recipe]:
        entry = next((entry for entry in REGISTRY if entry.name == name), None)
        if entry is None:
            raise KeyError(name)
        kind: type[Recipe] = getattr(import_module(entry.module), entry.kind)
        return kind

    def __contains__(self, name: object) -> bool:
        return any(entry.name == name for entry in REGISTRY)

    def __iter__(self) -> Iterator[str]:
        return (entry.name for entry in REGISTRY)

    def __len__(self) -> int:
        return len(REGISTRY)


RECIPES: Mapping[str, type[Recipe]] = _Recipes()


def find(name: str) -> type[Recipe]:
    """A recipe's class, of which only its own module is imported.

    Parameters
    ----------
    name
        As the command line has it.

    Raises
    ------
    ValueError
        There is no recipe of that name.

    Examples
    --------
    >>> find("mnist-rbm").paper
    'Salakhutdinov & Murray 2008'
    """
    if name not in RECIPES:
        raise ValueError(f"{name!r} is no recipe of this version: see `harmonium list`")
    return RECIPES[name]


def __getattr__(name: str) -> Any:
    """A recipe's class by its own name, as in `from harmonium.recipes import MnistRbm`."""
    for entry in REGISTRY:
        if entry.kind == name:
            return find(entry.name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *(entry.kind for entry in REGISTRY)]


__all__ = ["RECIPES", "REGISTRY", "Entry", "find"]
