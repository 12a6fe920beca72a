"""Deep generative models learnt one layer of features at a time.

A name is imported when it is first used (PEP 562), so that `import harmonium` and the command line start without PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harmonium import analysis, data, likelihood, nets, report, sampling, sequence
    from harmonium.couplings import Chain, Conditional, Convolutional, Coupling, Dense, LowRank, Transposed
    from harmonium.learning import (
        Advice,
        Callback,
        ConjugateGradients,
        ContrastiveDivergence,
        CSVLogger,
        ExactGradient,
        FastPCD,
        Gibbs,
        HeldOut,
        MomentumSGD,
        PerLayer,
        PersistentCD,
        PersistentDocuments,
        Progress,
        RatioMatching,
        Replicas,
        ReplicaSGD,
        Rule,
        Schedule,
        Sparsity,
        Tempering,
        TensorBoardLogger,
        TrainingState,
        Trajectory,
        Transform,
        dropout_schedule,
        fine_tune,
        fit,
        greedy,
        greedy_dbm,
        predict,
        projection_pursuit,
        search,
        wake_sleep,
    )
    from harmonium.likelihood import anomaly_score
    from harmonium.models import (
        DBM,
        DBN,
        RBM,
        BoltzmannMachine,
        CommunityOfExperts,
        DeepMixtureOfFactorAnalysers,
        Mixture,
        MixtureOfFactorAnalysers,
        MixtureOfRBMs,
        ProductOfExperts,
        SigmoidBeliefNet,
        infinite_net,
        load,
        save,
        zero_sum_gauge,
    )
    from harmonium.sampling import impute
    from harmonium.units import (
        Bernoulli,
        Binomial,
        Exponential,
        Gaussian,
        Given,
        Groups,
        NoisyReLU,
        OneOf,
        Poisson,
        PooledBlocks,
        ReplicatedSoftmax,
        Softmax,
        Spin,
        SteppedSigmoid,
        TruncatedGaussian,
        Unit,
    )

__version__ = "0.2.0"

__all__ = [
    "DBM",
    "DBN",
    "RBM",
    "Advice",
    "Bernoulli",
    "Binomial",
    "BoltzmannMachine",
    "CSVLogger",
    "Callback",
    "Chain",
    "CommunityOfExperts",
    "Conditional",
    "ConjugateGradients",
    "ContrastiveDivergence",
    "Convolutional",
    "Coupling",
    "DeepMixtureOfFactorAnalysers",
    "Dense",
    "ExactGradient",
    "Exponential",
    "FastPCD",
    "Gaussian",
    "Gibbs",
    "Given",
    "Groups",
    "HeldOut",
    "LowRank",
    "Mixture",
    "MixtureOfFactorAnalysers",
    "MixtureOfRBMs",
    "MomentumSGD",
    "NoisyReLU",
    "OneOf",
    "PerLayer",
    "PersistentCD",
    "PersistentDocuments",
    "Poisson",
    "PooledBlocks",
    "ProductOfExperts",
    "Progress",
    "RatioMatching",
    "ReplicaSGD",
    "Replicas",
    "ReplicatedSoftmax",
    "Rule",
    "Schedule",
    "SigmoidBeliefNet",
    "Softmax",
    "Sparsity",
    "Spin",
    "SteppedSigmoid",
    "Tempering",
    "TensorBoardLogger",
    "TrainingState",
    "Trajectory",
    "Transform",
    "Transposed",
    "TruncatedGaussian",
    "Unit",
    "analysis",
    "anomaly_score",
    "data",
    "dropout_schedule",
    "fine_tune",
    "fit",
    "greedy",
    "greedy_dbm",
    "impute",
    "infinite_net",
    "likelihood",
    "load",
    "nets",
    "predict",
    "projection_pursuit",
    "report",
    "sampling",
    "save",
    "search",
    "sequence",
    "wake_sleep",
    "zero_sum_gauge",
]

_ROOMS = ("analysis", "data", "likelihood", "nets", "report", "sampling", "sequence")  # modules that are public names themselves
# rooms that the other names are taken from, the lightest first
_HOMES = ("couplings", "units", "models", "sampling", "likelihood", "learning")


def __getattr__(name: str) -> Any:
    if name in _ROOMS or name in _HOMES:
        return import_module(f"harmonium.{name}")
    for room in _HOMES if name in __all__ else ():
        module = import_module(f"harmonium.{room}")
        if name in module.__all__:
            globals()[name] = found = getattr(module, name)  # next time it is an ordinary name
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
