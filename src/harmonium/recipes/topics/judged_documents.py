"""What each model says of documents that it has not seen: log-probabilities, codes and topics. Each is judged once in a run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harmonium.files import read_tensors, write_tensors
from harmonium.learning import features
from harmonium.likelihood import Estimate, evaluate
from harmonium.models import RBM
from harmonium.recipes.shared.kept_figure import timed
from harmonium.recipes.topics.corpora import Corpus
from harmonium.recipes.topics.machine_of_documents import Annealing, dense, lengths_of, log_p
from harmonium.recipes.topics.other_models import lda_log_p, learn_lda, unigram_log_p
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run
from harmonium.seeds import derive

PUBLISHED_DOCUMENTS = 50  # judged on in the paper
OF_ONE_LENGTH = 20  # documents on which log Z is estimated again
OPEN = 0.02  # share of a perplexity that estimates of log Z may leave open


class Judged(NamedTuple):
    """A model's log-probability of each test document, (documents,) float64; the codes of training and test documents, (documents, size);
    of the replicated softmax the topics, (units, words): the larger, the more a word is of one; and the figures that go with it."""

    log_p: Tensor
    known: Tensor
    queries: Tensor
    topics: Tensor
    figures: list[Metric]


@dataclasses.dataclass(frozen=True)
class Sandwich:
    """How log Z is estimated again at some lengths, by annealing at that length from a base rate, and back."""

    quantiles: tuple[float, ...] = (0.25, 0.5, 0.75, 0.95)
    """Of the test documents' lengths."""
    betas: int = 250
    chains: int = 25
    sweeps: int = 50


def judged(run: Run, phase: str, figure: Callable[[], Judged]) -> Judged:
    """What a model says, found and timed once; read from the run where it is there."""
    path = run.checkpoint(f"{phase} judged")
    if not path.exists():
        with timed(run, f"{phase} judged"):
            found = figure()
        tensors = {name: tensor.contiguous() for name, tensor in found._asdict().items() if isinstance(tensor, Tensor)}
        write_tensors(path, tensors, {"figures": found.figures})
    tensors, header = read_tensors(path)
    figures = [(name, value, unit) for name, value, unit in header["figures"]]
    return Judged(**{name: tensors[name] for name in Judged._fields[:-1]}, figures=figures)


@torch.no_grad()
def of_machine(rbm: RBM, corpus: Corpus, how: Annealing, again: Sandwich, seed: int) -> Judged:
    """What the replicated softmax says. Its topics are the weights of its hidden units, its codes their probabilities."""
    found, log_z = log_p(rbm, corpus.test, how, derive(seed, 0))
    known, queries = (features(dense(counts), rbm) for counts in (corpus.train, corpus.test))
    topics = rbm.coupling.get_parameter("weight").detach()[:-1].T
    return Judged(found, known, queries, topics, sandwiched(rbm, corpus, log_z, again, derive(seed, 1)))


def sandwiched(rbm: RBM, corpus: Corpus, log_z: dict[int, Estimate], how: Sandwich, seed: int) -> list[Metric]:
    """log Z at some lengths by three ways, and by how much they leave the perplexity open.

    Parameters
    ----------
    rbm, corpus
        The machine, and the documents.
    log_z
        By annealing over lengths, for each number of words.
    how, seed
        The effort, and the seed of its draws.
    """
    words, figures, left = lengths_of(corpus.test), [], 0.0
    for number, quantile in enumerate(how.quantiles):
        length = int(words.double().quantile(quantile, interpolation="nearest"))
        some = dense(corpus.test[(words == length).nonzero().squeeze(1)[:OF_ONE_LENGTH].numpy()])
        again = evaluate(rbm, some, exact=False, chains=how.chains, betas=how.betas, sweeps=how.sweeps, seed=derive(seed, number))
        assert again.long is not None
        assert again.reverse is not None
        ways = {"lengths": log_z[length], "ais": again.long, "reverse_ais": again.reverse}
        for name, way in ways.items():
            figures += [(f"log_z_of_{length}_words_by_{name}_{corpus.name}", way.log_z, "nats")]
            figures += [(f"log_z_of_{length}_words_by_{name}_{corpus.name}_standard_error", way.standard_error, "nats")]
        left = max(left, (max(way.log_z for way in ways.values()) - log_z[length].log_z) / length)
    return [*figures, (f"percent_higher_perplexity_by_other_log_z_{corpus.name}", 100 * math.expm1(left), "%")]


