"""Topics of documents: the replicated softmax beside latent Dirichlet allocation, and deep autoencoders of word counts.

Papers: Salakhutdinov & Hinton, *Replicated softmax: an undirected topic model*, NIPS 2009: perplexities a word of 953 on 20 newsgroups and
3,405 on NIPS papers, against 1,091 and 3,576 of latent Dirichlet allocation with 50 topics, and codes that find postings of the same
newsgroup better. Hinton & Salakhutdinov, Science 313 (2006): a deep autoencoder's map of documents. Their counts are not to be had, so that
no figure compares with the published ones; the order of the models on the same counts does. Settings were chosen on held-out training
documents (`--choosing`). Ours, times and machine: results/topics.json; the protocol and what was tried: docs/recipes/topics.md.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from harmonium.files import read_tensors, write_tensors
from harmonium.learning import predict
from harmonium.recipes.shared.deep_autoencoder import Unrolled
from harmonium.recipes.topics.corpora import Corpus, generated, held_out, news, own, papers
from harmonium.recipes.topics.deep_codes import DeepCodes, learn_codes, learn_layers
from harmonium.recipes.topics.judged_documents import Judged, Sandwich, judged, of_lda, of_machine, of_unigram, perplexities, verdict
from harmonium.recipes.topics.machine_of_documents import Annealing, Machine, learn, lengths_of
from harmonium.recipes.topics.other_models import lsa
from harmonium.recipes.topics.pictures import sections
from harmonium.recipes.topics.retrieval import RECALLS, precision
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

MACHINE = "rsm"


@dataclasses.dataclass(frozen=True)
class Topics(Recipe):
    """Word counts by a replicated softmax, latent Dirichlet allocation, latent semantic analysis and deep autoencoders."""

    choosing: bool = False
    """Judge on a tenth of the training documents: for choosing settings."""
    data_dir: Path | None = None
    """Where the two collections are, if not in $HARMONIUM_DATA or the cache."""
    documents: Path | None = None
    """Learn from these documents instead: a text file, one a line, or a sparse matrix as scipy.sparse.save_npz writes it."""
    words: int = 2000
    """Of a text file of one's own, the most frequent ones that are kept."""
    quick: bool = False
    """A third of the updates, fewer passes and epochs, 50 topics alone, 1,000 queries."""
    encoded: bool = False
    """Keep the stem "ax" of the newsgroups, and the ten training postings of which it is most: encoded binary data."""
    bits: int = 0
    """Also learn codes of this many bits, as in semantic hashing."""
    machine: Machine = Machine(updates=6000)
    of_papers: Machine = Machine(updates=2250, steps=(2,))
    """Of documents of more than 500 words on average, whose persistent chains would hardly move."""
    annealing: Annealing = Annealing()
    sandwich: Sandwich = Sandwich()
    topics: tuple[int, ...] = (50, 200)
    """Of latent Dirichlet allocation."""
    passes: int = 20
    """Of latent Dirichlet allocation over the documents."""
    draws: int = 1000
    """Of a document's topics, for its probability under latent Dirichlet allocation."""
    queries: int = 10_000
    """Test documents, at most, with which others are looked for."""
    codes: DeepCodes = DeepCodes()

    name: ClassVar[str] = "topics"
    choices: ClassVar[tuple[str, ...]] = ("quick", "encoded")
    paper: ClassVar[str] = "Salakhutdinov & Hinton 2009; Hinton & Salakhutdinov 2006"
    published: ClassVar[dict[str, str]] = {
        "percent_below_lda_50_20news": "12.6 (other counts)",
        "percent_below_lda_50_nips": "4.8 (other counts)",
        "perplexity_20news": "953 (other counts)",
        "perplexity_lda_50_20news": "1091 (other counts)",
        "perplexity_lda_200_20news": "1058 (other counts)",
        "perplexity_nips": "3405 (other counts)",
        "perplexity_lda_50_nips": "3576 (other counts)",
        "perplexity_lda_200_nips": "3291 (other counts)",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = (
        "percent_below_lda_50_20news",
        "percent_below_lda_50_nips",
        "perplexity_20news",
        "perplexity_lda_50_20news",
        "perplexity_nips",
        "perplexity_lda_50_nips",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.words - 1, self.passes, self.draws, self.queries) < 1 or self.bits < 0:
            raise ValueError(f"there are two words, a pass, a draw and a query at least, and no negative number of bits, found {self}")

    @property
    def setting(self) -> str:
        """What the records call these options."""
        name = "smoke" if self.smoke else "quick" if self.quick else "full"
        return name + (", encoded" if self.encoded else "") + (", choosing" if self.choosing else "")

    def plan(self) -> Topics:
        """What the options come to."""
        fewer = dataclasses.replace
        if self.smoke:
            tiny, codes = Machine(updates=10, hidden=5, batch_size=30), DeepCodes((20, 10, 8), 10, 1, Unrolled(epochs=2))
            return fewer(
                self,
                machine=tiny,
                of_papers=tiny,
                codes=codes,
                annealing=Annealing(3, 5),
                sandwich=Sandwich((0.5,), 10, 10, 5),
                passes=2,
                draws=20,
            )
        if not self.quick:
            return self
        third = [fewer(machine, updates=machine.updates // 3) for machine in (self.machine, self.of_papers)]
        codes = fewer(self.codes, updates=300, epochs=2, tuning=fewer(self.codes.tuning, epochs=6))
        return fewer(
            self,
            machine=third[0],
            of_papers=third[1],
            codes=codes,
            annealing=Annealing(10, 20, 0.03),
            sandwich=Sandwich((0.25, 0.75), 100, 20, 20),
            topics=(50,),
            passes=5,
            draws=200,
            queries=1000,
        )

    def corpora(self) -> list[Corpus]:
        """The documents, of which the first are those that deep autoencoders learn too."""
        if self.documents is not None:
            found = [own(self.documents, self.words, derive(self.seed, 0))]
        elif self.smoke:
            found = [generated(0)]
        else:
            found = [news(self.data_dir, encoded=self.encoded), papers(self.data_dir)]
        return [held_out(each, derive(self.seed, 0)) for each in found] if self.choosing else found

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: each collection by each model; then documents found by their codes, and the deep autoencoders of the first."""
        torch.set_num_threads(self.threads)
        plan, corpora = self.plan(), self.corpora()
        figures: list[Metric] = []
        verdicts: dict[str, tuple[str, str]] = {}
        for corpus in corpora:
            found = models(run, plan, corpus)
            figures += metrics(found, corpus, self.seed)
            verdicts[f"perplexity_{corpus.name}"] = verdict(found[MACHINE].figures, corpus)
        codes = all_codes(run, plan, corpora[0])
        if corpora[0].group_names:
            figures += precision_metrics(retrieved(run, plan, corpora[0], codes))
        results = self.results(run, self.setting, figures, verdicts)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        """Draws the report of a finished run. ValueError where it has not finished."""
        run.results()
        plan, corpora = self.plan(), self.corpora()
        found = [models(run, plan, corpus) for corpus in corpora]
        codes = all_codes(run, plan, corpora[0])
        precisions = retrieved(run, plan, corpora[0], codes) if corpora[0].group_names else {}
        write_run_report(
            run,
            summary="Documents as counts of words, learnt by a replicated softmax and judged by the perplexity of a word in documents that "
            "were not learnt from, beside latent Dirichlet allocation",
            sections=sections(run, corpora, found, precisions, codes["autoencoder_2"][1]),
        )


def models(run: Run, plan: Topics, corpus: Corpus) -> dict[str, Judged]:
    """What each model says of a collection's test documents; read from the run where it is done.

    Parameters
    ----------
    run, plan
        The folder of the run, and what the options come to.
    corpus
        The documents.
    """
    seed, name = derive(plan.seed, *corpus.name.encode()), corpus.name
    long = lengths_of(corpus.train).double().mean() > 500

    def of_rsm() -> Judged:
        how = plan.of_papers if long else plan.machine
        rbm = learn(run, name, corpus.train, how, derive(seed, 0))
        return of_machine(rbm, corpus, plan.annealing, plan.sandwich, derive(seed, 1))

    found = {MACHINE: judged(run, f"{name} {MACHINE}", of_rsm)}
    for topics in plan.topics:
        model = f"lda_{topics}"
        found[model] = judged(run, f"{name} {model}", partial(of_lda, corpus, topics, plan.passes, plan.draws, derive(seed, topics)))
    found["unigram"] = judged(run, f"{name} unigram", partial(of_unigram, corpus))
    return found


def metrics(found: dict[str, Judged], corpus: Corpus, seed: int) -> list[Metric]:
    """The perplexities of a collection, and by what share the machine's lies below that of latent Dirichlet allocation."""
    words = lengths_of(corpus.test)
    figures: list[Metric] = []
    for model, each in found.items():
        figures += perplexities(each.log_p, words, corpus.name if model == MACHINE else f"{model}_{corpus.name}", seed) + each.figures
    value = {name: value for name, value, _ in figures}
    for model in (each for each in found if each.startswith("lda_")):
        share = 1 - value[f"perplexity_{corpus.name}"] / value[f"perplexity_{model}_{corpus.name}"]
        figures.append((f"percent_below_{model}_{corpus.name}", 100 * share, "%"))
    return figures


def all_codes(run: Run, plan: Topics, corpus: Corpus) -> dict[str, tuple[Tensor, Tensor]]:
    """Codes of the training and test documents by each way, (documents, size) each; read from the run where they are made."""
    seed = derive(plan.seed, 2)
    found = {model: (each.known, each.queries) for model, each in models(run, plan, corpus).items() if len(each.known)}

    def kept(name: str, make: Any) -> None:
        path = run.checkpoint(f"codes {name}")
        if not path.exists():
            known, queries = make()
            write_tensors(path, {"known": known.contiguous(), "queries": queries.contiguous()}, {})
        tensors, _ = read_tensors(path)
        found[name] = tensors["known"], tensors["queries"]

    def deep(size: int, *, bits: bool = False) -> tuple[Tensor, Tensor]:
        net = learn_codes(run, corpus.train, learn_layers(run, corpus.train, plan.codes, seed), size, plan.codes, seed, bits=bits)
        known, queries = (predict(net.encoder, counts) for counts in (corpus.train, corpus.test))
        return as_bits(known, queries) if bits else (known, queries)

    kept("autoencoder_2", lambda: deep(2))
    if corpus.group_names:  # else nothing says which documents belong together
        kept(f"lsa_{plan.machine.hidden}", lambda: lsa(corpus, plan.machine.hidden, seed))
        kept("lsa_10", lambda: lsa(corpus, 10, seed))
        kept("autoencoder_10", lambda: deep(10))
    if plan.bits:
        kept(f"bits_{plan.bits}", lambda: deep(plan.bits, bits=True))
    return found


def as_bits(known: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Codes as bits of -1 and 1, each of which half of the training documents have: their cosine counts the bits in which two agree."""
    middle = known.median(0).values
    return (known > middle) * 2.0 - 1, (queries > middle) * 2.0 - 1


def retrieved(run: Run, plan: Topics, corpus: Corpus, codes: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """The precision at each recall by each kind of code, (recalls,) float64; read from the run where it is found."""
    path = run.checkpoint("retrieved")
    if not path.exists():
        some = torch.randperm(len(corpus.test_groups), generator=torch.Generator().manual_seed(derive(plan.seed, 3)))[: plan.queries]
        found = {
            name: precision(known, corpus.train_groups, queries[some], corpus.test_groups[some]) for name, (known, queries) in codes.items()
        }
        write_tensors(path, found, {})
    found, _ = read_tensors(path)
    return {name: found[name] for name in codes}


def precision_metrics(found: dict[str, Tensor]) -> list[Metric]:
    """The precision at each recall by each kind of code, in percent."""
    return [
        (f"precision_percent_at_{100 * recall:g}_percent_recall_{name}", 100 * value, "%")
        for name, values in found.items()
        for recall, value in zip(RECALLS, values.tolist(), strict=True)
    ]
