"""Learning: contrastive rules, the trainer and its state, greedy stacks and fine-tuning."""

from harmonium.learning.batches import Source
from harmonium.learning.contrastive import ContrastiveDivergence, Negative, Rule
from harmonium.learning.exact import ExactGradient
from harmonium.learning.fast import FastPCD
from harmonium.learning.finetune import fine_tune, predict
from harmonium.learning.fit import contrastive_gradient, fit
from harmonium.learning.greedy import features, greedy
from harmonium.learning.greedy_dbm import greedy_dbm
from harmonium.learning.momentum import MomentumSGD
from harmonium.learning.persistent import PersistentCD
from harmonium.learning.progress import Progress
from harmonium.learning.ratio_matching import RatioMatching
from harmonium.learning.schedules import Schedule
from harmonium.learning.sparsity import Sparsity
from harmonium.learning.state import TrainingState
from harmonium.learning.tempered import TemperedCD
from harmonium.learning.trainer import Callback
from harmonium.learning.trajectory import Trajectory
from harmonium.learning.up_down import up_down_gradient
from harmonium.learning.wake_sleep import wake_sleep
from harmonium.learning.whole_machines import Rest, Signal, WholeMachines, asymmetry, least_contrast, settle

__all__ = [
    "Callback",
    "ContrastiveDivergence",
    "ExactGradient",
    "FastPCD",
    "MomentumSGD",
    "Negative",
    "PersistentCD",
    "Progress",
    "RatioMatching",
    "Rest",
    "Rule",
    "Schedule",
    "Signal",
    "Source",
    "Sparsity",
    "TemperedCD",
    "TrainingState",
    "Trajectory",
    "WholeMachines",
    "asymmetry",
    "contrastive_gradient",
    "features",
    "fine_tune",
    "fit",
    "greedy",
    "greedy_dbm",
    "least_contrast",
    "predict",
    "settle",
    "up_down_gradient",
    "wake_sleep",
]
