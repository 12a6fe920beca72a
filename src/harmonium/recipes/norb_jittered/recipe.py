"""Toys before clutter: rectified against binary units, with and without pre-training, on the jittered and cluttered NORB.

Paper: Nair & Hinton, *Rectified linear units improve restricted Boltzmann machines*, ICML 2010, tables 1 and 2: of the test pairs, shrunk
to 32 x 32 pixels of either camera, nets of one hidden layer of 4,000 rectified units have 17.8 % wrong without and 16.5 % with
pre-training, of binary units 23.0 and 18.7 %; with another 2,000 units above, rectified nets have 17.6, 16.5 (first layer pre-trained) and
15.2 % (both), binary ones 23.6, 18.8 and 18.8 %. NORB is LeCun, Huang & Bottou's (CVPR 2004). Where its files are not, the recipe is of
toy objects, and the records say so. Settings are chosen on training toys held out (`--tuning`). Ours, times and machine:
results/norb-jittered.json; the protocol and what was tried: docs/recipes/norb-jittered.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from harmonium.data.standardise import Mean
from harmonium.files import write_tensors
from harmonium.learning import predict
from harmonium.recipes.norb_jittered.jittered_views import Cases, Drawn, cases_of, load
from harmonium.recipes.norb_jittered.pictures import sections
from harmonium.recipes.norb_jittered.tuned_nets import STARTS, Tuning, learnt_layers, net_of, tune
from harmonium.recipes.norb_jittered.wrong_pairs import KINDS, judged_path, judged_so_far, metrics, read_wrong
from harmonium.recipes.shared.feature_layers import Features, Kind
from harmonium.recipes.shared.norb_pairs import Objects
from harmonium.recipes.shared.norb_views import Views
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

PUBLISHED = {
    "rectified_one_layer": 17.8,
    "rectified_one_layer_pretrained": 16.5,
    "rectified_two_layers": 17.6,
    "rectified_two_layers_first_pretrained": 16.5,
    "rectified_two_layers_pretrained": 15.2,
    "binary_one_layer": 23.0,
    "binary_one_layer_pretrained": 18.7,
    "binary_two_layers": 23.6,
    "binary_two_layers_first_pretrained": 18.8,
    "binary_two_layers_pretrained": 18.8,
}


@dataclasses.dataclass(frozen=True)
class NorbJittered(Recipe):
    """Nets of one and two layers of rectified or binary units, pre-trained or not, on jittered and cluttered NORB or toy objects."""

    objects: Objects = "auto"
    """NORB, toy objects, or NORB where its files are and toy objects elsewhere."""
    data_dir: Path | None = None
    """Where NORB's files are, if not in $HARMONIUM_DATA."""
    tuning: bool = False
    """Judge on the held-out training toys, and not on the test toys: for choosing settings."""
    quick: bool = False
    """A few minutes: 4,500 pairs of training toys and 300 units; toy objects are drawn for the run."""
    pairs: int = 291_600
    """Of training toys, a fifth of which are held out, and at most as many of test toys."""
    mean: Mean = "pixel"
    """What is taken off each value: the mean of its pixel over the pairs learnt from, or that of its image."""
    rectified: Features = Features(units=4000, epochs=30, gain=1.0, gain_above=1.0, learning_rate=1e-4, rate_above=1e-4, batch_size=100)
    binary: Features = Features(units=4000, epochs=30, gain=1.0, gain_above=1.0, learning_rate=1e-3, rate_above=5e-3, batch_size=100)
    rectified_tuning: Tuning = Tuning(learning_rate=0.04, random_rate=0.04)
    binary_tuning: Tuning = Tuning(learning_rate=0.2, random_rate=0.2)

    name: ClassVar[str] = "norb-jittered"
    choices: ClassVar[tuple[str, ...]] = ("quick", "objects")
    paper: ClassVar[str] = "Nair & Hinton 2010"
    published: ClassVar[dict[str, str]] = {f"test_error_percent_{name}": f"{error} (NORB)" for name, error in PUBLISHED.items()}
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(
        f"test_error_percent_{kind}_{start}" for start in ("two_layers_pretrained", "one_layer_pretrained", "one_layer") for kind in KINDS
    )

    def plan(self) -> NorbJittered:
        """What the options come to."""
        if self.smoke:
            return self._smaller(units=20, epochs=1, tuning_epochs=1, pairs=60)
        if self.quick:
            return self._smaller(units=300, epochs=10, tuning_epochs=15, pairs=4500)
        return self

    def _smaller(self, *, units: int, epochs: int, tuning_epochs: int, pairs: int) -> NorbJittered:
        rectified, binary = (dataclasses.replace(how, units=units, epochs=epochs) for how in (self.rectified, self.binary))
        of_rectified, of_binary = (dataclasses.replace(how, epochs=tuning_epochs) for how in (self.rectified_tuning, self.binary_tuning))
        return dataclasses.replace(
            self, pairs=pairs, rectified=rectified, binary=binary, rectified_tuning=of_rectified, binary_tuning=of_binary
        )

    def views(self, run: Run) -> tuple[Views, bool]:
        """The views, and whether they are of toy objects."""
        few = Drawn(views=2, copies=1, judged=1) if self.smoke else Drawn(views=30, copies=5, judged=3) if self.quick else None
        return load(run, self.objects, self.data_dir, self.plan().pairs, few, derive(self.seed, 0))

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: of each kind two layers without labels, and five nets that are fine-tuned from them or at random; then the report."""
        torch.set_num_threads(self.threads)
        plan, (views, toys) = self.plan(), self.views(run)
        cases = cases_of(views, plan.mean, self.seed, self.device, tuning=self.tuning)
        wrong = judge(run, cases, "rectified", plan.rectified, plan.rectified_tuning, derive(plan.seed, 1, 0))
        wrong |= judge(run, cases, "binary", plan.binary, plan.binary_tuning, derive(plan.seed, 1, 1))
        results = self.results(run, self.setting(toys=toys), metrics(wrong, "validation" if self.tuning else "test"), toys=toys)
        self.report(run)
        return results

    def setting(self, *, toys: bool) -> str:
        """What the records call these options."""
        named = "smoke" if self.smoke else "quick" if self.quick else "" if toys else "full"
        return ", ".join(filter(None, (named, "toy objects" if toys else "")))

    def report(self, run: Run) -> None:
        views, toys = self.views(run)
        write_run_report(
            run,
            summary=f"Jittered and cluttered pairs of {'toy objects, which are drawn,' if toys else 'NORB'} recognised by nets of "
            "rectified and of binary units, with and without layers that were learnt without labels. No toy that is judged on was learnt "
            "from",
            sections=sections(run, views, judged_so_far(run), PUBLISHED, toys=toys),
        )


def judge(run: Run, cases: Cases, kind: Kind, how: Features, tuning: Tuning, seed: int) -> dict[str, Tensor]:
    """By kind and start, which of the judged pairs each net takes for another category; read from the run where it is done.

    Parameters
    ----------
    run, cases
        The folder of the run, and what is learnt from and judged on.
    kind
        Of hidden units.
    how, tuning
        How layers learn without labels, and how nets learn with them.
    seed
        Of the weights and of the order of the cases.
    """
    layers = learnt_layers(run, kind, cases.learnt.pixels, how, derive(seed, 0))
    wrong = {}
    for start in STARTS:
        name = f"{kind}_{start}"
        if not judged_path(run, name).exists():
            net = net_of(kind, start, layers, derive(seed, 1))
            rate = tuning.learning_rate if any(STARTS[start]) else tuning.random_rate
            tune(run, name.replace("_", " "), net, cases.learnt, cases.valid, tuning, rate, derive(seed, 2))
            said = predict(net, cases.judged.pixels).argmax(1)
            write_tensors(judged_path(run, name), {"wrong": (said != cases.judged.categories).cpu()}, {})
        wrong[name] = read_wrong(run, name)
    return wrong
