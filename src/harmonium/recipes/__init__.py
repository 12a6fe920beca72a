"""One readable file per published result."""

from harmonium.recipes.digits import Digits
from harmonium.recipes.mnist_dbn import MnistDbn

RECIPES = (Digits, MnistDbn)

__all__ = ["RECIPES", "Digits", "MnistDbn"]
