"""Documents of one's own as counts of words: a text file, one document a line, or a sparse matrix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harmonium.data.sparse import check_indices
from harmonium.data.text_file import read_text

if TYPE_CHECKING:
    from scipy import sparse

MOST_DOCUMENTS, MOST_WORDS = 1 << 24, 1 << 21  # of a matrix, whatever it says of itself
WORD = r"(?u)\b[^\W\d_]{2,}\b"  # two letters or more


class Documents(NamedTuple):
    """Documents as counts of words.

    Attributes
    ----------
    counts : scipy.sparse.csr_array
        (documents, words) int32: how often each word occurs.
    vocabulary : list of str
        The words.
    """

    counts: sparse.csr_array
    vocabulary: list[str]


def load(path: str | Path, *, words: int = 2000, stop_words: str | None = "english") -> Documents:
    """Loads documents as counts of words.

    Parameters
    ----------
    path : str or pathlib.Path
        A text file in UTF-8, one document a line; or an .npz file as `scipy.sparse.save_npz` writes it, (documents, words), such as
        scikit-learn's `CountVectorizer` counts. Of a matrix `counts.npz` the words are the lines of `counts.txt`, where that file is there.
    words : int, default 2000
        Of a text the most frequent words that are kept, at most.
    stop_words : str or None, default "english"
        Of a text the words that are left out, as scikit-learn's `CountVectorizer` takes them.

    Returns
    -------
    Documents
        The counts, sparse.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For an empty document, for counts that are negative or no whole numbers, for a vocabulary that does not fit, and for a file that is
        neither a text nor a sparse matrix. Rows are counted from 1.

    Notes
    -----
    Words of a text are lower case and of two or more letters. They are not stemmed.

    Examples
    --------
    >>> import harmonium as hm
    >>> from pathlib import Path
    >>> _ = Path("three.txt").write_text("cats and dogs\\ndogs\\nmore cats, and cats\\n")
    >>> found = hm.data.documents.load("three.txt")
    >>> found.vocabulary, found.counts.toarray().tolist()
    (['cats', 'dogs'], [[1, 1], [0, 1], [2, 0]])
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    return _matrix(path) if path.suffix == ".npz" else _text(path, words, stop_words)


def _text(path: Path, words: int, stop_words: str | None) -> Documents:
    from sklearn.feature_extraction.text import CountVectorizer  # here: importing the package does not wait for scikit-learn

    vectorizer = CountVectorizer(token_pattern=WORD, stop_words=stop_words, max_features=words, dtype=np.int32)
    lines = read_text(path).splitlines()
    try:
        counts = vectorizer.fit_transform(lines)
    except ValueError as fault:
        raise ValueError(f"{path} holds no words to count: {fault}") from fault
    return Documents(_checked(path, counts, "keep more words or drop the line"), vectorizer.get_feature_names_out().tolist())


def _matrix(path: Path) -> Documents:
    from scipy import sparse

    try:
        counts = sparse.load_npz(path)
        if hasattr(counts, "indptr"):
            check_indices(counts)
    except Exception as fault:  # SciPy and NumPy may raise any exception, depending on the bytes
        raise ValueError(f"{path} is no sparse matrix, as scipy.sparse.save_npz writes it") from fault
    if counts.ndim != 2 or counts.dtype.kind not in "biuf" or counts.shape[0] > MOST_DOCUMENTS or counts.shape[1] > MOST_WORDS:
        most = f"at most {MOST_DOCUMENTS:,} documents by {MOST_WORDS:,} words"
        raise ValueError(f"{path} must hold counts of {most}, found {counts.dtype} of shape {counts.shape}")
    checked = _checked(path, counts, "drop the row")
    names = path.with_suffix(".txt")
    vocabulary = names.read_text(encoding="utf-8-sig").split() if names.is_file() else [f"word {n}" for n in range(counts.shape[1])]
    if len(vocabulary) != counts.shape[1]:
        raise ValueError(f"{names} must have one word for each of the {counts.shape[1]} columns of {path}, found {len(vocabulary)}")
    return Documents(checked, vocabulary)


def _checked(path: Path, counts: Any, cure: str) -> sparse.csr_array:
    """The counts in compressed rows. Raises ValueError if they are no counts, or where a document has none."""
    from scipy import sparse

    found = sparse.csr_array(counts)
    found.sum_duplicates()
    odd = np.flatnonzero(~np.isfinite(found.data) | (found.data < 0) | (found.data != np.round(found.data)))
    if len(odd):
        row = int(np.searchsorted(found.indptr, odd[0], side="right"))
        raise ValueError(f"{path} has {found.data[odd[0]]:g} in row {row}, where counts are whole numbers of zero or more: mend the row")
    empty = np.flatnonzero(np.asarray(found.sum(1)).ravel() == 0)
    if len(empty) or not found.shape[0]:
        more = f" (and in {len(empty) - 1:,} others)" if len(empty) > 1 else ""
        where = f"row {empty[0] + 1}{more}" if len(empty) else "any row"
        raise ValueError(f"{path} has none of the {found.shape[1]:,} counted words in {where}: {cure}")
    found.eliminate_zeros()
    return found.astype(np.int32)
