"""One folder for each published result, with a `recipe.py` that is read from top to bottom.

`REGISTRY` is all that the terminal needs to name the recipes: a recipe is imported, and PyTorch with it, when it is asked for. `RECIPES`
holds the classes by name, and `find` gives one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from harmonium.recipes.entry import Entry
from harmonium.recipes.register import REGISTRY

if TYPE_CHECKING:
    from harmonium.recipes.angles.recipe import AngleRegression as AngleRegression
    from harmonium.recipes.autoencoder.recipe import MnistAutoencoder as MnistAutoencoder
    from harmonium.recipes.cd_bias.recipe import CdBias as CdBias
    from harmonium.recipes.cifar.recipe import CifarFilters as CifarFilters
    from harmonium.recipes.conv.recipe import MnistConv as MnistConv
    from harmonium.recipes.curves.recipe import CurvesAutoencoder as CurvesAutoencoder
    from harmonium.recipes.dbm.recipe import MnistDbm as MnistDbm
    from harmonium.recipes.dbn.recipe import MnistDbn as MnistDbn
    from harmonium.recipes.dbn_bound.recipe import MnistDbnBound as MnistDbnBound
    from harmonium.recipes.denoise.recipe import MnistDenoise as MnistDenoise
    from harmonium.recipes.density.recipe import Density as Density
    from harmonium.recipes.digits.recipe import Digits as Digits
    from harmonium.recipes.eth80.recipe import Eth80 as Eth80
    from harmonium.recipes.exact.recipe import MnistExact as MnistExact
    from harmonium.recipes.face_pairs.recipe import FacePairs as FacePairs
    from harmonium.recipes.faces.recipe import FacesAutoencoder as FacesAutoencoder
    from harmonium.recipes.few_labels.recipe import FewLabels as FewLabels
    from harmonium.recipes.implicit_mixture.recipe import ImplicitMixture as ImplicitMixture
    from harmonium.recipes.joint.recipe import MnistJoint as MnistJoint
    from harmonium.recipes.layer_size.recipe import LayerSize as LayerSize
    from harmonium.recipes.motion.recipe import Motion as Motion
    from harmonium.recipes.music.recipe import Music as Music
    from harmonium.recipes.norb_jittered.recipe import NorbJittered as NorbJittered
    from harmonium.recipes.norb_reduced.recipe import NorbReduced as NorbReduced
    from harmonium.recipes.patches.recipe import Patches as Patches
    from harmonium.recipes.phones.recipe import Phones as Phones
    from harmonium.recipes.pretraining_depth.recipe import PretrainingDepth as PretrainingDepth
    from harmonium.recipes.pretraining_effect.recipe import PretrainingEffect as PretrainingEffect
    from harmonium.recipes.pretraining_trajectories.recipe import PretrainingTrajectories as PretrainingTrajectories
    from harmonium.recipes.pretraining_why.recipe import PretrainingWhy as PretrainingWhy
    from harmonium.recipes.ratings.recipe import RatingsRecipe as RatingsRecipe
    from harmonium.recipes.rbm.recipe import MnistRbm as MnistRbm
    from harmonium.recipes.topics.recipe import Topics as Topics
    from harmonium.recipes.variations.recipe import MnistVariations as MnistVariations
    from harmonium.recipes.verification.recipe import FaceVerification as FaceVerification
    from harmonium.runs.contract import Recipe


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
