"""Postings of 20 newsgroups: which of 100 words occur in each, and how often each of 2,000 stems does.

The collection is K. Lang's (1995). The table of 100 words is S. Roweis's; the counts follow R. Salakhutdinov & G. Hinton (2009).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.data import word_counts
from harmonium.data.fetch import locate
from harmonium.data.matlab import arrays

if TYPE_CHECKING:
    from scipy import sparse

FILES = {"20news_w100.mat": "6667c5459e22eb544a854bff1443edaaea71735cf1af7b12cc5d986e74af7064"}
COUNT_FILES = {"20news_w2000.npz": "7a945ab9ba0ec9b3031e2f116ff11497b095ed5aa2d2803a49a408ce8e2c43af"}
WORDS, POSTINGS, SUBJECTS = 100, 16242, 4
STEMS, GROUPS, DOCUMENTS = 2000, 20, {"train": 11314, "test": 7532}


class Postings(NamedTuple):
    """Postings as sets of words.

    Attributes
    ----------
    words : Tensor
        (16242, 100) bool: whether the word occurs in the posting.
    groups : Tensor
        (16242,) int64, from 0 to 3: the subject of the posting's newsgroup.
    vocabulary : list of str
        The 100 words.
    group_names : list of str
        The names of the four subjects: comp.*, rec.*, sci.*, talk.*.
    """

    words: Tensor
    groups: Tensor
    vocabulary: list[str]
    group_names: list[str]


class Counts(NamedTuple):
    """Postings as counts of words, split by date.

    Attributes
    ----------
    train, test : scipy.sparse.csr_array
        (11290, 2000) and (7510, 2000) int32: how often each stem occurs. Postings without any of the stems are left out.
    train_groups, test_groups : Tensor
        (11290,) and (7510,) int64, from 0 to 19: the newsgroup.
    vocabulary : list of str
        The 2,000 stems, the most frequent first.
    group_names : list of str
        The names of the 20 newsgroups.
    """

    train: sparse.csr_array
    test: sparse.csr_array
    train_groups: Tensor
    test_groups: Tensor
    vocabulary: list[str]
    group_names: list[str]


def load(data_dir: str | Path | None = None) -> Postings:
    """Loads which of 100 words occur in each of 16,242 postings.

    No split was published. `20news_w100.mat`, as Roweis distributes it, is looked for in `data_dir` or else in HARMONIUM_DATA, then in the
    cache (see `harmonium.data.fetch.locate`), in a folder `20newsgroups`.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Postings
        The postings.

    Raises
    ------
    FileNotFoundError
        If the file is not on this machine.
    ValueError
        For a file that is damaged, or that is not the one its name says.

    Examples
    --------
    >>> import harmonium as hm
    >>> postings = hm.data.newsgroups.load()
    >>> postings.words.shape, postings.vocabulary[:3]
    (torch.Size([16242, 100]), ['aids', 'baseball', 'bible'])
    """
    path = locate("20newsgroups", FILES, (), data_dir)["20news_w100.mat"]
    names = ("documents", "newsgroups", "wordlist", "groupnames")
    held = arrays(path, names)
    table, groups, *lists = (held.get(name) for name in names)
    if table is None or table.shape != (WORDS, POSTINGS) or not hasattr(table, "toarray"):
        found = "none" if table is None else str(table.shape)
        raise ValueError(
            f"{path} is another file: expected a sparse matrix `documents` of {WORDS} words by {POSTINGS} postings, found {found}"
        )
    present = table.toarray().T
    numbers = np.zeros(0) if groups is None else np.asarray(groups).ravel()
    if not np.isin(present, (0, 1)).all() or numbers.shape != (POSTINGS,) or not np.isin(numbers, np.arange(1, SUBJECTS + 1)).all():
        raise ValueError(f"{path} is damaged: expected zeros and ones in `documents`, and in `newsgroups` one of 1 to {SUBJECTS} a posting")
    vocabulary, group_names = (_cell_texts(cell) for cell in lists)
    if (len(vocabulary), len(group_names)) != (WORDS, SUBJECTS):
        raise ValueError(f"{path} is damaged: expected {WORDS} words and {SUBJECTS} names, found {len(vocabulary)} and {len(group_names)}")
    return Postings(torch.from_numpy(present.astype(bool)), torch.from_numpy(numbers.astype(np.int64) - 1), vocabulary, group_names)


def load_counts(data_dir: str | Path | None = None) -> Counts:
    """Loads how often each of the 2,000 most frequent stems occurs in each posting, in the split by date.

    `20news_w2000.npz` is looked for in `data_dir` or else in HARMONIUM_DATA, then in the cache (see `harmonium.data.fetch.locate`), in a
    folder `20news-bydate-w2000`.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Counts
        The counts, sparse.

    Raises
    ------
    FileNotFoundError
        If the file is not on this machine.
    ValueError
        For a file that is damaged, or that is not the one its name says.

    Notes
    -----
    The file holds, for `train_` and `test_`, the counts as a matrix of compressed rows (`indptr`, `indices`, `counts`) and the `labels`;
    beside these `vocabulary` and `group_names`. Its counts are made from Rennie's split by date, of 11,314 and 7,532 postings: headers are
    dropped, words are lower case and of two or more ASCII letters, scikit-learn's 318 stop words are dropped, and of the Porter stems those
    with the highest training counts are kept. Salakhutdinov & Hinton's counts differ in detail, so perplexities cannot be compared.

    The most frequent stem, "ax", is no word. It is encoded binary data in ten training postings: leave its column out.

    Examples
    --------
    >>> import harmonium as hm
    >>> counts = hm.data.newsgroups.load_counts()
    >>> counts.train.shape, counts.vocabulary[:3]
    ((11290, 2000), ['ax', 'edu', 'us'])
    """
    path = locate("20news-bydate-w2000", COUNT_FILES, (), data_dir)["20news_w2000.npz"]
    of_parts = [f"{part}_{name}" for part in DOCUMENTS for name in (*word_counts.MATRIX, "labels")]
    held = word_counts.read(path, ["vocabulary", "group_names", *of_parts])
    vocabulary, group_names = ([str(text) for text in held[name].ravel()] for name in ("vocabulary", "group_names"))
    if (len(vocabulary), len(group_names)) != (STEMS, GROUPS):
        raise ValueError(
            f"{path} is another file: expected {STEMS} stems and {GROUPS} newsgroups, found {len(vocabulary)} and {len(group_names)}"
        )
    (train, train_groups), (test, test_groups) = (_part(path, held, part, rows) for part, rows in DOCUMENTS.items())
    return Counts(train, test, train_groups, test_groups, vocabulary, group_names)


def _cell_texts(cell: np.ndarray[Any, Any] | None) -> list[str]:
    """The texts of a MATLAB cell array of them; none where there is no such array."""
    found = [np.asarray(each).ravel() for each in (() if cell is None else cell.ravel())]
    return [str(each[0]) for each in found if len(each)]


def _part(path: Path, held: word_counts.Arrays, part: str, rows: int) -> tuple[sparse.csr_array, Tensor]:
    """The counts and newsgroups of the documents of one part that have any words."""
    matrix = word_counts.matrix(path, held, part, rows, STEMS)
    labels = held[f"{part}_labels"]
    if labels.dtype.kind not in "iu" or labels.shape != (rows,) or (labels < 0).any() or (labels >= GROUPS).any():
        raise ValueError(f"{path} is damaged: expected {rows} newsgroups from 0 to {GROUPS - 1} in {part}_labels")
    some = np.flatnonzero(np.diff(matrix.indptr))
    return matrix[some], torch.from_numpy(labels.astype(np.int64)[some])
