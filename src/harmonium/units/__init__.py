"""The kinds of unit that a layer can be made of."""

from harmonium.units.bernoulli import Bernoulli
from harmonium.units.gaussian import Gaussian
from harmonium.units.given import Given, keep_present
from harmonium.units.groups import Groups
from harmonium.units.softmax import Softmax
from harmonium.units.unit import Unit, weighted_sum

__all__ = ["Bernoulli", "Gaussian", "Given", "Groups", "Softmax", "Unit", "keep_present", "weighted_sum"]
