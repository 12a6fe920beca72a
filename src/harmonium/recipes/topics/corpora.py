"""Collections of documents to learn from and to be judged on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from harmonium.data import documents, newsgroups, nips_papers

ENCODED = "ax"  # the stem of encoded binary data
A_TENTH, FEWEST = 10, 20  # documents of one's own


class Corpus(NamedTuple):
    """Documents as counts of words. Where documents have no groups, none are named, and all are of group 0."""

    name: str
    train: sparse.csr_array
    test: sparse.csr_array
    vocabulary: list[str]
    train_groups: Tensor
    test_groups: Tensor
    group_names: list[str]


def news(data_dir: Path | None, *, encoded: bool) -> Corpus:
    """The postings of 20 newsgroups.

    Parameters
    ----------
    data_dir
        The user's own folder.
    encoded
        Keep the stem "ax", and the ten training postings more than half of which is this stem: encoded binary data.
    """
    held = newsgroups.load_counts(data_dir)
    parts = [(held.train, held.train_groups), (held.test, held.test_groups)]
    vocabulary = held.vocabulary
    if not encoded:
        place = vocabulary.index(ENCODED)
        others = np.arange(len(vocabulary)) != place
        vocabulary = [word for word in vocabulary if word != ENCODED]
        parts = [_some(counts, groups, _share(counts, place) < 0.5, others) for counts, groups in parts]
    (train, train_groups), (test, test_groups) = parts
    return Corpus("20news", train, test, vocabulary, train_groups, test_groups, held.group_names)


def papers(data_dir: Path | None) -> Corpus:
    """The papers of the NIPS conference, which have no groups."""
    held = nips_papers.load(data_dir)
    return without_groups("nips", held.train, held.test, held.vocabulary)


def own(path: Path, words: int, seed: int) -> Corpus:
    """A user's own documents, of which a random tenth is judged on."""
    held = documents.load(path, words=words)
    if held.counts.shape[0] < FEWEST:
        raise ValueError(f"{path} holds {held.counts.shape[0]} documents, and of twenty or more a tenth is judged on: give more documents")
    learnt, judged = apart(held.counts, seed)
    return without_groups("own", held.counts[learnt], held.counts[judged], held.vocabulary)


def without_groups(name: str, train: sparse.csr_array, test: sparse.csr_array, vocabulary: list[str]) -> Corpus:
    """Documents of which no groups are known."""
    of_train, of_test = (torch.zeros(counts.shape[0], dtype=torch.int64) for counts in (train, test))
    return Corpus(name, train, test, vocabulary, of_train, of_test, [])


def generated(seed: int, *, documents: int = 300, topics: int = 4, words: int = 60) -> Corpus:
    """Documents that are drawn from topics of a few words each, one group a topic; for smoke runs."""
    draw = np.random.default_rng(seed)
    shares = np.full((topics, words), 0.3 / words) + 0.7 * topics / words * (
        np.arange(words) * topics // words == np.arange(topics)[:, None]
    )
    groups = np.arange(documents) % topics
    counts = np.stack([draw.multinomial(draw.integers(5, 40), shares[group] / shares[group].sum()) for group in groups])
    learnt, judged = apart(counts, seed)
    vocabulary = [f"word{number}of{number * topics // words}" for number in range(words)]
    found, of_each = sparse.csr_array(counts.astype(np.int32)), torch.from_numpy(groups)
    return Corpus(
        "generated", found[learnt], found[judged], vocabulary, of_each[learnt], of_each[judged], [f"topic {n}" for n in range(topics)]
    )


def held_out(corpus: Corpus, seed: int) -> Corpus:
    """The training documents alone, of which a random tenth is judged on: for choosing settings."""
    learnt, judged = apart(corpus.train, seed)
    parts = (corpus.train[learnt], corpus.train[judged])
    return corpus._replace(train=parts[0], test=parts[1], train_groups=corpus.train_groups[learnt], test_groups=corpus.train_groups[judged])


def apart(documents: sparse.csr_array | np.ndarray[Any, Any], seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The numbers of nine tenths of the documents and those of the others, at random."""
    order = np.random.default_rng(seed).permutation(documents.shape[0])
    judged = documents.shape[0] // A_TENTH
    return order[judged:], order[:judged]


def _share(counts: sparse.csr_array, word: int) -> np.ndarray[Any, Any]:
    """The share of a word among those of each document."""
    found: np.ndarray[Any, Any] = counts[:, [word]].toarray().ravel() / np.asarray(counts.sum(1)).ravel()
    return found


def _some(
    counts: sparse.csr_array, groups: Tensor, rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any]
) -> tuple[sparse.csr_array, Tensor]:
    """These documents and words, without documents that have none of them."""
    left = counts[np.flatnonzero(rows)][:, np.flatnonzero(columns)]
    some = np.flatnonzero(np.asarray(left.sum(1)).ravel())
    return left[some], groups[np.flatnonzero(rows)][some]
