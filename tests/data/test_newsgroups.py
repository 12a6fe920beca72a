"""The postings of 20 newsgroups: small files in their format, and the real ones where they are."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.io import savemat

import harmonium as hm
from harmonium.data import newsgroups

MAT, NPZ = "20news_w100.mat", "20news_w2000.npz"


def texts(*names):
    found = np.empty((1, len(names)), object)
    found[0] = names
    return found


def postings(**changed):
    """Word 3 in posting 7 and words 0 and 99 in posting 16241; posting n is of subject n % 4 + 1."""
    table = sparse.csc_array(([1, 1, 1], ([3, 0, 99], [7, 16241, 16241])), shape=(100, 16242), dtype=np.uint8)
    content = {
        "documents": sparse.csc_matrix(table),
        "newsgroups": (np.arange(16242) % 4 + 1).astype(np.uint8)[None],
        "wordlist": texts(*(f"word{n}" for n in range(100))),
        "groupnames": texts("comp.*", "rec.*", "sci.*", "talk.*"),
    }
    return content | changed


def test_words_in_their_format(tmp_path):
    savemat(tmp_path / MAT, postings(), do_compression=True)
    found = newsgroups.load(tmp_path)
    assert (found.words.dtype, found.words.nonzero().tolist()) == (torch.bool, [[7, 3], [16241, 0], [16241, 99]])
    assert (found.groups.dtype, found.groups[:5].tolist()) == (torch.int64, [0, 1, 2, 3, 0])
    assert (found.vocabulary[99], found.group_names) == ("word99", ["comp.*", "rec.*", "sci.*", "talk.*"])


MAT_FAULTS = {
    "no table": ({"documents": 0}, r"expected a sparse matrix `documents` of 100 words by 16242 postings, found \(1, 1\)"),
    "fewer": ({"documents": sparse.csc_matrix((100, 9))}, r"found \(100, 9\)"),
    "counts": ({"documents": sparse.csc_matrix(([2], ([0], [0])), shape=(100, 16242))}, "expected zeros and ones"),
    "a fifth subject": ({"newsgroups": np.full((1, 16242), 5)}, "one of 1 to 4"),
    "subjects of some": ({"newsgroups": np.ones((1, 9))}, "one of 1 to 4"),
    "few words": ({"wordlist": texts("aids")}, "expected 100 words and 4 names, found 1 and 4"),
}


@pytest.mark.parametrize("fault", MAT_FAULTS)
def test_words_that_are_not_what_they_should_be_are_named(tmp_path, fault):
    changed, says = MAT_FAULTS[fault]
    savemat(tmp_path / MAT, postings(**changed), do_compression=True)
    with pytest.raises(ValueError, match=says) as caught:
        newsgroups.load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / MAT} is ")


def counts(**changed):
    """Training: 5 of stem 1999 in document 0, 2 of stem 1 and 3 of stem 4 in the last. Test: 7 of stem 0 in document 1."""
    ends, test_ends = np.full(11315, 1, np.int32), np.full(7533, 1, np.int32)
    ends[0], ends[-1], test_ends[:2] = 0, 3, 0
    return {
        "train_indptr": ends,
        "train_indices": np.array([1999, 1, 4], np.uint16),
        "train_counts": np.array([5, 2, 3], np.uint16),
        "train_labels": (np.arange(11314) % 20).astype(np.uint8),
        "test_indptr": test_ends,
        "test_indices": np.array([0], np.uint16),
        "test_counts": np.array([7], np.uint16),
        "test_labels": (np.arange(7532) % 20).astype(np.uint8),
        "vocabulary": np.array([f"stem{n}" for n in range(2000)]),
        "group_names": np.array([f"group{n}" for n in range(20)]),
    } | changed


def test_counts_in_their_format(tmp_path):
    np.savez_compressed(tmp_path / NPZ, **counts())
    found = newsgroups.load_counts(tmp_path)
    assert (found.train.shape, found.test.shape) == ((2, 2000), (1, 2000))  # documents that have words
    assert [(row, column, int(found.train[row, column])) for row, column in zip(*found.train.nonzero(), strict=True)] == [
        (0, 1999, 5),
        (1, 1, 2),
        (1, 4, 3),
    ]
    assert int(found.test[0, 0]) == 7
    assert (found.train_groups.tolist(), found.test_groups.tolist()) == ([0, 11313 % 20], [1])
    assert (found.vocabulary[-1], found.group_names[-1]) == ("stem1999", "group19")
    hm.ReplicatedSoftmax(2000).check(torch.from_numpy(found.train.toarray()))


NPZ_FAULTS = {
    "fewer documents": ({"train_indptr": np.array([0, 3])}, "expected 11314 documents in its train part, found 1$"),
    "a stem too many": ({"train_indices": np.array([0, 2000, 1])}, "expected words from 0 to 1999"),
    "a count of zero": ({"test_counts": np.array([0])}, "counts above 0"),
    "another newsgroup": ({"test_labels": np.full(7532, 20)}, "newsgroups from 0 to 19"),
    "rows that fall": ({"test_indptr": np.r_[0, 1, 0, np.ones(7530, np.int64)]}, "test_indptr does not divide its 1 indices and 1 counts"),
    "rows beyond": ({"test_indptr": np.r_[np.zeros(7532, np.int64), 2]}, "test_indptr does not divide"),
    "fractions": ({"train_counts": np.array([1.5, 1, 1])}, "expected whole numbers in train_indptr"),
    "few stems": ({"vocabulary": np.array(["edu"])}, "expected 2000 stems and 20 newsgroups, found 1 and 20"),
    "objects, which would be unpickled": ({"vocabulary": np.array(["edu"] * 2000, object)}, r"is not a readable \.npz file"),
}


@pytest.mark.parametrize("fault", NPZ_FAULTS)
def test_counts_that_are_not_what_they_should_be_are_named(tmp_path, fault):
    changed, says = NPZ_FAULTS[fault]
    np.savez_compressed(tmp_path / NPZ, **counts(**changed))
    with pytest.raises(ValueError, match=says) as caught:
        newsgroups.load_counts(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / NPZ} is ")


def test_files_of_another_format_or_with_other_arrays_are_named(tmp_path, monkeypatch):
    (tmp_path / MAT).write_bytes(b"GIF89a")
    (tmp_path / NPZ).write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match="is not a readable MATLAB file"):
        newsgroups.load(tmp_path)
    with pytest.raises(ValueError, match=r"is not a readable \.npz file"):
        newsgroups.load_counts(tmp_path)
    np.savez(tmp_path / NPZ, **{name: array for name, array in counts().items() if name != "test_labels"})
    with pytest.raises(ValueError, match=r"is another file: .* and test_labels are not there"):
        newsgroups.load_counts(tmp_path)
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=f"put {MAT} into a folder"):
        newsgroups.load(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match=f"put {NPZ} into a folder"):
        newsgroups.load_counts(tmp_path / "empty")


def here(name):
    folder = os.environ.get("HARMONIUM_DATA")
    return bool(folder) and (Path(folder) / name).is_file()


@pytest.mark.skipif(not here(f"20newsgroups/{MAT}"), reason="HARMONIUM_DATA is not set, or has no 20newsgroups")
def test_the_real_words():
    words, groups, vocabulary, _ = newsgroups.load()
    assert (int(words.sum()), groups.bincount().tolist()) == (65451, [4605, 3519, 2657, 5461])
    of_space = words[:, vocabulary.index("nasa")]
    assert (groups[of_space] == 2).double().mean() > 0.5  # sci.*


@pytest.mark.skipif(not here(f"20news-bydate-w2000/{NPZ}"), reason="HARMONIUM_DATA is not set, or has no 20news-bydate-w2000")
def test_the_real_counts():
    found = newsgroups.load_counts()
    assert (found.train.shape, found.test.shape) == ((11290, 2000), (7510, 2000))
    assert (int(found.train.sum()), int(found.test.sum())) == (1_098_804, 650_038)
    assert (found.train.nnz, found.test.nnz) == (631_028, 410_543)
    column = found.vocabulary.index("hockei")
    share = found.train[:, [column]].sum(1) > 0
    assert found.group_names[found.train_groups[torch.from_numpy(share)].bincount().argmax()] == "rec.sport.hockey"
