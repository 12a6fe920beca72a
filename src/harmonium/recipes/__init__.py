"""One readable file per published result."""

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
