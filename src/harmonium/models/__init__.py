"""Models put together from units and couplings."""

from harmonium.models.belief_mean_field import BeliefMeanField
from harmonium.models.belief_posterior import BeliefPosterior
from harmonium.models.boltzmann import BoltzmannMachine
from harmonium.models.community import CommunityOfExperts
from harmonium.models.community_states import CommunityStates
from harmonium.models.dbm import DBM
from harmonium.models.dbm_mean_field import MeanField
from harmonium.models.dbn import DBN
from harmonium.models.deep_factor_analysers import DeepMixtureOfFactorAnalysers
from harmonium.models.directed import Directed
from harmonium.models.doubled_rbms import composed, doubled
from harmonium.models.experts import Mixture, ProductOfExperts
from harmonium.models.factor_analysers import MixtureOfFactorAnalysers
from harmonium.models.gauge import zero_sum_gauge
from harmonium.models.generative import Generative
from harmonium.models.infinite_net import InfiniteNet, infinite_net
from harmonium.models.labels import label_free_energy, label_log_probability
from harmonium.models.mixture_of_rbms import MixtureOfRBMs
from harmonium.models.normalisable import check_normalisable
from harmonium.models.rbm import RBM, Phase
from harmonium.models.saving import load, save
from harmonium.models.sigmoid_belief_net import SigmoidBeliefNet
from harmonium.models.swap_layers import swap_layers

__all__ = [
    "DBM",
    "DBN",
    "RBM",
    "BeliefMeanField",
    "BeliefPosterior",
    "BoltzmannMachine",
    "CommunityOfExperts",
    "CommunityStates",
    "DeepMixtureOfFactorAnalysers",
    "Directed",
    "Generative",
    "InfiniteNet",
    "MeanField",
    "Mixture",
    "MixtureOfFactorAnalysers",
    "MixtureOfRBMs",
    "Phase",
    "ProductOfExperts",
    "SigmoidBeliefNet",
    "check_normalisable",
    "composed",
    "doubled",
    "infinite_net",
    "label_free_energy",
    "label_log_probability",
    "load",
    "save",
    "swap_layers",
    "zero_sum_gauge",
]
