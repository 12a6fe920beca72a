"""Human walking: conditional RBMs that predict, generate and fill in motion, beside linear prediction.

Papers: Taylor, Hinton & Roweis, *Modeling human motion using binary latent variables*, NIPS 2006: a machine of real-valued frames whose
visible and hidden biases depend linearly on the last frames learns to walk in several styles; a second such machine learns the first
one's hidden units. Taylor, Sigal, Fleet & Hinton, *Dynamical binary latent variable models for 3D human pose tracking*, CVPR 2010: an
implicit mixture of such machines, of which one accounts for each frame. No figure of theirs compares, so the bar is linear prediction,
AR(n), of n and ridge chosen on the same held-out sequences. Ours, times and machine: results/motion.json; the protocol and what was tried:
docs/recipes/motion.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from harmonium.data import motion
from harmonium.files import read_tensors, write_tensors
from harmonium.models import RBM
from harmonium.recipes.motion.conditional_layers import Learning, continued, features, first_layer, learn, mixture, second_layer
from harmonium.recipes.motion.judged_motion import Errors, errors, limits, metrics, nearest_neighbour, percent_in_range
from harmonium.recipes.motion.linear_prediction import Autoregression, autoregression, filled_in
from harmonium.recipes.motion.made_up_walk import made_up
from harmonium.recipes.motion.pictures import LEG, sections
from harmonium.recipes.motion.settling import settle
from harmonium.recipes.motion.walks import Walks, divided, windows
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

PASTS, PENALTIES = (3, 6, 12), (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)  # of AR(n): each pair is tried
PHASES = ("first layer", "second layer", "mixture")
WORDS = {"": "one layer", "two_layers_": "two layers", "mixture_": "mixture", "ar_": "AR(n)"}  # of the names that metrics have
ENDINGS = {word: f"_{name}".rstrip("_") for name, word in WORDS.items()}
NEIGHBOURS = 6  # past frames by which stretches are compared
Continue = Callable[[Tensor, int], Tensor]
Machines = dict[str, Sequence[RBM]]


@dataclasses.dataclass(frozen=True)
class Motion(Recipe):
    """Human walking by conditional RBMs, of one and of two layers and mixed: prediction, generation and missing joints."""

    data_dir: Path | None = None
    """Where the folder mocap is, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """A third of the visits."""
    past: int = 12
    """n, the frames that the first machine is given."""
    past_above: int = 3
    """And the second one."""
    first: Learning = Learning()
    second: Learning = Learning(learning_rate=0.02, noise=0.2, visits=180, copies=3)
    components: int = 4
    """Of a mixture of machines that is learnt as well; 0 for none."""
    mixture: Learning = Learning(hidden=50)
    """Of each of its components."""
    steps: int = 30
    """Predicted, at 30 a second."""
    sweeps: int = 2
    """Of the mean field in prediction; it starts at the frame before, and more of them drift to what the machine would go on with."""
    settling: float = 3.0
    """Penalty on the change of the visible dynamic biases in the last step of learning (see `settle`)."""
    samples: int = 10
    """Continuations averaged, where that predicts better than the mean field does."""
    walks: int = 20
    """Generated."""
    frames: int = 300
    """Of each."""

    name: ClassVar[str] = "motion"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Taylor, Hinton & Roweis 2006; Taylor et al. 2010"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = ("mse_step_10", "mse_ar_step_10", "percent_walks_in_range")

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.past, self.past_above, self.steps, self.sweeps, self.samples, self.walks) < 1 or self.frames < 61:
            raise ValueError(f"expected at least one past frame, step, sweep, sample and walk, and 61 frames of a walk, found {self}")

    @property
    def setting(self) -> str:
        """What the records call these options."""
        return "smoke" if self.smoke else "quick" if self.quick else "full"

    def plan(self) -> Motion:
        """What the options come to."""
        if self.smoke:
            short = dataclasses.replace(self.first, hidden=8, visits=3, copies=1)
            return dataclasses.replace(self, first=short, second=short, mixture=short, past=3, steps=5, samples=2, walks=2, frames=61)
        if self.quick:
            some = {name: getattr(self, name) for name in ("first", "second", "mixture")}
            return dataclasses.replace(self, **{name: dataclasses.replace(how, visits=how.visits // 3) for name, how in some.items()})
        return self

    def sequences(self) -> Walks:
        """Captured walks; in a smoke run made-up ones."""
        plan = self.plan()
        return divided(made_up() if self.smoke else motion.capture(self.data_dir), self.longest(plan) + plan.steps)

    def longest(self, plan: Motion) -> int:
        """The frames before those that are predicted."""
        return max(*PASTS, plan.past + plan.past_above, NEIGHBOURS)

    def learnt(self, run: Run, walks: Walks) -> Machines:
        """The layers of each machine, by the name that its metrics have."""
        numbers, pieces = len(walks.columns), walks.learnt
        first = first_layer(numbers, self.first, self.past, derive(self.seed, 0))
        learn(run, PHASES[0], first, pieces, self.first, derive(self.seed, 2))
        second = second_layer(first, self.second, self.past_above, derive(self.seed, 1))
        learn(run, PHASES[1], second, [features(first, piece) for piece in pieces], self.second, derive(self.seed, 3))
        settle(first, pieces, self.settling, self.sweeps)  # after the second layer, to which these biases are nothing
        found: Machines = {"": [first], "two_layers_": [first, second]}
        if self.components:
            mixed = mixture(numbers, self.mixture, self.components, self.past, derive(self.seed, 6))
            learn(run, PHASES[2], mixed, pieces, self.mixture, derive(self.seed, 7))
            settle(mixed, pieces, self.settling, self.sweeps)
            found["mixture_"] = [mixed]
        return found

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: the machines, linear prediction, what each predicts, generates and fills in."""
        torch.set_num_threads(self.threads)
        plan, walks = self.plan(), self.sequences()
        machines = plan.learnt(run, walks)
        rows = [*self.predicted(run, plan, walks, machines), *self.generated(run, plan, walks, machines)]
        rows += [*self.completed(run, plan, walks, machines), *self.divided_up(run, walks, machines)]
        results = self.results(run, self.setting, rows)
        self.report(run)
        return results

    def predicted(self, run: Run, plan: Motion, walks: Walks, machines: Machines) -> list[Metric]:
        """Errors of prediction. What is chosen, is chosen on the validation sequences.

        Parameters
        ----------
        run, plan
            The run, whose folder keeps what was done, and what the options come to.
        walks
            The sequences.
        machines
            The learnt layers, by name.
        """
        path = run.checkpoint("predicted")
        if not path.exists():
            before, after, _ = windows(walks.validation, self.longest(plan), plan.steps)
            some = slice(None, None, 1 if self.smoke else 4)

            def error(model: Continue) -> float:
                return (model(before[some], plan.steps) - after[some]).square().mean().item()

            linear = min(
                (autoregression(walks.learnt, past, penalty) for past in PASTS for penalty in PENALTIES),
                key=lambda model: error(model.continued),
            )
            models: dict[str, Continue] = {}
            chosen: list[Metric] = [("ar_past", float(linear.past), "frames")]
            for name, machine in machines.items():
                ways = {
                    "mean_field": by_means(machine, plan.sweeps),
                    "mean_of_samples": by_draws(machine, plan.samples, derive(self.seed, 4)),
                }
                held = {way: error(ways[way]) for way in ways}
                models[name] = ways[min(held, key=held.__getitem__)]
                chosen += [(f"validation_mse_{name}{way}", value, "variances") for way, value in held.items()]
            models |= {"ar_": linear.continued, "repeat_": lambda past, steps: past[:, -1:].expand(-1, steps, -1)}
            before, after, piece = windows(walks.test, self.longest(plan), plan.steps)
            tensors = {"linear": linear.weights, "constant": linear.constant}
            for name, model in models.items():
                by_step, by_piece = errors(model(before, plan.steps), after, piece)
                tensors |= {f"{name}by_step": by_step, f"{name}by_piece": by_piece}
            write_tensors(path, tensors, {"chosen": chosen})
        found = predicted(run)
        return [*metrics(found, "", "ar_"), *((name, value, unit) for name, value, unit in read_tensors(path)[1]["chosen"])]

    def generated(self, run: Run, plan: Motion, walks: Walks, machines: Machines) -> list[Metric]:
        """Walks that go on from test sequences, and how many of them stay in range. The parameters are those of `predicted`."""
        path = run.checkpoint("generated")
        if not path.exists():
            before, _, _ = windows(walks.test, self.longest(plan), 1)
            starts = before[torch.linspace(0, len(before) - 1, plan.walks).long()]
            generator = torch.Generator().manual_seed(derive(self.seed, 5))
            made = {WORDS[name]: continued(layers, starts, plan.frames, generator=generator) for name, layers in machines.items()}
            write_tensors(path, made | {WORDS["ar_"]: linear(run).continued(starts, plan.frames)}, {})
        rows: list[Metric] = []
        between = limits(walks)
        for name, sequences in read_tensors(path)[0].items():
            ending = ENDINGS[name]
            seconds, whole = percent_in_range(walks, sequences, between)
            rows += [(f"percent_seconds_in_range{ending}", seconds, "%"), (f"percent_walks_in_range{ending}", whole, "%")]
        held = [percent_in_range(walks, piece[None], between)[0] for piece in walks.test if len(piece) > 30]
        return [*rows, ("percent_seconds_in_range_captured", sum(held) / len(held), "%")]

    def completed(self, run: Run, plan: Motion, walks: Walks, machines: Machines) -> list[Metric]:
        """A leg filled in, in all frames of the test sequences but the first. The parameters are those of `predicted`."""
        path = run.checkpoint("completed")
        if not path.exists():
            longest = self.longest(plan)
            length = min(len(piece) for piece in walks.test)
            whole = torch.stack([piece[:length] for piece in walks.test])
            before, shown, missing = whole[:, :longest], whole[:, longest:], walks.moved_by(LEG)
            past, penalty = linear(run).past, {}
            for each in PENALTIES:
                held = torch.stack([piece[: min(map(len, walks.validation))] for piece in walks.validation])
                filled = filled_in(walks.learnt, past, each, held[:, :longest], held[:, longest:], missing)
                penalty[each] = (filled - held[:, longest:]).square().mean().item()
            best = min(penalty, key=lambda each: penalty[each])
            frames = shown.shape[1]
            made = {
                "captured": shown,
                **{
                    WORDS[name]: continued(layers, before, frames, shown=shown, missing=missing, sweeps=20)
                    for name, layers in machines.items()
                },
                "linear": filled_in(walks.learnt, past, best, before, shown, missing),
                "nearest": nearest_neighbour(walks, NEIGHBOURS, before, shown, missing),
                WORDS["ar_"]: linear(run).continued(before, frames),
            }
            write_tensors(path, {name: sequences.contiguous() for name, sequences in made.items()}, {})
        made, missing = read_tensors(path)[0], walks.moved_by(LEG)
        endings = ENDINGS | {"linear": "_linear", "nearest": "_nearest_neighbour", "AR(n)": "_ar_unseeing"}
        squared = {name: (made[name] - made["captured"])[..., missing].square().mean().item() for name in made if name in endings}
        return [(f"mse_missing_leg{endings[name]}", value, "variances") for name, value in squared.items()]

    def divided_up(self, run: Run, walks: Walks, machines: Machines) -> list[Metric]:
        """Which component of the mixture accounts for each frame of the test sequences, and of how many each does."""
        if "mixture_" not in machines:
            return []
        (mixed,) = machines["mixture_"]
        pieces = {str(place): features(mixed, piece)[..., 0].contiguous() for place, piece in enumerate(walks.test)}
        write_tensors(run.checkpoint("divided up"), pieces, {})
        shares = torch.cat(list(pieces.values())).mean(0)
        return [(f"component_{k}_percent_of_frames", 100 * share, "%") for k, share in enumerate(shares.tolist(), 1)]

    def report(self, run: Run) -> None:
        """Draws the report of a finished run. ValueError where it has not finished."""
        found = {name: metric["value"] for name, metric in run.results()["metrics"].items()}
        walks = self.sequences()
        generated, completed = (read_tensors(run.checkpoint(name))[0] for name in ("generated", "completed"))
        parted = run.checkpoint("divided up")
        shares = list(read_tensors(parted)[0].values()) if parted.exists() else []
        captured = max(walks.learnt, key=len)
        names = [word for word in WORDS.values() if word in generated]
        shown = {"captured": captured[: self.plan().frames], **{name: generated[name][0, : len(captured)] for name in names}}
        filled = {name: completed[name][0] for name in ("captured", *names[:-1], "linear", "nearest")}
        write_run_report(
            run,
            summary="Frames of human walking given the frames before them, by conditional RBMs, in layers and mixed",
            sections=sections(walks, predicted(run), shown, table(found, "percent_"), filled, table(found, "mse_missing_"), shares),
        )


def by_means(machine: Sequence[RBM], sweeps: int) -> Continue:
    """Prediction by means alone."""
    return lambda past, frames: continued(machine, past, frames, sweeps=sweeps)


def by_draws(machine: Sequence[RBM], samples: int, seed: int) -> Continue:
    """Prediction by the mean of several drawn continuations."""

    def predict(past: Tensor, frames: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        total = torch.zeros(())
        for _ in range(samples):
            total = total + continued(machine, past, frames, generator=generator)
        return total / samples

    return predict


def linear(run: Run) -> Autoregression:
    """The linear prediction that was chosen."""
    kept = read_tensors(run.checkpoint("predicted"))[0]
    return Autoregression(len(kept["linear"]) // len(kept["constant"]), kept["linear"], kept["constant"])


def predicted(run: Run) -> dict[str, Errors]:
    """The errors of each model by name."""
    kept = read_tensors(run.checkpoint("predicted"))[0]
    names = (name for name in (*WORDS, "repeat_") if f"{name}by_step" in kept)
    return {name: Errors(kept[f"{name}by_step"], kept[f"{name}by_piece"]) for name in names}


def table(found: dict[str, float], start: str) -> list[dict[str, object]]:
    """The metrics whose names begin so, one a row."""
    return [{"what": name.replace("_", " "), "value": round(value, 4)} for name, value in found.items() if name.startswith(start)]
