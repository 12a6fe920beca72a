"""Gradient transforms: changes of the gradient between a learning rule and the optimiser."""

from harmonium.learning.transforms.averaging import Averaging
from harmonium.learning.transforms.centring import Centring
from harmonium.learning.transforms.choice import chosen_transforms
from harmonium.learning.transforms.normalising import KeepNormalisable
from harmonium.learning.transforms.restricting import RestrictedGradient
from harmonium.learning.transforms.sparsity import Sparsity
from harmonium.learning.transforms.standardising import StandardForm
from harmonium.learning.transforms.transform import Transform

__all__ = ["Averaging", "Centring", "KeepNormalisable", "RestrictedGradient", "Sparsity", "StandardForm", "Transform", "chosen_transforms"]
