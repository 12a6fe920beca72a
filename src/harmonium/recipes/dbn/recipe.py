"""MNIST without knowledge of pixels' places: 784-500-500-2000 learnt greedily, then gentle backpropagation.

Paper: Hinton & Salakhutdinov, Science 313 (2006), and the tutorial's slide "results on permutation-invariant MNIST": 1.2 % of the 10,000
test digits wrong in the paper, 1.15 % on the slide (its 1.25 % is another model's, see mnist-joint); with dropout and the same kind of
pre-training 0.92 % (Hinton et al. 2012). Settings and the numbers of epochs were chosen on the last 10,000 training cases (`--held-out
10000`, which never looks at the test set); a run then trains on all 60,000. Ours, times and machine: results/mnist-dbn.json; what was
tried: docs/recipes/mnist-dbn.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

from harmonium.data import Dataset, mnist
from harmonium.recipes.shared.deep_belief_net import DeepBeliefNet, Plan
from harmonium.recipes.shared.stack import Layers, Tuning


@dataclasses.dataclass(frozen=True)
class MnistDbn(DeepBeliefNet):
    """The deep belief net of Hinton & Salakhutdinov (2006) on MNIST, fine-tuned by backpropagation with and without dropout."""

    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """A few minutes: 8 epochs a layer, no dropout."""
    layers: Layers = Layers(units=(500, 500, 2000), epochs=30)
    tuning: Tuning = Tuning(epochs=20, learning_rate=0.1, momentum=0.9, decay=0.93)
    dropout: Tuning = Tuning(epochs=45, learning_rate=0.1, momentum=0.9, decay=0.94, dropout=0.2, input_dropout=0.2)

    name: ClassVar[str] = "mnist-dbn"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Hinton & Salakhutdinov 2006; with dropout Hinton et al. 2012"
    published: ClassVar[dict[str, str]] = {
        "test_error_percent": "1.2 (paper), 1.15 (slide)",
        "test_dropout_error_percent": "0.92",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_error_percent", "test_dropout_error_percent")

    def load(self) -> Dataset:
        return mnist.load(self.data_dir)

    def plan(self) -> Plan:
        setting, layers, generation = "full", self.layers, self.generation
        tunings = {"backpropagation": self.tuning, "backpropagation with dropout": self.dropout}
        if self.quick:
            setting, tunings = "quick", {"backpropagation": self.tuning}
            layers, generation = dataclasses.replace(layers, epochs=8), dataclasses.replace(generation, epochs=2)
        if self.smoke:
            setting, tunings = "smoke", {phase: dataclasses.replace(tuning, epochs=3) for phase, tuning in tunings.items()}
            layers, generation = dataclasses.replace(layers, epochs=1), dataclasses.replace(generation, epochs=1)
        return Plan(setting, layers, generation, tunings)
