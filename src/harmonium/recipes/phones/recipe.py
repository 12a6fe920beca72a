"""Phones recognised by a Gaussian-mixture HMM, by a deep net in its place, and by one that was pre-trained as a deep belief net.

Papers: Mohamed, Dahl & Hinton, *Acoustic modeling using deep belief networks*, IEEE Transactions on Audio, Speech, and Language Processing
20 (2012), on TIMIT: 11 frames of cepstra, a softmax over the states of a forced alignment, posteriors over priors, and Viterbi with a phone
bigram. TIMIT is sold, not given away. The default corpus is speechocean762, whose phones are those of a dictionary and whose readers are
native speakers of Mandarin: no figure of it compares with TIMIT's; the order of the models does. Ours, times and machine:
results/phones.json; the protocol and what was tried: docs/recipes/phones.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from harmonium.data import StackedFrames
from harmonium.learning import predict
from harmonium.models import DBN
from harmonium.nets import classifier
from harmonium.recipes.phones.heard_speech import Name, Speech, load, stand_in
from harmonium.recipes.phones.mixture_phones import Mixtures, Part, aligned, learn_mixtures, parts_of, targets
from harmonium.recipes.phones.phone_nets import Descent, Layers, learn_states, pretrain, untrained
from harmonium.recipes.phones.pictures import sections
from harmonium.recipes.phones.recognition import GMM, Judged, Task, judge, judged_path, merged, metrics, read
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive
from harmonium.sequence import PhoneHMM, StatePath, align, bigram, scaled_log_likelihoods, state_log_priors

KINDS = ("dnn", "dbn_dnn")
REALIGNED = "realigned dbn_dnn"


@dataclasses.dataclass(frozen=True)
class Phones(Recipe):
    """Phones recognised by Gaussian mixtures, by deep nets, and by deep nets that were pre-trained layer by layer."""

    corpus: Name = "speechocean762"
    """Recordings: speechocean762; your TIMIT; a folder of your own with a file `text` (an id and its phones in a line); or
    librispeech-demo, three readers, each left out once, with the CMU dictionary in a file `cmudict.dict`."""
    tuning: bool = False
    """Judge on the validation speakers, for choosing settings."""
    data_dir: Path | None = None
    """Where the recordings are, if not in $HARMONIUM_DATA."""
    quick: bool = False
    """Half of the recordings to learn from and of validation, a third of the judged ones; 8 Gaussians; two layers of 500 units."""
    realign: bool = False
    """Align anew by the deepest pre-trained net, and learn another from the same stack on these states."""
    mixtures: Mixtures = Mixtures()
    layers: Layers = Layers()
    descent: Descent = Descent()

    name: ClassVar[str] = "phones"
    choices: ClassVar[tuple[str, ...]] = ("quick", "corpus", "realign", "tuning")
    paper: ClassVar[str] = "Mohamed, Dahl & Hinton 2012"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(f"test_phone_error_percent_{name}" for name in (GMM, *KINDS))

    @property
    def setting(self) -> str:
        """What the records call these options."""
        if self.smoke:
            return "smoke"
        said = ("" if self.corpus == "speechocean762" else self.corpus, "realigned" * self.realign, "tuning" * self.tuning)
        return ", ".join(["quick" if self.quick else "full", *filter(None, said)])

    @property
    def judged_on(self) -> str:
        """What the metrics' names begin with."""
        return "validation" if self.tuning else "test"

    def plan(self) -> Phones:
        """What the options come to."""
        if self.smoke:
            layers = dataclasses.replace(
                self.layers, units=12, depths=(1, 2), frames=3, first_epochs=2, epochs=2, first_rate=0.01, rate=0.05
            )
            descent = dataclasses.replace(self.descent, epochs=6, rate=0.1, momentum=0.9, dropout=0.0)
            return dataclasses.replace(self, mixtures=Mixtures(components=2, iterations=2), layers=layers, descent=descent)
        if self.quick:
            layers = dataclasses.replace(self.layers, units=500, depths=(2,), first_epochs=12, epochs=8)
            descent = dataclasses.replace(self.descent, epochs=12, enough=1.0)
            mixtures = dataclasses.replace(self.mixtures, components=8, iterations=2, first_iterations=6)
            return dataclasses.replace(self, mixtures=mixtures, layers=layers, descent=descent)
        return self

    def speech(self) -> dict[str, Speech]:
        """The recordings; of a few readers once for each who is left out, by name."""
        if self.smoke:
            return {"": stand_in(self.seed)}
        return {left_out: self.some(found) for left_out, found in load(self.corpus, self.data_dir).items()}

    def some(self, found: Speech) -> Speech:
        """Those of the recordings that the options ask for."""
        if self.quick:
            found = found._replace(train=found.train[::2], validation=found.validation[::2], test=found.test[::3])
        return found._replace(test=found.validation) if self.tuning else found

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: mixtures and their alignment; nets of each depth, pre-trained or not; all judged on other speakers."""
        torch.set_num_threads(self.threads)
        for left_out, spoken in self.speech().items():
            self.compare(run, spoken, left_out)
        results = self.results(run, self.setting, metrics(judged_so_far(run, self.plan(), self.speech()), KINDS, self.judged_on))
        self.report(run)
        return results

    def compare(self, run: Run, spoken: Speech, left_out: str) -> None:
        """All models, learnt and judged once. `left_out`: who is, as the phases' names have it."""
        plan, named = self.plan(), partial(phase, left_out)
        train, validation, judged = parts_of(spoken, plan.mixtures.states, plan.layers.inputs)
        model = learn_mixtures(run, named("mixtures"), spoken, train, plan.mixtures)
        known, held, reference = (
            aligned(run, named(f"alignment of {name}"), model, part)
            for part, name in ((train, "train"), (validation, "validation"), (judged, self.judged_on))
        )
        language = bigram([each.phones for each in known], model.hmm.phones)
        task = Task(model.hmm, spoken.counted, language, priors(known, model.hmm), validation, judged, reference)
        judge(run, named(GMM), task, lambda part: [model.mixtures(each) for each in part.features])
        examples, held_out = (examples_of(part, of, plan) for part, of in ((train, known), (validation, held)))
        stacks = (
            untrained(examples[0].shape[1], plan.layers, derive(self.seed, 0)),
            pretrain(run, named("layer"), examples[0], plan.layers, self.device, derive(self.seed, 1)),
        )
        for depth in plan.layers.depths:
            for kind, stack in zip(KINDS, stacks, strict=True):
                name, net = named(f"{kind} {depth}"), plan.net(DBN([*stack.rbms[:depth]]), model.hmm)
                learn_states(run, name, net, examples, held_out, plan.descent, derive(self.seed, 3, depth))
                judge(run, name, task, partial(scores_of, net, plan, task.log_priors))
        if self.realign:
            again = align(model.hmm, scores_of(net, plan, task.log_priors, train), train.transcripts)
            later, name = task._replace(log_priors=priors(again, model.hmm)), named(REALIGNED)
            net = plan.net(stack, model.hmm)
            learn_states(run, name, net, (examples[0], targets(again)), held_out, plan.descent, derive(self.seed, 4))
            judge(run, name, later, partial(scores_of, net, plan, later.log_priors))

    def net(self, stack: DBN, hmm: PhoneHMM) -> nn.Sequential:
        """A net of a stack's layers, with a softmax over the states."""
        return classifier(stack, hmm.count, seed=derive(self.seed, 2), dropout=self.descent.dropout).to(self.device)

    def report(self, run: Run) -> None:
        speech = self.speech()
        found = judged_so_far(run, self.plan(), speech)
        heard = [each for spoken in speech.values() for each in spoken.test]
        drawn = next((each for each in heard for judged in found.values() if each.id == judged.shown.id), None)
        write_run_report(
            run,
            summary="Phones recognised by hidden Markov models: of Gaussian mixtures, of deep nets, and of deep nets that were pre-trained",
            sections=sections(found, run.histories(), drawn),
        )


