"""The direction that a toy is seen from, from few labels: features learnt without labels against random weights.

Idea: the tutorial's case for learning features without labels where labels are few (IPAM 2012; Salakhutdinov & Hinton, NIPS 2008, with the
angles of faces). No number was published for these images: ETH-80's views of eighty toys (Leibe & Schiele 2003), divided by toy. A stack
of two RBMs learns from all 3,280 views without labels. Nets with two linear outputs, the sine and cosine of the azimuth, begin at the stack
or at random weights, learn by backpropagation of the squared error from views of one to six toys of each of five categories, and are judged
on views of toys that have no labels. Learning rate and number of epochs are chosen for each on toys of their own. Ours, times and machine:
results/angle-regression.json; what was tried: docs/recipes/angle-regression.md.
"""

from __future__ import annotations

import dataclasses
import warnings
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from sklearn.linear_model import Ridge
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from harmonium.files import read_tensors, write_tensors
from harmonium.learning import MomentumSGD, features, fine_tune, fit, predict
from harmonium.models import DBN, RBM
from harmonium.nets import feed_forward
from harmonium.recipes.angles.pictures import sections
from harmonium.recipes.angles.viewed_toys import LABELLED, Division, Toys, degrees_off, divide, load
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive
from harmonium.units import Gaussian, NoisyReLU, Unit

STARTS = ("pretrained", "random")
BATCH = 20  # cases, of both kinds of learning
PENALTIES = (1.0, 10.0, 100.0, 1000.0)  # of ridge regression


@dataclasses.dataclass(frozen=True)
class AngleRegression(Recipe):
    """The direction ETH-80's toys are seen from, from few labelled toys: nets begun at features learnt without labels, and at random."""

    data_dir: Path | None = None
    """Where eth80_grey_96.npz is, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """A few minutes: two divisions of the toys, one and six labelled toys, one learning rate fewer."""
    divisions: int = 5
    """Divisions of the toys into labelled, validation and test, each with a stack and nets of its own seeds."""
    labelled: tuple[int, ...] = (1, 2, 3, 6)
    """Toys of each category that have labels, of at most six."""
    side: int = 24
    """Of an image, in pixels; it divides 96."""
    units: tuple[int, ...] = (400, 400)
    """Hidden units of each layer."""
    epochs: int = 20
    """Over all views, for each RBM."""
    rates: tuple[float, ...] = (0.001, 0.003, 0.01)
    """Learning rates of backpropagation that are tried for each net."""
    tuning_epochs: int = 100
    """At most."""
    patience: int = 20
    """Epochs without a lower error on the validation toys, after which backpropagation ends."""

    name: ClassVar[str] = "angle-regression"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "none: the tutorial's few labels, on the views of Leibe & Schiele 2003"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(
        f"test_degrees_off_{start}_{count}_labelled" for count in (1, 6) for start in STARTS
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.divisions < 1 or not self.labelled or not all(1 <= count <= LABELLED for count in self.labelled) or 96 % self.side:
            raise ValueError(f"there is a division, 1 to {LABELLED} labelled toys of a category, and a side that divides 96, found {self}")

    def plan(self) -> AngleRegression:
        """What the options come to."""
        if self.smoke:
            return dataclasses.replace(
                self, divisions=2, labelled=(1,), side=8, units=(10, 10), epochs=1, rates=(0.001,), tuning_epochs=2, patience=2
            )
        if self.quick:
            return dataclasses.replace(self, divisions=2, labelled=(1, 6), epochs=15, rates=self.rates[1:], tuning_epochs=50, patience=10)
        return self

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: for each division a stack without labels, then for each number of labelled toys the nets, judged on other toys."""
        torch.set_num_threads(self.threads)
        plan, toys = self.plan(), load(self.plan().side, self.data_dir)
        rows = [row for number in range(plan.divisions) for row in judge(run, plan, toys, number)]
        metrics: list[Metric] = []
        for count in plan.labelled:
            for start in (*STARTS, "ridge"):
                own = [row for row in rows if (row["start"], row["labelled"]) == (start, count)]
                for what, unit in (("degrees_off", "degrees"), ("squared_error", "")):
                    metrics.append((f"test_{what}_{start}_{count}_labelled", sum(row[what] for row in own) / len(own), unit))
        results = self.results(run, "smoke" if self.smoke else "quick" if self.quick else "full", metrics, rows=rows)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        """Draws the report of a finished run. ValueError where it has not finished."""
        rows, plan = run.results()["rows"], self.plan()
        write_run_report(
            run,
            summary=f"Nets that say the direction a toy is seen from, from few labelled toys, in {plan.divisions} divisions of the toys. "
            "One begins at features of all views learnt without labels, one at random weights",
            sections=sections(rows, load(plan.side, self.data_dir), learnt_so_far(run, plan, 0)),
        )


def machines(plan: AngleRegression, number: int) -> list[RBM]:
    """The stack of a division before it has learnt."""
    below: Unit = Gaussian(plan.side**2, learn_variance=False)
    stack = []
    for layer, units in enumerate(plan.units):
        above = NoisyReLU(units)
        stack.append(RBM(below, above, seed=derive(plan.seed, number, 0, layer)))
        below = above.as_visible_layer()
    return stack


