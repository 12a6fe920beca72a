"""One folder for each published result, with a `recipe.py` that is read from top to bottom.

`ENTRIES` says of every recipe what it is without importing it; `RECIPES` holds the classes by name, `find` gives one, and each is imported
when it is first asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from harmonium.recipes.cd_bias.recipe import CdBias as CdBias
    from harmonium.recipes.dbm.recipe import MnistDbm as MnistDbm
    from harmonium.recipes.dbn.recipe import MnistDbn as MnistDbn
    from harmonium.recipes.dbn_bound.recipe import MnistDbnBound as MnistDbnBound
    from harmonium.recipes.denoise.recipe import MnistDenoise as MnistDenoise
    from harmonium.recipes.density.recipe import Density as Density
    from harmonium.recipes.digits.recipe import Digits as Digits
    from harmonium.recipes.exact.recipe import MnistExact as MnistExact
    from harmonium.recipes.joint.recipe import MnistJoint as MnistJoint
    from harmonium.recipes.rbm.recipe import MnistRbm as MnistRbm
    from harmonium.runs.contract import Recipe


class Entry(NamedTuple):
    """What is known of a recipe before it is imported.

    Attributes
    ----------
    topic
        The folder in this room whose recipe.py holds it.
    kind
        The name of its class.
    sentence
        What it does: the first line of the class's docstring.
    published
        Metrics with published values, in words.
    """

    topic: str
    kind: str
    sentence: str
    published: str = ""


ENTRIES: dict[str, Entry] = {
    "cd-bias": Entry(
        "cd_bias",
        "CdBias",
        "The fixed points of maximum likelihood, CD-1, CD-10, PCD and tempered CD on enumerable machines: KL divergences and asymmetry.",
        "kl gap cd1 weight cost nats: not 0, but small; kl gap cd10 weight cost nats: nearly 0; kl gap pcd weight cost "
        "nats: 0 as the rate falls; kl gap tempered weight cost nats: 0 as the rate falls; kl gap cd1 no weight cost "
        "nats: not 0, but small; kl gap cd10 no weight cost nats: nearly 0; asymmetry cd1: not 0",
    ),
    "density": Entry(
        "density",
        "Density",
        "RBMs on thirteen binary data sets, each chosen among several on validation cases, in nats a test case.",
        "test nats mushrooms: -9.81 (NADE); test nats nips: -273.08 (NADE); test nats mushrooms 23 hidden: -15.15; test"
        " nats nips 23 hidden: -277.37; test nats dna: on another split only",
    ),
    "digits": Entry(
        "digits",
        "Digits",
        "A deep belief net of 8x8 digits: learn, look, generate and classify in under a minute.",
    ),
    "mnist-dbm": Entry(
        "dbm",
        "MnistDbm",
        "A deep Boltzmann machine 784-500-1000 on binary MNIST: its variational bound.",
        "test bound nats: -84.62",
    ),
    "mnist-dbn": Entry(
        "dbn",
        "MnistDbn",
        "The deep belief net of Hinton & Salakhutdinov (2006) on MNIST, fine-tuned by backpropagation with and without dropout.",
        "test error percent: 1.2 (paper), 1.15 (slide); test dropout error percent: 0.92",
    ),
    "mnist-dbn-bound": Entry(
        "dbn_bound",
        "MnistDbnBound",
        "A deep belief net 784-500-2000 on binary MNIST, learnt greedily: its variational bound beside the likelihood of its first RBM.",
        "test bound nats: -85.97 (learnt from fixed pixels); bottom rbm test nats fixed stochastic: -86.34 (learnt from"
        " fixed pixels); improvement nats: 0.37",
    ),
    "mnist-denoise": Entry(
        "denoise",
        "MnistDenoise",
        "Recognition of digits under structured noise, bottom-up alone and with top-down effects; the net is learnt first.",
    ),
    "mnist-exact": Entry(
        "exact",
        "MnistExact",
        "RBMs of 16 and 20 hidden units on binary MNIST with exact log Z: learning rules side by side, and centring.",
        "test nats cd1 20 hidden: -164.50 (settings not known); test nats pcd 20 hidden: -150.11 (settings not known); "
        "test nats centred 16 hidden threshold: -142.56; test nats centred flipped 16 hidden threshold: -142.09; test "
        "nats plain 16 hidden threshold: -149.05; test nats plain flipped 16 hidden threshold: -183.36",
    ),
    "mnist-joint": Entry(
        "joint",
        "MnistJoint",
        "A deep belief net 784-500-500-2000 of digits and their labels, learnt greedily and then by contrastive wake-sleep.",
        "test greedy error percent: 2.49 (learnt from 44,000 cases); test error percent: 1.25",
    ),
    "mnist-rbm": Entry(
        "rbm",
        "MnistRbm",
        "An RBM of 500 hidden units on binary MNIST, for likelihood.",
        "test nats fixed stochastic: -86.34 (learnt from fixed pixels)",
    ),
}


class _Recipes(Mapping[str, "type[Recipe]"]):
    """The classes by name. Names and their number cost nothing; a class is imported when it is asked for."""

    def __getitem__(self, name: str) -> type[Recipe]:
        entry = ENTRIES[name]
        kind: type[Recipe] = getattr(importlib.import_module(f"{__name__}.{entry.topic}.recipe"), entry.kind)
        return kind

    def __contains__(self, name: object) -> bool:
        return name in ENTRIES

    def __iter__(self) -> Iterator[str]:
        return iter(ENTRIES)

    def __len__(self) -> int:
        return len(ENTRIES)


RECIPES: Mapping[str, type[Recipe]] = _Recipes()


def find(name: str) -> type[Recipe]:
    """The class of the recipe of that name, imported now. ValueError, with the names there are, where it is none of them."""
    if name not in ENTRIES:
        raise ValueError(f"{name!r} is no recipe of this version; there are {', '.join(ENTRIES)}")
    return RECIPES[name]


def __getattr__(name: str) -> Any:
    """A recipe's class by its own name, as in `from harmonium.recipes import MnistRbm`."""
    for recipe, entry in ENTRIES.items():
        if entry.kind == name:
            return RECIPES[recipe]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *(entry.kind for entry in ENTRIES.values())]


__all__ = ["ENTRIES", "RECIPES", "Entry", "find"]
