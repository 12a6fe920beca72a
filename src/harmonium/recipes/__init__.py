"""One readable file per published result."""

from harmonium.recipes.cd_bias.recipe import CdBias
from harmonium.recipes.dbm.recipe import MnistDbm
from harmonium.recipes.dbn.recipe import MnistDbn
from harmonium.recipes.dbn_bound.recipe import MnistDbnBound
from harmonium.recipes.denoise.recipe import MnistDenoise
from harmonium.recipes.density.recipe import Density
from harmonium.recipes.digits.recipe import Digits
from harmonium.recipes.exact.recipe import MnistExact
from harmonium.recipes.joint.recipe import MnistJoint
from harmonium.recipes.rbm.recipe import MnistRbm

RECIPES = (CdBias, Density, Digits, MnistDbm, MnistDbn, MnistDbnBound, MnistDenoise, MnistExact, MnistJoint, MnistRbm)

__all__ = [
    "RECIPES",
    "CdBias",
    "Density",
    "Digits",
    "MnistDbm",
    "MnistDbn",
    "MnistDbnBound",
    "MnistDenoise",
    "MnistExact",
    "MnistJoint",
    "MnistRbm",
]