def phase(left_out: str, name: str) -> str:
    """What a phase is called where a speaker is left out."""
    return f"{left_out} {name}".strip()


def examples_of(part: Part, paths: Sequence[StatePath], plan: Phones) -> tuple[StackedFrames, Tensor]:
    """Windows of a part, and the states of their middle frames."""
    return windows_of(part, plan), targets(paths)


def windows_of(part: Part, plan: Phones) -> StackedFrames:
    """What the nets see, on the device where they are."""
    return StackedFrames([each.to(plan.device) for each in part.inputs], plan.layers.frames)


def priors(paths: Sequence[StatePath], hmm: PhoneHMM) -> Tensor:
    """(states,) logarithms of how often each occurs."""
    return state_log_priors([each.states for each in paths], hmm.count)


def scores_of(net: nn.Module, plan: Phones, log_priors: Tensor, part: Part) -> list[Tensor]:
    """(frames, states) of each recording: scaled log-likelihoods of a net."""
    windows = windows_of(part, plan)
    return list(torch.split(scaled_log_likelihoods(predict(net, windows), log_priors), windows.lengths))


def judged_so_far(run: Run, plan: Phones, left_out: Iterable[str]) -> dict[str, Judged]:
    """The models that were judged so far, by name; those for which speakers were left out, over all of these."""
    names = [GMM, *(f"{kind} {depth}" for kind in KINDS for depth in plan.layers.depths), REALIGNED]
    done = {name: [each for one in left_out if judged_path(run, each := phase(one, name)).exists()] for name in names}
    return {name: merged([read(run, each) for each in several]) for name, several in done.items() if several}
