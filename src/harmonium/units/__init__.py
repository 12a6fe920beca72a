"""The kinds of unit of a layer."""

from harmonium.units.bernoulli import Bernoulli
from harmonium.units.binomial import Binomial
from harmonium.units.exponential import Exponential
from harmonium.units.gaussian import Gaussian
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.groups import Groups
from harmonium.units.noisy_relu import NoisyReLU
from harmonium.units.one_of import OneOf
from harmonium.units.poisson import Poisson
from harmonium.units.pooled_blocks import PooledBlocks
from harmonium.units.replicated_softmax import ReplicatedSoftmax
from harmonium.units.softmax import Softmax
from harmonium.units.spin import Spin
from harmonium.units.stepped_sigmoid import SteppedSigmoid
from harmonium.units.sums import weighted_sum
from harmonium.units.truncated_gaussian import TruncatedGaussian
from harmonium.units.unit import Unit

__all__ = [
    "NOTHING",
    "Bernoulli",
    "Binomial",
    "Exponential",
    "Gaussian",
    "Given",
    "Groups",
    "NoisyReLU",
    "OneOf",
    "Poisson",
    "PooledBlocks",
    "ReplicatedSoftmax",
    "Softmax",
    "Spin",
    "SteppedSigmoid",
    "TruncatedGaussian",
    "Unit",
    "keep_present",
    "weighted_sum",
]
