"""`harmonium train`: a model of the user's own data, in the folder of a run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, NamedTuple

import torch
import tyro
from torch import Tensor

from harmonium.data.readers import read
from harmonium.data.tables import as_tensor
from harmonium.learning import fine_tune, fit, greedy, predict
from harmonium.likelihood import Evaluation, evaluate, exact_log_z, log_likelihood
from harmonium.models import DBN, RBM, load, save
from harmonium.nets import classifier
from harmonium.own_data import Encoding, Rows, cells_of, described_encoding, encoding, without
from harmonium.processes import is_first
from harmonium.report import Section, evaluation, fantasies, filters, learning_curves
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import EVALUATION, SAMPLES, Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive
from harmonium.units import Bernoulli

MODEL, CLASSIFIER, DATA = "model.safetensors", "classifier.safetensors", "data.json"
HELD_OUT, FEWEST, MOST = 0.1, 20, 10_000  # share of the rows; none of fewer rows than this; and no more than this
LISTED = 2**16  # joint states of the smaller side of an RBM up to which log Z is exact
TUNING = "backpropagation"


class Cases(NamedTuple):
    """Rows to learn from, and rows that are held out: one in ten, drawn by the seed. Labels are numbers of classes."""

    rows: Rows
    held_out: Rows | None
    labels: Tensor | None
    held_out_labels: Tensor | None


@dataclasses.dataclass(frozen=True)
class Train(Recipe):
    """Learn a model of your own data: an RBM, a stack of RBMs, or with labels a classifier. One row in ten is held out to judge it."""

    data: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = None
    """A .npy, .npz, .csv, .tsv, .parquet or .mtx file, or a folder of .png and .jpg images of one size. One case per row."""
    visible: str | None = None
    """The kind of all numbers: bernoulli, binary, spin, gaussian, poisson, words, truncated, ... By default it is guessed, of a table
    column by column."""
    hidden: tuple[int, ...] = (64,)
    """Number of hidden units; several numbers make a stack, from the data upwards."""
    missing: str | None = None
    """A value that stands for a gap, beside NaN and empty cells."""
    labels: str | None = None
    """A column of the table, or a .npy, .csv or .tsv file of one label for each row: learn a classifier."""
    key: str | None = None
    """The array of an .npz file."""
    epochs: int | None = None
    """Epochs of each RBM. By default as many as make 3,000 updates."""
    updates: int | None = None
    """Updates of each RBM, in place of epochs."""
    rate: float | None = None
    """Learning rate. By default it is chosen from the data, the units and the number of updates."""
    smoke: tyro.conf.Suppress[bool] = False
    record: tyro.conf.Suppress[bool] = False
    supersede: tyro.conf.Suppress[str | None] = None

    name: ClassVar[str] = "train"
    paper: ClassVar[str] = ""
    published: ClassVar[Mapping[str, str]] = MappingProxyType({})
    headline_metrics: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"--hidden takes numbers of units, at least one each, found {' '.join(map(str, self.hidden)) or 'nothing'}")
        if self.epochs is not None and self.updates is not None:
            raise ValueError("a length is given in --epochs or in --updates, not in both")
        if self.rate is not None and not self.rate > 0:
            raise ValueError(f"--rate must be above 0, found {self.rate}")

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn each layer, then the classifier."""
        data, rules, classes, labels = self.prepare(run)
        cases = self.split(rules.encode(data), labels)
        dbn = self.stack(run, rules, cases)
        model = dbn.rbms[0] if len(dbn.rbms) == 1 else dbn
        save(model, run.folder / MODEL)
        metrics, learnt = self.judged(run, rules, dbn.rbms, cases)
        if classes:
            found = self.classifier(run, dbn, len(classes), cases)
            metrics, learnt = [*metrics, *found[0]], found[1]
        results = self.results(run, "own data", metrics, learnt=learnt, rows=len(labels) if labels is not None else rows_of(cases.rows))
        self.report(run)
        return results

    def prepare(self, run: Run) -> tuple[Any, Encoding, list[Any], Tensor | None]:
        """The data, the rules by which they are read, the classes, and the label of each row. What is guessed is said, and kept."""
        assert self.data is not None
        data = read(self.data, key=self.key, missing=self.missing)
        classes: list[Any] = []
        labels = None
        if self.labels is not None:
            found, data = labels_of(data, self.labels)
            classes = sorted(set(found), key=lambda value: (isinstance(value, str), value))
            if len(classes) < 2:
                raise ValueError(f"--labels must have at least two different values, found only {classes[0]!r}")
            labels = torch.tensor([classes.index(label) for label in found])
        path = run.folder / DATA
        if path.exists():
            rules = kept(run)[0]
        else:
            rules = encoding(data, self.visible, self.missing)
            run.write(DATA, {**rules.described(), "label": self.labels, "classes": classes})
            if is_first():
                print(f"{self.data.name}: {data.shape[0] if hasattr(data, 'shape') else len(data)} rows of {rules}")
        return data, rules, classes, labels

    def split(self, rows: Rows, labels: Tensor | None) -> Cases:
        """Hold out one row in ten."""
        count = rows_of(rows)
        if labels is not None:
            if len(labels) != count:
                raise ValueError(f"expected a label for each of {count} rows, found {len(labels)}")
            if rows.given:
                raise ValueError("a classifier takes rows without gaps: fill them by `harmonium impute` first")
        if count < FEWEST:
            return Cases(rows, None, labels, None)
        held = min(MOST, max(1, round(HELD_OUT * count)))
        order = torch.randperm(count, generator=torch.Generator().manual_seed(derive(self.seed, 99)))
        out, kept = order[:held], order[held:].sort().values
        return Cases(rows.pick(kept), rows.pick(out), *((None, None) if labels is None else (labels[kept], labels[out])))

    def stack(self, run: Run, rules: Encoding, cases: Cases) -> DBN:
        """Learn the layers from the data upwards, each from its checkpoint where there is one."""
        optimizer = None if self.rate is None else partial(torch.optim.SGD, lr=self.rate, momentum=0.9)

        def train(rbm: RBM, below: Any, index: int) -> Any:
            held = {} if index or cases.held_out is None else {"validation": cases.held_out[0], "validation_given": cases.held_out[1]}
            phase = f"layer {index + 1}"
            return fit(
                rbm,
                below,
                epochs=self.epochs,
                updates=self.updates,
                optimizer=optimizer,
                precision=run.precision,
                seed=derive(self.seed, index),
                callbacks=run.callbacks(phase),
                checkpoint=run.checkpoint(phase),
                progress=False,
                **({} if index else {"given": cases.rows.given}),
                **held,
            )

        layers = [rules.layer(), *(Bernoulli(size) for size in self.hidden)]
        layers = [each.to(self.device) for each in layers]
        return greedy(cases.rows.states, layers, given=cases.rows.given, seed=self.seed, train=train).cpu()

    def judged(self, run: Run, rules: Encoding, rbms: list[RBM], cases: Cases) -> tuple[list[Metric], str]:
        """What the lowest machine has learnt, as metrics and in a line."""
        rbm, held = rbms[0], cases.held_out
        if held is not None and len(rbms) == 1 and rules.has_nats and min(rbm.hidden.count, rbm.visible.count) <= LISTED:
            log_p = log_likelihood(rbm, as_tensor(held.states), log_z=exact_log_z(rbm), given=held.given)
            return [("held_out_nats", log_p.mean().item(), "nats")], f"held-out log p: {log_p.mean():.2f} nats per row, exact"
        last = run.histories()["layer 1"][-1]
        errors = {name: last[name] for name in ("reconstruction_error", "free_energy_gap") if name in last}
        if held is None or "free_energy_gap" not in errors:
            return [(name, value, "") for name, value in errors.items()], f"learnt; {', '.join(map(str, errors))}"
        line = f"free energy of held-out rows less that of learnt ones: {errors['free_energy_gap']:.2f} nats"
        return [(name, value, "nats" if "energy" in name else "") for name, value in errors.items()], line

    def classifier(self, run: Run, dbn: DBN, classes: int, cases: Cases) -> tuple[list[Metric], str]:
        """A classifier that begins as the stack, fine-tuned and saved."""
        net = classifier(dbn, classes, seed=derive(self.seed, 98))
        rows, labels = as_tensor(cases.rows.states), cases.labels
        assert labels is not None
        held = None if cases.held_out is None else (as_tensor(cases.held_out.states), cases.held_out_labels)
        fine_tune(
            net,
            rows,
            labels,
            batch_size=min(100, max(1, len(rows) // 10)),
            seed=derive(self.seed, 97),
            callbacks=run.callbacks(TUNING),
            checkpoint=run.checkpoint(TUNING),
            progress=False,
        )
        save(net, run.folder / CLASSIFIER)
        judged, of = ((rows, labels), "learnt") if held is None else (held, "held-out")
        wrong = 100 * (predict(net, judged[0]).argmax(1) != judged[1]).double().mean().item()
        return [(f"{of.replace('-', '_')}_error_percent", wrong, "%")], f"error on {len(judged[0])} {of} rows: {wrong:.1f} %"

    def report(self, run: Run) -> None:
        rules = kept(run)[0]
        sections = [Section("Learning", figures=[(learning_curves(run.histories()), "every metric, epoch by epoch")])]
        if rules.image_shape and (run.folder / MODEL).exists():
            rbm = lowest(run)
            picture = filters(rbm.coupling.matrix().detach(), rules.image_shape, count=100)
            sections.insert(0, Section("Features", figures=[(picture, "the hidden units with the largest weights")]))
        assert self.data is not None
        write_run_report(run, summary=f"{len(self.hidden)} layer(s) of hidden units, learnt from {self.data.name}", sections=sections)

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """The mean log-probability of the held-out rows, or of all if none are held out; drawn into evaluation.png."""
        model = load(run.folder / MODEL)
        data, rules, _, labels = self.prepare(run)
        if not rules.has_nats:
            raise ValueError(f"the data of {run.folder} have no probability under the model: they are {rules}")
        cases = self.split(rules.encode(data), labels)
        rows, given = cases.held_out or cases.rows
        found = evaluate(model, as_tensor(rows), betas=betas, chains=chains, sweeps=sweeps, seed=self.seed, given=given)
        evaluation(found, title=f"{run.folder.name}: nats").savefig(run.folder / EVALUATION, dpi=110)
        return found

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        """Chains of the lowest machine, drawn into samples.png; only of images."""
        shape = kept(run)[0].image_shape
        if not shape:
            raise ValueError(f"{run.folder} holds a model of rows that are no images: hm.load({str(run.folder / MODEL)!r}).gibbs draws rows")
        rbm, generator = lowest(run), torch.Generator().manual_seed(seed)
        v = rbm.visible.sample(rbm.visible.zero_input().expand(8, *rbm.visible.shape), generator=generator)
        frames = [v := rbm.gibbs(v, steps=steps, generator=generator) for _ in range(10)]
        picture = fantasies(torch.stack(frames, 1).reshape(8, 10, *shape), steps=[steps * (n + 1) for n in range(10)])
        picture.savefig(run.folder / SAMPLES, dpi=110)
        return run.folder / SAMPLES


def rows_of(rows: Rows) -> int:
    """The number of cases."""
    return int(rows.states.shape[0])


def lowest(run: Run) -> RBM:
    """The RBM whose visible units are the data's."""
    model = load(run.folder / MODEL)
    found: RBM = model.rbms[0] if isinstance(model, DBN) else model
    return found


def kept(run: Run) -> tuple[Encoding, str | None, list[Any]]:
    """The rules by which a run's data are read, the column or file of labels, and the classes. ValueError if it has none."""
    path = run.folder / DATA
    if run.recipe != Train.name or not path.is_file():
        raise ValueError(f"{run.folder} holds no model of your own data (there is no {path}); `harmonium train DATA` makes one")
    try:
        found = json.loads(path.read_text())
        return described_encoding(found), found["label"], found["classes"]
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def labels_of(data: Any, where: str) -> tuple[list[Any], Any]:
    """The labels of a column or file, and the data without them."""
    names = list(getattr(data, "columns", ()))
    if where in names:
        found, rest = cells_of(data, where), without(data, where)
    elif Path(where).is_file():
        table = read(Path(where))
        if hasattr(table, "columns"):
            found, rest = cells_of(table, list(table.columns)[-1]), data
        else:
            found, rest = table.reshape(-1).tolist(), data
    else:
        raise ValueError(f"--labels names a column or a file, and {where!r} is neither" + (f" (columns: {', '.join(names)})" if names else ""))
    blank = next((row for row, label in enumerate(found) if label is None or label != label), None)
    if blank is not None:
        raise ValueError(f"row {blank} of {where} holds no label")
    return found, rest
