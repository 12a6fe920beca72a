"""The topics recipe: its judges against quadrature, loops and documents listed word by word, and every step on drawn documents."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.integrate import quad
from sklearn.decomposition import LatentDirichletAllocation

import harmonium as hm
from harmonium import cli
from harmonium.data import newsgroups
from harmonium.recipes.topics import corpora
from harmonium.recipes.topics.deep_codes import nats_a_word
from harmonium.recipes.topics.judged_documents import best_words, perplexities, verdict
from harmonium.recipes.topics.machine_of_documents import Annealing, Machine, learn, lengths_of, log_p
from harmonium.recipes.topics.other_models import lda_log_p, learn_lda, lsa, unigram_log_p
from harmonium.recipes.topics.recipe import Topics, as_bits
from harmonium.recipes.topics.retrieval import RECALLS, precision
from tests import oracle


def counts(rows: list[list[int]]) -> sparse.csr_array:
    return sparse.csr_array(np.array(rows, dtype=np.int32))


def test_documents_of_any_length_have_the_probability_that_a_listing_gives() -> None:
    rbm = hm.RBM(hm.ReplicatedSoftmax(3), hm.Bernoulli(4))
    generator = torch.Generator().manual_seed(0)
    for parameter in rbm.parameters():
        if parameter.requires_grad:
            parameter.data.normal_(std=0.8, generator=generator)
    documents = counts([[1, 0, 0], [2, 0, 1], [0, 3, 3], [4, 1, 1], [0, 2, 1]])
    found, log_z = log_p(rbm, documents, Annealing(populations=50, chains=100), seed=0)
    assert sorted(log_z) == [1, 3, 6]
    units = (oracle.Part("bernoulli", np.zeros(4)),)
    for row, value in zip(documents.toarray(), found.tolist(), strict=True):
        words = oracle.Part("words", rbm.visible.bias.detach().double().numpy(), length=int(row.sum()))
        plain = oracle.Machine((words,), units, rbm.coupling.weight.detach().double().numpy())
        error = log_z[int(row.sum())].standard_error
        assert value == pytest.approx(oracle.log_likelihood(plain, row[None].astype(float))[0], abs=4 * error + 1e-5)
        assert error < 0.02


def test_latent_dirichlet_allocation_against_quadrature() -> None:
    model = LatentDirichletAllocation(2, doc_topic_prior=0.5, random_state=0, max_iter=3)
    documents = counts([[3, 0, 1], [0, 2, 2], [1, 1, 0], [5, 4, 1]])
    model.fit(documents)
    topics = model.components_ / model.components_.sum(1, keepdims=True)
    found = lda_log_p(model, documents, 20_000, seed=0)
    for row, value in zip(documents.toarray(), found.tolist(), strict=True):

        def integrand(angle: float, row: np.ndarray = row) -> float:  # θ = sin², of which Dirichlet(½, ½) is uniform in the angle
            return float(np.prod((math.sin(angle) ** 2 * topics[0] + math.cos(angle) ** 2 * topics[1]) ** row))

        assert value == pytest.approx(math.log(quad(integrand, 0, math.pi / 2)[0] / (math.pi / 2)), abs=0.05)
    assert bool((lda_log_p(model, documents, 5, seed=1) != lda_log_p(model, documents, 5, seed=2)).any())


def test_documents_that_come_by_group_are_mixed_before_their_topics_are_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(LatentDirichletAllocation, "fit", lambda model, documents: seen.append(documents.toarray().ravel().tolist()))
    learn_lda(counts([[n] for n in range(100)]), 2, 1, seed=0)
    assert sorted(seen[0]) == list(range(100))
    assert abs(np.corrcoef(seen[0], np.arange(100))[0, 1]) < 4 / math.sqrt(100)


def test_one_distribution_of_words() -> None:
    found = unigram_log_p(counts([[1, 0, 2], [0, 0, 1]]), counts([[2, 1, 0], [0, 0, 1]]))
    assert found.tolist() == pytest.approx([2 * math.log(2 / 7) + math.log(1 / 7), math.log(4 / 7)])


def test_perplexities_of_documents_and_of_words() -> None:
    rows = {name: value for name, value, _ in perplexities(torch.tensor([-2.0, -30.0]).double(), torch.tensor([1, 10]), "x", seed=0)}
    assert rows["perplexity_x"] == pytest.approx(math.exp(2.5))
    assert rows["perplexity_x_all_words_alike"] == pytest.approx(math.exp(32 / 11))
    assert rows["perplexity_x_of_50_documents"] == pytest.approx(math.exp(2.5))  # there are but two
    assert rows["perplexity_x_standard_error"] == pytest.approx(math.exp(2.5) * 0.5)


def test_precision_counted_one_by_one() -> None:
    generator = torch.Generator().manual_seed(0)
    known, queries = torch.randn(40, 3, generator=generator), torch.randn(7, 3, generator=generator)
    known_groups, query_groups = torch.arange(40) % 3, torch.arange(7) % 4  # nothing is of group 3
    expected = []
    for recall in RECALLS:
        values = []
        for query, group in zip(queries, query_groups.tolist(), strict=True):
            alike = [float(query @ each / query.norm() / each.norm()) for each in known]
            relevant = sorted((place for place in range(40) if known_groups[place] == group), key=lambda place: -alike[place])
            if relevant:
                wanted = math.ceil(recall * len(relevant))
                values.append(wanted / sum(each >= alike[relevant[wanted - 1]] for each in alike))
        expected.append(sum(values) / len(values))
    assert precision(known, known_groups, queries, query_groups).tolist() == pytest.approx(expected)


def test_bits_are_halves_of_the_documents_and_their_cosine_counts_agreement() -> None:
    known, queries = as_bits(torch.arange(12.0).reshape(6, 2), torch.tensor([[100.0, -5.0]]))
    assert known.sum(0).tolist() == [0, 0]
    assert queries.tolist() == [[1, -1]]


def test_words_are_weighed_alike_however_long_a_document_is() -> None:
    net = hm.nets.autoencoder(hm.RBM(hm.ReplicatedSoftmax(3), hm.Bernoulli(2)))
    outputs, documents = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]), torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 40.0]])
    shares = outputs.exp() / outputs.exp().sum(1, keepdim=True)
    expected = -((shares[0, 0].log() + shares[0, 2].log()) / 2 + shares[1, 2].log()) / 2
    assert nats_a_word(net)(outputs, documents).item() == pytest.approx(expected.item())


def test_encoded_postings_and_their_stem_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    held = newsgroups.Counts(
        counts([[90, 10, 0], [5, 50, 0], [0, 1, 1]]),
        counts([[2, 0, 0], [1, 3, 3]]),
        torch.tensor([0, 1, 2]),
        torch.tensor([1, 2]),
        ["ax", "edu", "us"],
        ["a", "b", "c"],
    )
    monkeypatch.setattr(newsgroups, "load_counts", lambda data_dir: held)
    found = corpora.news(None, encoded=False)
    assert (found.train.toarray().tolist(), found.train_groups.tolist()) == ([[50, 0], [1, 1]], [1, 2])
    assert (found.test.toarray().tolist(), found.test_groups.tolist(), found.vocabulary) == ([[3, 3]], [2], ["edu", "us"])
    kept = corpora.news(None, encoded=True)
    assert (kept.train.shape, kept.test.shape, kept.vocabulary) == ((3, 3), (2, 3), ["ax", "edu", "us"])


def test_settings_are_chosen_without_the_test_documents() -> None:
    whole = corpora.generated(0)
    chosen = corpora.held_out(whole, 0)
    rows = {tuple(row) for row in whole.test.toarray().tolist()} - {tuple(row) for row in whole.train.toarray().tolist()}
    assert rows
    seen = [tuple(row) for part in (chosen.train, chosen.test) for row in part.toarray().tolist()]
    assert not rows & set(seen)
    assert len(seen) == whole.train.shape[0]
    assert chosen.test.shape[0] == whole.train.shape[0] // 10


def test_semantic_analysis_keeps_what_topics_differ_in() -> None:
    corpus = corpora.generated(0)
    known, queries = lsa(corpus, 4, seed=0)
    assert (known.shape, queries.shape) == ((len(corpus.train_groups), 4), (len(corpus.test_groups), 4))
    assert precision(known, corpus.train_groups, queries, corpus.test_groups)[0] > 0.9


def test_best_words_and_the_verdict() -> None:
    assert best_words(torch.tensor([[0.1, 3.0, -1.0], [2.0, 0.0, 1.0]]), ["a", "b", "c"], 2) == [["b", "a"], ["a", "c"]]
    corpus = corpora.generated(0)
    name = "percent_higher_perplexity_by_other_log_z_generated"
    assert verdict([(name, 0.4, "%")], corpus)[0] == "consistent"
    assert verdict([(name, 2.4, "%")], corpus)[0] == "doubtful"


def test_a_machine_beats_one_distribution_of_words(tmp_path: Path) -> None:
    corpus, run = corpora.generated(0), hm.runs.Run.begin("topics", Topics(out=tmp_path / "run"))
    rbm = learn(run, "x", corpus.train, Machine(200, hidden=8, learning_rate=0.02, batch_size=50), 0)
    found = hm.likelihood.evaluate(rbm, torch.from_numpy(corpus.test.toarray()).float())  # exact: 2^8 hidden states
    words = lengths_of(corpus.test)
    assert found.verdict == "exact"
    assert Machine(200, steps=(2, 5)).rules() == [hm.ContrastiveDivergence(2), hm.ContrastiveDivergence(5)]
    assert found.perplexity < 0.75 * math.exp(-(unigram_log_p(corpus.train, corpus.test).sum() / words.sum()))


def test_a_smoke_run_goes_through_every_step_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["run", "topics", "--smoke", "--bits", "6", "--threads", "1", "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    cli.main()
    path = tmp_path / "run" / "results.json"
    results = json.loads(path.read_text())["metrics"]
    for name in ("", "lda_50_", "lda_200_", "unigram_"):
        assert 1 < results[f"perplexity_{name}generated"]["value"] < 100
    assert results["perplexity_generated"]["verdict"] in ("consistent", "doubtful")
    for name in ("rsm", "lda_50", "lsa_10", "autoencoder_10", "autoencoder_2", "bits_6"):
        assert 20 <= results[f"precision_percent_at_100_percent_recall_{name}"]["value"] <= 100  # of four groups
    assert (tmp_path / "run" / "report.html").stat().st_size > 20_000
    path.unlink()
    monkeypatch.setattr(Topics, "report", lambda self, run: None)  # drawn above, and not looked at below
    cli.main()
    assert json.loads(path.read_text())["metrics"] == results


def test_documents_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(f"red blue {'green' if n % 2 else 'cat dog cat'}" for n in range(200)))
    found = Topics(documents=path).corpora()
    assert [(each.name, each.train.shape[0], each.test.shape[0], each.group_names) for each in found] == [("own", 180, 20, [])]
    assert found[0].vocabulary == ["blue", "cat", "dog", "green", "red"]
    recipe = Topics(smoke=True, documents=path, out=tmp_path / "run")
    metrics = set(recipe.run(hm.runs.Run.begin("topics", recipe))["metrics"])
    assert {"perplexity_own", "perplexity_lda_50_own"} <= metrics
    assert not any("precision" in name for name in metrics)  # nothing says which documents belong together
    path.write_text("red\n\nblue\n")
    with pytest.raises(ValueError, match=r"lines\.txt has none of the 2 counted words in row 2"):
        Topics(documents=path).corpora()
    path.write_text("red\nblue\n")
    with pytest.raises(ValueError, match="holds 2 documents, and of twenty or more a tenth is judged on"):
        Topics(documents=path).corpora()
