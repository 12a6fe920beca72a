"""Each candidate learnt and judged on the validation cases; the best of them judged on the test cases, once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harmonium.data.binary_density import Splits
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import MomentumSGD, Schedule, fit
from harmonium.likelihood import Evaluation, evaluate
from harmonium.likelihood.exact_log_z import MOST_STATES
from harmonium.models import RBM
from harmonium.models.saving import restore, unshared
from harmonium.recipes.density.candidates import Candidate
from harmonium.recipes.density.early_stopping import CHAINS, EarlyStopping, Nats, Repeated, conservative, lower, nats_of
from harmonium.runs.folder import Run
from harmonium.runs.likelihood_metrics import RAISE_CASES, log_z_metrics, verdict
from harmonium.seeds import derive

UPDATES = 500  # about, in an epoch of `fit`, after which the validation cases are judged
BATCH = 100
AVERAGED = 0.1  # the share of the updates so far that parameters are averaged over
PATIENCE = 6  # epochs


class Budget(NamedTuple):
    """What learning and judging may cost.

    Attributes
    ----------
    betas
        Inverse temperatures of annealed importance sampling: after an epoch, for the choice, and for the test; for the latter two also
        four times as many.
    sweeps
        Of the tempered chains in the test.
    epochs
        Instead of the candidate's own number, each going once through the cases: of a smoke run.
    """

    betas: tuple[int, int, int]
    sweeps: int = 500
    epochs: int | None = None


class Judged(NamedTuple):
    """A machine as it was after its best epoch, and its nats on the validation cases by longer annealing."""

    candidate: Candidate
    machine: RBM
    nats: Nats
    epoch: int
    epochs: int


def phase(name: str, candidate: Candidate) -> str:
    """Of a candidate of a data set."""
    return f"{name} {candidate.label}"


def judged_path(run: Run, name: str, candidate: Candidate) -> Path:
    """Where it is kept, once it is judged on the validation cases."""
    return run.checkpoint(f"{phase(name, candidate)} judged")


def final_path(run: Run, name: str, hidden: int | None = None) -> Path:
    """Where the machine is kept that was judged on the test cases; `hidden`: the best with so many hidden units."""
    return run.checkpoint(f"{name} tested" if hidden is None else f"{name} {hidden} hidden tested")


def learn(run: Run, name: str, splits: Splits, candidate: Candidate, budget: Budget, seed: int) -> Judged:
    """One candidate, learnt and judged on the validation cases; what the run's folder has of it is not done again."""
    path = judged_path(run, name, candidate)
    machine = candidate.machine(splits.train.shape[1], derive(seed, 0))
    if not path.exists():
        cases = len(splits.train)
        times = max(round(UPDATES / -(-cases // BATCH)), 1)
        epochs = max(round(candidate.updates / (-(-cases * times // BATCH))), 2)
        if budget.epochs is not None:
            times, epochs = 1, budget.epochs
        base_rates = splits.train.double().mean(0).float()
        stopping = EarlyStopping(splits.valid, base_rates, betas=budget.betas[0], patience=PATIENCE, seed=derive(seed, 2))
        state = fit(
            machine,
            Repeated(splits.train, times),
            negative=candidate.negative(),
            epochs=epochs,
            batch_size=BATCH,
            optimizer=partial(MomentumSGD, lr=candidate.rate / leading_variance(splits)),
            schedule=partial(Schedule, lr=lambda epoch: max(1 - epoch / epochs, 0.0)),
            weight_cost=candidate.cost,
            gradient="centred",
            averaging=AVERAGED,
            validation=splits.valid,
            precision=run.precision,
            seed=derive(seed, 1),
            callbacks=[stopping, *run.callbacks(phase(name, candidate))],
            checkpoint=run.checkpoint(phase(name, candidate)),
            progress=False,
        )
        restore(machine, state.best)
        nats = cautious_nats(machine, splits.valid, base_rates, betas=budget.betas[1], seed=derive(seed, 3))
        write_tensors(path, unshared(machine), {"nats": nats, "look": state.best_epoch, "looks": epochs})
    tensors, header = read_tensors(path)
    restore(machine, tensors)
    return Judged(candidate, machine, Nats(*header["nats"]), header["look"], header["looks"])


def cautious_nats(machine: RBM, cases: Tensor, base_rates: Tensor, *, betas: int, seed: int) -> Nats:
    """Nats of some cases, with exact log Z where it can be had; else what promises least of AIS at two lengths and RAISE."""
    short, long = (
        nats_of(machine, cases, base_rates, betas=each, seed=derive(seed, each), listed=MOST_STATES) for each in (betas, 4 * betas)
    )
    nats = lower(short, long)
    if not nats.error:
        return nats
    return lower(nats, conservative(machine, cases, base_rates, betas=4 * betas, seed=derive(seed, 0)))


def judge_on_test(
    run: Run, name: str, splits: Splits, judged: Sequence[Judged], budget: Budget, seed: int, *, hidden: int | None = None
) -> dict[str, Any]:
    """The best machine on the test cases. Done once.

    Parameters
    ----------
    run, name, splits
        The folder of the run, the data set and its cases.
    judged
        The machines to choose from, by their nats on the validation cases.
    budget, seed
        Of the evaluation.
    hidden
        Choose among those with so many hidden units alone.

    Returns
    -------
    dict
        Its candidate, its row of the table and its other metrics ("figures").
    """
    path = final_path(run, name, hidden)
    if not path.exists():
        best = max((each for each in judged if hidden in (None, each.candidate.hidden)), key=lambda each: each.nats.cautious)
        found = evaluate_on_test(splits, best.machine, betas=budget.betas[2], chains=CHAINS, sweeps=budget.sweeps, seed=seed)
        metrics = log_z_metrics(found, f"{name}_{hidden}_hidden_" if hidden else f"{name}_")
        header = {"candidate": dataclasses.asdict(best.candidate), "row": _row(splits, best, found), "figures": metrics}
        write_tensors(path, unshared(best.machine), header)
    return read_tensors(path)[1]


def evaluate_on_test(splits: Splits, machine: RBM, *, betas: int, chains: int, sweeps: int, seed: int) -> Evaluation:
    """On the test cases, held against the training cases."""
    return evaluate(
        machine,
        splits.test,
        training=splits.train,
        betas=betas,
        chains=chains,
        sweeps=sweeps,
        raise_cases=RAISE_CASES,
        seed=derive(seed, 4),
        progress=True,
    )


def chosen(run: Run, names: Sequence[str]) -> dict[str, RBM]:
    """The machines of the sets that are done. ValueError if there is none."""
    machines = {}
    for name in names:
        if final_path(run, name).exists():
            tensors, header = read_tensors(final_path(run, name))
            machines[name] = Candidate(**header["candidate"]).machine(len(tensors["visible.bias"]), 0)
            restore(machines[name], tensors)
    if not machines:
        raise ValueError(f"{run.folder} has finished no set yet: its first machine comes when all candidates of a set are learnt")
    return machines


def _row(splits: Splits, best: Judged, found: Evaluation) -> dict[str, Any]:
    """Of the table of test figures; the lowest of the estimates counts."""
    row: dict[str, Any] = {"independent": round(independent(splits), 2), "validation nats": round(best.nats.value, 2)}
    row |= {"test nats": round(found.cautious.nats, 3), "±": round(found.case_error, 2), "log Z": "exact" if found.exact else "estimated"}
    for name, way in (("short", found.short), ("long", found.long), ("reverse", found.reverse)):
        if way is not None:
            row[f"nats, {name}"] = round(found.nats + found.log_z - way.log_z, 2)
            row[f"ESS, {name}"] = round(way.ess)
    if found.raised is not None:
        row["nats, RAISE"] = round(found.nats + found.log_z - found.raised.log_z, 2)
    told = dict(zip(("verdict", "trust"), verdict(found), strict=True))
    return row | {"machine": best.candidate.label, "look": f"{best.epoch} of {best.epochs}", **told}


def leading_variance(splits: Splits) -> float:
    """The largest eigenvalue of the training cases' covariance: how steep the likelihood is at first, and so how small a step must be."""
    return float(torch.linalg.eigvalsh(torch.cov(splits.train.double().T))[-1])


def independent(splits: Splits) -> float:
    """Mean log-probability of the test cases, in nats, if all variables were independent; rates from the training cases, one of each value
    added."""
    rates = (splits.train.double().sum(0) + 1) / (len(splits.train) + 2)
    test = splits.test.double()
    return (test @ rates.log() + (1 - test) @ (1 - rates).log()).mean().item()
