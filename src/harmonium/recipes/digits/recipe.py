"""Handwritten digits of 8x8 pixels: a deep belief net learnt in under a minute.

Data: the 1,797 scans that come with scikit-learn, 1,497 to learn from and 300 to be judged on. No paper publishes this job; it is the
tutorial's main one (IPAM 2012, part 1 and the start of part 2) at a size for the first five minutes.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from harmonium.data import Dataset, digits
from harmonium.recipes.shared.deep_belief_net import DeepBeliefNet, Plan
from harmonium.recipes.shared.stack import Generation, Layers, Tuning


@dataclasses.dataclass(frozen=True)
class Digits(DeepBeliefNet):
    """A deep belief net of 8x8 digits: learn, look, generate and classify in under a minute."""

    layers: Layers = Layers(units=(100, 100, 200), epochs=100, batch_size=20, learning_rate=0.05)
    generation: Generation = Generation(epochs=100, chains=100, batch_size=20, learning_rate=0.02)
    tuning: Tuning = Tuning(epochs=40, batch_size=20, learning_rate=0.1)

    annealing: ClassVar[tuple[int, int]] = (200, 100)
    name: ClassVar[str] = "digits"
    paper: ClassVar[str] = "none: the tutorial's main job on scikit-learn's digits"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_error_percent",)

    def load(self) -> Dataset:
        return digits.load()

    def plan(self) -> Plan:
        layers, generation, tuning = self.layers, self.generation, self.tuning
        if self.smoke:
            layers, generation = dataclasses.replace(layers, epochs=1), dataclasses.replace(generation, epochs=1)
            tuning = dataclasses.replace(tuning, epochs=3)
        return Plan("smoke" if self.smoke else "default", layers, generation, {"backpropagation": tuning})
