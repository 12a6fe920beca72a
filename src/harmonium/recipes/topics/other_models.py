"""What the replicated softmax is compared with: latent Dirichlet allocation, one distribution of words, and latent semantic analysis."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.special import gammaln
from sklearn.decomposition import LatentDirichletAllocation, TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from torch import Tensor

from harmonium.recipes.topics.corpora import Corpus

BATCHES = 10  # of a pass over the documents: better than 20 on held-out postings
LEAST = 1e-300  # of a share whose logarithm is taken


def learn_lda(counts: sparse.csr_array, topics: int, passes: int, seed: int) -> LatentDirichletAllocation:
    """Latent Dirichlet allocation by scikit-learn's online variational Bayes, with its own priors, 1 / topics.

    Parameters
    ----------
    counts
        (documents, words).
    topics, passes
        How many topics, and how often each document is visited.
    seed
        Of the beginning, and of the order of the documents.
    """
    size = max(counts.shape[0] // BATCHES, 1)
    model = LatentDirichletAllocation(topics, learning_method="online", batch_size=size, max_iter=passes, random_state=seed % 2**32)
    # scikit-learn takes documents as they come, and those of the newsgroups come by group
    return model.fit(counts[np.random.default_rng(seed).permutation(counts.shape[0])])


def lda_log_p(model: LatentDirichletAllocation, counts: sparse.csr_array, draws: int, seed: int) -> Tensor:
    """The log-probability of each document's sequence of words under the mean topics: (documents,) float64, nats.

    p(w) = E_q[p(θ) Π_i Σ_k θ_k φ_k(w_i) / q(θ)], with the Dirichlet distribution q that variational inference finds and the mean over
    draws of θ. Its logarithm is low in expectation, and higher than the variational bound.

    Parameters
    ----------
    model
        Learnt.
    counts
        (documents, words).
    draws, seed
        Of each document, and their seed.
    """
    log_topics = np.log(model.components_ / model.components_.sum(1, keepdims=True))
    topics = np.exp(log_topics)
    prior = np.full(len(topics), model.doc_topic_prior_)
    lengths = np.asarray(counts.sum(1)).ravel()
    posterior = model.transform(counts) * (lengths[:, None] + prior.sum())  # which is normalised by that sum
    generator, found = np.random.default_rng(seed), []
    for number in range(counts.shape[0]):
        document, q = counts[[number]], posterior[number]
        shares = np.maximum(generator.dirichlet(q, draws), LEAST)
        log_ratio = _dirichlet(shares, prior) - _dirichlet(shares, q)
        log_weights = np.log(shares @ topics[:, document.indices]) @ document.data + log_ratio
        found.append(np.logaddexp.reduce(log_weights) - np.log(draws))
    return torch.tensor(np.array(found))


def _dirichlet(shares: np.ndarray[Any, Any], concentration: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The log-density of a Dirichlet distribution at each row of shares."""
    found: np.ndarray[Any, Any] = np.log(shares) @ (concentration - 1) + gammaln(concentration.sum()) - gammaln(concentration).sum()
    return found


def unigram_log_p(train: sparse.csr_array, test: sparse.csr_array) -> Tensor:
    """The same where all words of all documents come from one distribution, with Laplace's rule."""
    shares = (np.asarray(train.sum(0)).ravel() + 1) / (train.sum() + train.shape[1])
    return torch.from_numpy(test @ np.log(shares))


def lsa(corpus: Corpus, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Codes of the training and of the test documents by latent semantic analysis, (documents, size) each.

    The singular vectors of 1 + log(counts), times the inverse document frequencies, with documents of norm 1.
    """
    weighting = TfidfTransformer(sublinear_tf=True)
    known = weighting.fit_transform(corpus.train.astype(np.float64))
    svd = TruncatedSVD(size, random_state=seed % 2**32)
    codes = svd.fit_transform(known), svd.transform(weighting.transform(corpus.test.astype(np.float64)))
    first, second = (torch.from_numpy(each).float() for each in codes)
    return first, second
