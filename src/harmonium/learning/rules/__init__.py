"""Learning rules: how the model's part of the gradient is computed."""

from harmonium.learning.rules.contrastive import ContrastiveDivergence
from harmonium.learning.rules.exact_gradient import ExactGradient
from harmonium.learning.rules.fast import FastPCD
from harmonium.learning.rules.persistent import Gibbs, PersistentCD, Sampler
from harmonium.learning.rules.persistent_documents import PersistentDocuments
from harmonium.learning.rules.ratio_matching import RatioMatching
from harmonium.learning.rules.rule import Positive, Rule, Slots, makes_particles
from harmonium.learning.rules.tempered import Tempering

__all__ = [
    "ContrastiveDivergence",
    "ExactGradient",
    "FastPCD",
    "Gibbs",
    "PersistentCD",
    "PersistentDocuments",
    "Positive",
    "RatioMatching",
    "Rule",
    "Sampler",
    "Slots",
    "Tempering",
    "makes_particles",
]