def learn_stack(run: Run, plan: AngleRegression, toys: Toys, number: int) -> DBN:
    """The stack of a division, learnt from all views without labels by the library's defaults."""
    stack = machines(plan, number)
    for layer, rbm in enumerate(stack):
        phase = f"division {number} layer {layer + 1}"
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*weights were pulled back")  # as rectified units often need, and it is enough
            fit(
                rbm,
                features(toys.inputs, *stack[:layer]),
                epochs=plan.epochs,
                batch_size=BATCH,
                precision=run.precision,
                seed=derive(plan.seed, number, 1, layer),
                callbacks=run.callbacks(phase),
                checkpoint=run.checkpoint(phase),
                progress=False,
            )
    return DBN(stack)


def learnt_so_far(run: Run, plan: AngleRegression, number: int) -> Tensor:
    """The weights of the first RBM of a division: (pixels, units)."""
    return read_tensors(run.checkpoint(f"division {number} layer 1"))[0]["model.coupling.weight"]


def begun(start: str, dbn: DBN, seed: int) -> nn.Sequential:
    """A net with two linear outputs: of the stack, or of its shape with random weights.

    Random weights of the rectified layers are uniform within ±√(6 / inputs), as He et al. (2015) recommend.
    """
    net = feed_forward(dbn, 2, seed=seed, scale=0.01)
    if start == "random":
        generator = torch.Generator().manual_seed(seed)
        for module in [each for each in net if isinstance(each, nn.Linear)][:-1]:
            bound = (6 / module.in_features) ** 0.5
            with torch.no_grad():
                module.weight.uniform_(-bound, bound, generator=generator)
                module.bias.zero_()
    return net


def judge(run: Run, plan: AngleRegression, toys: Toys, number: int) -> list[dict[str, Any]]:
    """A row of errors of each start and number of labelled toys, in one division; read from the run where it is done."""
    path = run.checkpoint(f"division {number} judged")
    if not path.exists():
        dbn, rows = learn_stack(run, plan, toys, number), []
        for count in plan.labelled:
            division = divide(toys, count, derive(plan.seed, number, 2))
            for start in STARTS:
                phase = f"division {number} {start} {count} labelled"
                rows.append({"division": number, "labelled": count, "start": start, **tune(run, plan, toys, division, start, dbn, phase)})
            rows.append({"division": number, "labelled": count, "start": "ridge", **ridge(toys, division)})
        write_tensors(path, {}, {"rows": rows})
    return list(read_tensors(path)[1]["rows"])


def tune(run: Run, plan: AngleRegression, toys: Toys, division: Division, start: str, dbn: DBN, phase: str) -> dict[str, Any]:
    """Backpropagation at each rate; the net that is best on the validation toys meets the test toys."""
    seed = derive(plan.seed, *phase.encode())
    found = []
    for rate in plan.rates:
        net, named = begun(start, dbn, seed), f"{phase} rate {rate:g}"
        try:
            fine_tune(
                net,
                toys.inputs[division.labelled],
                toys.targets[division.labelled],
                loss=mse_loss,
                validation=(toys.inputs[division.valid], toys.targets[division.valid]),
                epochs=plan.tuning_epochs,
                head_epochs=5 if start == "pretrained" else 0,
                batch_size=BATCH,
                optimizer=partial(MomentumSGD, lr=rate, momentum=0.9),
                patience=plan.patience,
                precision=run.precision,
                seed=seed,
                callbacks=run.callbacks(named),
                checkpoint=run.checkpoint(named),
                progress=False,
            )
        except FloatingPointError:  # the rate is too high: others are tried
            continue
        valid = mse_loss(predict(net, toys.inputs[division.valid]), toys.targets[division.valid]).item()
        found.append((valid, rate, errors(predict(net, toys.inputs[division.test]), toys.targets[division.test])))
    if not found:
        raise ValueError(f"{phase}: backpropagation diverged at every rate of {plan.rates}; try lower ones")
    valid, rate, tested = min(found, key=lambda each: each[0])
    return {"validation": valid, "rate": rate, **tested}


def ridge(toys: Toys, division: Division) -> dict[str, Any]:
    """Linear regression on the pixels, its penalty chosen on the validation toys."""
    found = []
    for penalty in PENALTIES:
        machine = Ridge(penalty).fit(toys.inputs[division.labelled].numpy(), toys.targets[division.labelled].numpy())
        said = [torch.from_numpy(machine.predict(toys.inputs[part].numpy())) for part in (division.valid, division.test)]
        found.append((mse_loss(said[0], toys.targets[division.valid]).item(), penalty, errors(said[1], toys.targets[division.test])))
    valid, penalty, tested = min(found, key=lambda each: each[0])
    return {"validation": valid, "rate": penalty, **tested}


def errors(outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """The mean angle between what is said and what is true, and the mean squared error of sine and cosine."""
    return {"degrees_off": degrees_off(outputs, targets).mean().item(), "squared_error": mse_loss(outputs, targets).item()}