def of_lda(corpus: Corpus, topics: int, passes: int, draws: int, seed: int) -> Judged:
    """What latent Dirichlet allocation says. Its codes are the mean shares of the topics."""
    model = learn_lda(corpus.train, topics, passes, derive(seed, 0))
    known, queries = (torch.from_numpy(model.transform(counts)).float() for counts in (corpus.train, corpus.test))
    by_itself = (f"perplexity_lda_{topics}_{corpus.name}_by_sklearn", float(model.perplexity(corpus.test)), "words")
    return Judged(lda_log_p(model, corpus.test, draws, derive(seed, 1)), known, queries, torch.zeros(0, 0), [by_itself])


def of_unigram(corpus: Corpus) -> Judged:
    """What one distribution of words says, which has neither codes nor topics."""
    nothing = torch.zeros(0, 0)
    return Judged(unigram_log_p(corpus.train, corpus.test), nothing, nothing, nothing, [])


def perplexities(log_p: Tensor, words: Tensor, name: str, seed: int) -> list[Metric]:
    """Perplexities a word: of all documents and of fifty, as published, each document counting alike; and each word counting alike.

    Parameters
    ----------
    log_p, words
        Of each document the log-probability and the number of words, (documents,).
    name
        Of model and corpus, with which the metrics' names end.
    seed
        Of which fifty.
    """
    nats = (log_p / words).double()
    some = torch.randperm(len(nats), generator=torch.Generator().manual_seed(derive(seed, 7)))[:PUBLISHED_DOCUMENTS]
    mean, error = -nats.mean().item(), (nats.std() / math.sqrt(len(nats))).item()
    return [
        (f"perplexity_{name}", math.exp(mean), "words"),
        (f"perplexity_{name}_standard_error", math.exp(mean) * error, "words"),
        (f"perplexity_{name}_of_50_documents", math.exp(-nats[some].mean().item()), "words"),
        (f"perplexity_{name}_all_words_alike", math.exp(-(log_p.sum() / words.sum()).item()), "words"),
    ]


def verdict(figures: list[Metric], corpus: Corpus) -> tuple[str, str]:
    """How far to trust the machine's perplexity: in a word, and in a sentence."""
    (left,) = [value for name, value, _ in figures if name == f"percent_higher_perplexity_by_other_log_z_{corpus.name}"]
    if left > 100 * OPEN:
        return "doubtful", f"Another estimate of log Z would raise the perplexity by up to {left:.1f} %."
    return "consistent", (
        f"At the lengths at which log Z was estimated in three ways, none would raise the perplexity by more than {max(left, 0.1):.1f} %, "
        "which is no evidence about a mode that no chain reached."
    )


def best_words(topics: Tensor, vocabulary: list[str], count: int = 8) -> list[list[str]]:
    """The words that are most of each topic. `topics`: (topics, words)."""
    return [[vocabulary[word] for word in row] for row in topics.topk(min(count, topics.shape[1])).indices.tolist()]


def table_of(judged: Judged, corpus: Corpus) -> list[dict[str, Any]]:
    """A row for each hidden unit: its words, how often it is on in the test documents, and the group in which it is most often on."""
    rows: list[dict[str, Any]] = []
    for unit, words in enumerate(best_words(judged.topics, corpus.vocabulary)):
        on = judged.queries[:, unit]
        row = {"words": ", ".join(words), "on": f"{on.mean():.0%}"}
        if corpus.group_names:
            of_group = torch.stack([on[corpus.test_groups == group].mean() for group in range(len(corpus.group_names))])
            row["most in"] = f"{corpus.group_names[of_group.argmax()]}, {of_group.max():.0%}"
        rows.append(row)
    return rows
