"""Deep generative models learnt one layer of features at a time."""

from harmonium import data, likelihood, nets, sampling
from harmonium.couplings import Coupling, Dense
from harmonium.learning import (
    Callback,
    ContrastiveDivergence,
    MomentumSGD,
    PersistentCD,
    Progress,
    Schedule,
    Sparsity,
    TrainingState,
    fine_tune,
    fit,
    greedy,
    predict,
)
from harmonium.models import DBN, RBM, load, save
from harmonium.units import Bernoulli, Gaussian, Given, Groups, Softmax, Unit

__version__ = "0.1.0"

__all__ = [
    "DBN",
    "RBM",
    "Bernoulli",
    "Callback",
    "ContrastiveDivergence",
    "Coupling",
    "Dense",
    "Gaussian",
    "Given",
    "Groups",
    "MomentumSGD",
    "PersistentCD",
    "Progress",
    "Schedule",
    "Softmax",
    "Sparsity",
    "TrainingState",
    "Unit",
    "data",
    "fine_tune",
    "fit",
    "greedy",
    "likelihood",
    "load",
    "nets",
    "predict",
    "sampling",
    "save",
]
