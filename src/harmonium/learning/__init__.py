"""Learning: rules, gradient transforms, the training loop, and the functions that combine them."""

from harmonium.data.batches import Source
from harmonium.learning.advice import Advice
from harmonium.learning.contrast import write_gradient
from harmonium.learning.finetune import fine_tune
from harmonium.learning.fit import fit
from harmonium.learning.greedy import features, greedy
from harmonium.learning.greedy_dbm import greedy_dbm
from harmonium.learning.held_out import HeldOut
from harmonium.learning.loop.conjugate_gradients import ConjugateGradients
from harmonium.learning.loop.dropout_schedule import dropout_schedule
from harmonium.learning.loop.loggers import CSVLogger, TensorBoardLogger
from harmonium.learning.loop.momentum import MomentumSGD
from harmonium.learning.loop.progress import Progress
from harmonium.learning.loop.schedules import Schedule
from harmonium.learning.loop.snapshots import Trajectory
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.step import Step
from harmonium.learning.loop.trainer import Callback
from harmonium.learning.per_layer import PerLayer
from harmonium.learning.predictions import predict
from harmonium.learning.projection_pursuit import projection_pursuit
from harmonium.learning.replicas.replica_sgd import ReplicaSGD
from harmonium.learning.replicas.replica_state import ReplicaState
from harmonium.learning.replicas.stacking import Replicas
from harmonium.learning.rules import (
    ContrastiveDivergence,
    ExactGradient,
    FastPCD,
    Gibbs,
    PersistentCD,
    PersistentDocuments,
    Positive,
    RatioMatching,
    Rule,
    Slots,
    Tempering,
)
from harmonium.learning.search import SearchResult, search
from harmonium.learning.search_trials import LogUniform, Trial, Uniform
from harmonium.learning.transforms import Averaging, Centring, RestrictedGradient, Sparsity, StandardForm, Transform
from harmonium.learning.up_down import UpDown
from harmonium.learning.wake_sleep import wake_sleep

__all__ = [
    "Advice",
    "Averaging",
    "CSVLogger",
    "Callback",
    "Centring",
    "ConjugateGradients",
    "ContrastiveDivergence",
    "ExactGradient",
    "FastPCD",
    "Gibbs",
    "HeldOut",
    "LogUniform",
    "MomentumSGD",
    "PerLayer",
    "PersistentCD",
    "PersistentDocuments",
    "Positive",
    "Progress",
    "RatioMatching",
    "ReplicaSGD",
    "ReplicaState",
    "Replicas",
    "RestrictedGradient",
    "Rule",
    "Schedule",
    "SearchResult",
    "Slots",
    "Source",
    "Sparsity",
    "StandardForm",
    "Step",
    "Tempering",
    "TensorBoardLogger",
    "TrainingState",
    "Trajectory",
    "Transform",
    "Trial",
    "Uniform",
    "UpDown",
    "dropout_schedule",
    "features",
    "fine_tune",
    "fit",
    "greedy",
    "greedy_dbm",
    "predict",
    "projection_pursuit",
    "search",
    "wake_sleep",
    "write_gradient",
]
