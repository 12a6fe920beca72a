"""`harmonium train`: a model of the user's own data, in the folder of a run."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Self

import torch
import tyro
from torch import Tensor

from harmonium.data.batches import BLOCK
from harmonium.data.readers import read
from harmonium.data.tables import as_tensor
from harmonium.learning import fine_tune, fit, greedy, predict
from harmonium.likelihood import Evaluation, evaluate, exact_log_z, log_likelihood
from harmonium.models import DBN, RBM, load, save
from harmonium.nets import classifier
from harmonium.own_cases import Cases, Own
from harmonium.own_data import Encoding, Rows, described_encoding, encoding, labels_of, without
from harmonium.processes import is_first
from harmonium.report import Section, evaluation, fantasies, filters, learning_curves, page
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import EVALUATION, SAMPLES, Run
from harmonium.runs.report_page import write_run_report
from harmonium.sampling.gaps import fill
from harmonium.seeds import derive
from harmonium.units import NOTHING, Bernoulli, Gaussian

MODEL, CLASSIFIER, DATA = "model.safetensors", "classifier.safetensors", "data.json"
LISTED = 2**16  # joint states of the smaller side of an RBM up to which log Z is exact
TUNING, TUNING_UPDATES, TUNING_EPOCHS = "backpropagation", 1_000, 30  # at least so many of both


@dataclasses.dataclass(frozen=True)
class Train(Recipe):
    """Learn a model of your own data: an RBM, a stack of RBMs, or with labels a classifier. One row in ten is held out to judge it."""

    data: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = None
    """A .npy, .npz, .csv, .tsv, .parquet or .mtx file, or a folder of .png and .jpg images of one size. One case per row."""
    visible: str | None = None
    """The kind of all numbers: bernoulli, binary, gaussian, poisson, words ... By default guessed, in a table column by column."""
    hidden: tuple[int, ...] = (64,)
    """Number of hidden units; several numbers make a stack, from the data upwards."""
    missing: str | None = None
    """A value that stands for a gap, beside NaN and empty cells."""
    without: tuple[str, ...] = ()
    """Columns of a table that are left out, such as names and numbers of cases."""
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
    out: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None
    """The run's folder; runs/ and the name of DATA by default."""
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
        rules, classes, cases = self.own.rules, self.own.classes, self.cases()
        described = json.loads(json.dumps({**rules.described(), "label": self.labels, "classes": classes, "rows": len(self.own)}))
        path = run.folder / DATA
        if run.checkpoint("layer 1").exists() and path.exists() and json.loads(path.read_text()) != described:
            raise ValueError(
                f"{self.data} has changed since {run.folder} was begun: begin anew with --fresh, or in another folder with --out"
            )
        run.write(DATA, described)
        dbn = self.stack(run, rules, cases)
        save(dbn.rbms[0] if len(dbn.rbms) == 1 else dbn, run.folder / MODEL)
        metrics, learnt = self.judged(run, rules, dbn.rbms, cases)
        (run.folder / CLASSIFIER).unlink(missing_ok=True)  # of a run that --fresh replaced
        if classes:
            found = self.classifier(run, dbn, len(classes), cases)
            metrics, learnt = [*metrics, *found[0]], found[1]
        results = self.results(run, "own data", metrics, learnt=learnt, rows=len(self.own))
        self.report(run)
        return results

    def begun(self) -> Self:
        """With its places written out, after a look at the data: what cannot be learnt leaves no folder."""
        assert self.data is not None
        found = dataclasses.replace(self, data=self.data.resolve(), out=self.out or Path("runs") / self.data.stem)
        if is_first():
            print(f"{self.data.name}: {found.own}")
        return found

    @functools.cached_property
    def own(self) -> Own:
        """The data, read once."""
        assert self.data is not None
        data = without(read(self.data, key=self.key, missing=self.missing), self.without)
        classes: list[Any] = []
        labels = None
        if self.labels is not None:
            found, data = labels_of(data, self.labels)
            classes = sorted(set(found), key=lambda value: (isinstance(value, str), value))
            labels = torch.tensor([classes.index(label) for label in found])
        rules = encoding(data, self.visible, self.missing)
        own = Own(rules, rules.encode(data), classes, labels)
        layer = rules.layer()
        for block in torch.split(torch.arange(len(own)), BLOCK):  # now, because a folder is made before learning begins
            rows = own.rows.pick(block)
            layer.check(fill(layer, as_tensor(rows.states), rows.given.missing))
        return own

    def cases(self) -> Cases:
        """Hold out one row in ten."""
        return Cases.of(self.own, self.seed)

    def stack(self, run: Run, rules: Encoding, cases: Cases) -> DBN:
        """Learn the layers from the data upwards, each from its checkpoint where there is one."""
        optimizer = None if self.rate is None else partial(torch.optim.SGD, lr=self.rate, momentum=0.9)

        def train(rbm: RBM, below: Any, index: int) -> Any:
            held, given = cases.held_out or Rows(None, NOTHING), cases.rows.given
            if index:  # what is held out, and the gaps, are the data's
                held, given = Rows(None, NOTHING), NOTHING
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
                given=given,
                validation=held.states,
                validation_given=held.given,
                device=self.device,
            )

        layers = [rules.layer(), *(Bernoulli(size) for size in self.hidden)]
        layers = [each.to(self.device) for each in layers]
        return greedy(cases.rows.states, layers, given=cases.rows.given, seed=self.seed, train=train).cpu()

    def judged(self, run: Run, rules: Encoding, rbms: list[RBM], cases: Cases) -> tuple[list[Metric], str]:
        """What the lowest machine has learnt, as metrics and in a line."""
        rbm, held = rbms[0], cases.held_out
        if held is not None and len(rbms) == 1 and rules.has_nats and min(rbm.hidden.count, rbm.visible.count) <= LISTED:
            nats = log_likelihood(rbm, as_tensor(held.states), log_z=exact_log_z(rbm), given=held.given).mean().item()
            metrics, line = [("held_out_nats", nats, "nats")], f"held-out log p {nats:.2f} nats per row, exact"
            if cases.rows.given:
                return metrics, line
            base = RBM(rules.layer(), Bernoulli(1))
            for weight in base.coupling.parameters():
                weight.detach().zero_()
            base.visible.init_from(base.visible.from_data(as_tensor(cases.rows.states), base.visible.zero_input()))
            alone = log_likelihood(base, as_tensor(held.states), log_z=exact_log_z(base)).mean().item()
            return [*metrics, ("held_out_nats_of_independent_units", alone, "nats")], f"{line}; of independent columns {alone:.2f}"
        last = run.histories()["layer 1"][-1]
        metrics = [("reconstruction_error", last["reconstruction_error"], "")]
        if "free_energy_gap" not in last:
            return metrics, f"reconstruction error {last['reconstruction_error']:.4g} per row"
        line = f"free energy of held-out rows {last['free_energy_gap']:.2f} nats above that of learnt ones"
        return [*metrics, ("free_energy_gap", last["free_energy_gap"], "nats")], line

    def classifier(self, run: Run, dbn: DBN, classes: int, cases: Cases) -> tuple[list[Metric], str]:
        """A classifier that begins as the stack, fine-tuned and saved."""
        net = classifier(dbn, classes, seed=derive(self.seed, 98))
        rows, labels = as_tensor(cases.rows.states), cases.labels
        assert labels is not None
        held = (
            None if cases.held_out is None or cases.held_out_labels is None else (as_tensor(cases.held_out.states), cases.held_out_labels)
        )
        size = min(100, max(1, len(rows) // 10))
        epochs = max(TUNING_EPOCHS, -(-TUNING_UPDATES // -(-len(rows) // size)))  # thirty of a small table leave the net where it was
        real = isinstance(dbn.visible, Gaussian)  # a net learns little from numbers of several hundred
        centre, scale = rows.double().mean(0), rows.double().std(0)
        scale = torch.where(scale > 0, scale, 1.0)
        if real:
            of_inputs(net[1], centre, scale)
        fine_tune(
            net,
            ((rows - centre) / scale).float() if real else rows,
            labels,
            epochs=epochs,
            head_epochs=max(1, epochs // 10),
            batch_size=size,
            seed=derive(self.seed, 97),
            callbacks=run.callbacks(TUNING),
            checkpoint=run.checkpoint(TUNING),
            progress=False,
        )
        if real:
            of_inputs(net[1], -centre / scale, 1 / scale)
        save(net, run.folder / CLASSIFIER)
        judged, of = ((rows, labels), "learnt") if held is None else (held, "held-out")
        wrong = 100 * predict(net, judged[0]).argmax(1).ne(judged[1]).double().mean().item()
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
        if not self.own.rules.has_nats:
            raise ValueError(f"the data of {run.folder} have no probability under the model: {self.own}")
        cases = self.cases()
        rows, given = cases.held_out or cases.rows
        found = evaluate(model, as_tensor(rows), betas=betas, chains=chains, sweeps=sweeps, seed=self.seed, given=given)
        evaluation(found, title=f"{run.folder.name}: nats").savefig(run.folder / EVALUATION, dpi=110)
        return found

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        """Chains of the lowest machine, drawn into samples.png; only of grey images."""
        shape = kept(run)[0].image_shape
        if not shape:
            raise ValueError(
                f"{run.folder} holds a model of rows that are no images: hm.load({str(run.folder / MODEL)!r}).gibbs draws rows"
            )
        rbm, generator = lowest(run), torch.Generator().manual_seed(seed)
        v = rbm.visible.sample(rbm.visible.zero_input().expand(8, *rbm.visible.shape), generator=generator)
        frames = [v := rbm.gibbs(v, steps=steps, generator=generator) for _ in range(10)]
        picture = fantasies(torch.stack(frames, 1).reshape(8, 10, *shape), steps=[steps * (n + 1) for n in range(10)])
        picture.savefig(run.folder / SAMPLES, dpi=110)
        return run.folder / SAMPLES

    def page(self, run: Run, path: Path) -> Path:
        """The model's page; only of images."""
        shape = kept(run)[0].image_shape
        if not shape:
            raise ValueError(f"{run.folder} holds a model of rows that are no images, and a page shows images")
        return page(load(run.folder / MODEL), path, shape=shape, title=run.folder.name)


@torch.no_grad()
def of_inputs(linear: Any, centre: Tensor, scale: Tensor) -> None:
    """Makes a linear layer take x where it took scale x + centre, each (units,): its outputs are the same."""
    linear.bias.add_((linear.weight.double() @ centre).float())
    linear.weight.mul_(scale.float())


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
