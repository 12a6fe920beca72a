"""Papers of the NIPS conference as counts of words: 1,500 papers, 7,605 words.

The collection is D. Newman's (2008), "Bag of Words" of the UCI repository; the words and the split are those of G. Di Benedetto's copy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harmonium.data import word_counts
from harmonium.data.fetch import locate

if TYPE_CHECKING:
    from scipy import sparse

FILES = {"nips_bow.npz": "50be2b10dce367b373b434fedf1cf03fffdf4c30ba4eeb9ad5ec15845a4c821b"}
WORDS, DOCUMENTS = 7605, {"train": 1350, "test": 150}


class Papers(NamedTuple):
    """Papers as counts of words.

    Attributes
    ----------
    train, test : scipy.sparse.csr_array
        (1350, 7605) and (150, 7605) int32: how often each word occurs.
    vocabulary : list of str
        The 7,605 words, in alphabetical order.
    """

    train: sparse.csr_array
    test: sparse.csr_array
    vocabulary: list[str]


def load(data_dir: str | Path | None = None) -> Papers:
    """Loads how often each of 7,605 words occurs in each of 1,500 papers, with their split at random.

    `nips_bow.npz` is looked for in `data_dir` or else in HARMONIUM_DATA, then in the cache (see `harmonium.data.fetch.locate`), in a folder
    `nips-bow`.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Papers
        The counts, sparse.

    Raises
    ------
    FileNotFoundError
        If the file is not on this machine.
    ValueError
        For a file that is damaged, or that is not the one its name says.

    Notes
    -----
    The file holds, for `train_` and `test_`, the counts as compressed rows (`indptr`, `indices`, `counts`), and the `vocabulary`.
    Words are not stemmed; stop words, and words that occur twenty times or less in all papers, are left out. Salakhutdinov & Hinton (2009)
    have another set, 1,690 and 50 papers of 13,649 words, so perplexities cannot be compared with theirs.

    Examples
    --------
    >>> import harmonium as hm
    >>> papers = hm.data.nips_papers.load()
    >>> papers.train.shape, int(papers.test.sum()), papers.vocabulary[:3]
    ((1350, 7605), 187589, ['aaai', 'abbott', 'abeles'])
    """
    path = locate("nips-bow", FILES, (), data_dir)["nips_bow.npz"]
    held = word_counts.read(path, ["vocabulary", *(f"{part}_{name}" for part in DOCUMENTS for name in word_counts.MATRIX)])
    vocabulary = [str(word) for word in held["vocabulary"].ravel()]
    if len(vocabulary) != WORDS:
        raise ValueError(f"{path} is another file: expected {WORDS} words, found {len(vocabulary)}")
    train, test = (word_counts.matrix(path, held, part, rows, WORDS) for part, rows in DOCUMENTS.items())
    return Papers(train, test, vocabulary)
