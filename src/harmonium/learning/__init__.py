"""Learning: contrastive rules, the trainer and its state, greedy stacks and fine-tuning."""

from harmonium.learning.batches import Source
from harmonium.learning.contrastive import ContrastiveDivergence, Negative
from harmonium.learning.finetune import fine_tune, predict
from harmonium.learning.fit import contrastive_gradient, fit
from harmonium.learning.greedy import features, greedy
from harmonium.learning.momentum import MomentumSGD
from harmonium.learning.persistent import PersistentCD
from harmonium.learning.progress import Progress
from harmonium.learning.schedules import Schedule
from harmonium.learning.sparsity import Sparsity
from harmonium.learning.state import TrainingState
from harmonium.learning.tempered import TemperedCD
from harmonium.learning.trainer import Callback

__all__ = [
    "Callback",
    "ContrastiveDivergence",
    "MomentumSGD",
    "Negative",
    "PersistentCD",
    "Progress",
    "Schedule",
    "Source",
    "Sparsity",
    "TemperedCD",
    "TrainingState",
    "contrastive_gradient",
    "features",
    "fine_tune",
    "fit",
    "greedy",
    "predict",
]
