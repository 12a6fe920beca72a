"""Tables of ratings: files in their formats, what is wrong with a line, splits; and the real sets where they are."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from harmonium.data import ratings
from harmonium.data.ratings import LAYOUTS, Ratings, Scale

FOLDER = os.environ.get("HARMONIUM_DATA")


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def table(users: int = 20, items: int = 30, seed: int = 0) -> Ratings:
    present = np.random.default_rng(seed).random((users, items)) < 0.5
    rows, columns = np.nonzero(present)
    values = torch.from_numpy(1.0 + (rows + columns) % 5).float()
    names = tuple(map(str, range(users))), tuple(map(str, range(items)))
    return Ratings(torch.from_numpy(rows), torch.from_numpy(columns), values, *names, Scale(1.0, 5.0, 1.0))


def test_films_in_movielens_s_three_formats(tmp_path):
    write(tmp_path, "ratings.csv", "userId,movieId,rating,timestamp\r\n1,31,2.5,1\r\n7,6,4.0,2\r\n7,31,0.5,3\r\n")
    write(tmp_path, "movies.csv", 'movieId,title,genres\r\n31,"Misérables, Les (1995)",Drama\r\n6,Heat (1995),Action\r\n')
    small = ratings.load("ml-latest-small", tmp_path)
    assert small.user_names == ("1", "7")
    assert small.item_names == ("Misérables, Les (1995)", "Heat (1995)")
    assert small.to_csr().toarray().tolist() == [[2.5, 0], [0.5, 4.0]]
    write(tmp_path, "u.data", "196\t242\t3\t881\n186\t302\t3\t891\n196\t302\t1\t5\n")
    write(tmp_path, "u.item", "242|Kolya (1996)|x||\n302|L.A. Confidential (1997)|y||\n300|Née|z\n", "latin-1")
    hundred = ratings.load("ml-100k", tmp_path)
    assert hundred.to_csr().toarray().tolist() == [[3, 1], [0, 3]]
    assert hundred.item_names[1] == "L.A. Confidential (1997)"
    write(tmp_path, "u2.base", "196\t242\t3\t881\n186\t302\t3\t891\n")
    write(tmp_path, "u2.test", "196\t302\t1\t5\n")
    learnt, held = ratings.load_fold(2, tmp_path)
    assert (len(learnt), len(held)) == (2, 1)
    assert (held.users.tolist(), held.items.tolist(), held.values.tolist()) == ([0], [1], [1.0])
    write(tmp_path, "u2.test", "196\t302\t1\t5\n9\t302\t1\t5\n")
    with pytest.raises(ValueError, match=r"u2.test, line 2: u.data has no such rating"):
        ratings.load_fold(2, tmp_path)
    with pytest.raises(ValueError, match="give a number from 1 to 5, found 6"):
        ratings.load_fold(6, tmp_path)
    write(tmp_path, "ratings.dat", "1::1193::5::978300760\n2::661::3::978302109\n")
    write(tmp_path, "movies.dat", "661::James and the Giant Peach (1996)::Animation\n", "latin-1")
    million = ratings.load("ml-1m", tmp_path)
    assert million.item_names == ("1193", "James and the Giant Peach (1996)")
    assert million.scale == LAYOUTS["ml-1m"].scale == Scale(1.0, 5.0, 1.0)
    with pytest.raises(ValueError, match=r"the sets are ml-latest-small.* and jester5k, found 'netflix'"):
        ratings.load("netflix")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,item,rating\nann,tea,4\nbob,tea,5.5\n", r"own.csv, line 3: a rating is from 1 to 5 in steps of 1, found 5.5"),
        ("ann,tea,4\nbob,tea,nan\n", r"own.csv, line 2: a rating is from 1 to 5 in steps of 1, found nan"),
        ("ann,tea,4\nbob,tea,good\n", r"own.csv, line 2: expected user, item and a number, found 'bob,tea,good'"),
        ("user,item,rating\nann,tea\n", r"own.csv, line 2: expected user, item and a number, found 'ann,tea'"),
        (
            "user,item,rating\nann,tea,4\nbob,tea,4\nann,milk,1\nann,tea,2\n",
            r"own.csv, line 5: user and item are those of line 2: keep one of the two",
        ),
        ("user,item,rating\n", r"own.csv holds no rating: expected lines of user, item and rating"),
        ("", r"own.csv holds no rating"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        ratings.read(write(tmp_path, "own.csv", text))


def test_a_file_that_is_not_there_or_in_another_encoding_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^there is no file .*own\.csv$"):
        ratings.read(tmp_path / "own.csv")
    (tmp_path / "own.csv").write_bytes("zoé,thé,4\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"own\.csv is no text in UTF-8"):
        ratings.read(tmp_path / "own.csv")
    assert ratings.read(tmp_path / "own.csv", encoding="latin-1").item_names == ("thé",)


def test_real_numbers_and_other_scales(tmp_path):
    path = write(tmp_path, "own.csv", "ann;tea;0.25\nbob;tea;-3\n")
    found = ratings.read(path, scale=Scale(-3.0, 3.0), separator=";")
    assert found.values.tolist() == [0.25, -3.0]
    assert Scale(0.5, 5.0, 0.5).levels.tolist() == [0.5 * n for n in range(1, 11)]
    with pytest.raises(ValueError, match="real numbers from -3 to 3: a list of levels needs a step above 0"):
        _ = found.scale.levels


def test_splits_are_parts_of_the_table_and_fixed_by_their_seed():
    whole = table()
    learnt, held = whole.split(seed=3)
    assert len(held) == round(0.1 * len(whole))
    both = learnt.to_csr().toarray() + held.to_csr().toarray()
    np.testing.assert_array_equal(both, whole.to_csr().toarray())
    assert not (learnt.to_csr().toarray() * held.to_csr().toarray()).any()
    again, other = whole.split(seed=3)[1], whole.split(seed=4)[1]
    assert torch.equal(again.users, held.users)
    assert torch.equal(again.items, held.items)
    assert not torch.equal(other.users * 100 + other.items, held.users * 100 + held.items)
    np.testing.assert_array_equal(whole.transposed().to_csr().toarray(), whole.to_csr().toarray().T)
    with pytest.raises(ValueError, match="leaves one part of the split empty"):
        whole.split(0, share=1.0)


def test_jester_in_its_format(tmp_path):
    values = np.full((3, 4), np.nan, np.float32)
    values[0, 1], values[2, 3] = -9.95, 9.9
    np.savez(tmp_path / "jester5k.npz", ratings=values, users=np.array(["u1", "u2", "u3"]))
    found = ratings.load("jester5k", tmp_path)
    assert (found.users.tolist(), found.items.tolist()) == ([0, 2], [1, 3])
    assert found.values.tolist() == pytest.approx([-9.95, 9.9])
    assert found.item_names[3] == "joke 4"
    values[1, 1] = 11
    np.savez(tmp_path / "jester5k.npz", ratings=values, users=np.array(["u1", "u2", "u3"]))
    with pytest.raises(ValueError, match="user u2: a rating is from -10 to 10, found 11"):
        ratings.load("jester5k", tmp_path)
    np.savez(tmp_path / "jester5k.npz", values=values)
    with pytest.raises(ValueError, match="is damaged or another file: expected `ratings` and `users`"):
        ratings.load("jester5k", tmp_path)


def test_visits_in_their_format(tmp_path):
    train, test = (sparse.csr_array(np.array(rows)) for rows in ([[1, 0, 1], [0, 0, 1]], [[0, 1, 0]]))
    parts = {f"{part}_{kind}": getattr(rows, kind) for part, rows in (("train", train), ("test", test)) for kind in ("indptr", "indices")}
    np.savez(tmp_path / "msweb.npz", **parts, title=np.array(["a", "b", "c"]))
    found = ratings.load_visits(tmp_path)
    np.testing.assert_array_equal(found.train.toarray(), train.toarray())
    np.testing.assert_array_equal(found.test.toarray(), test.toarray())
    assert found.areas == ["a", "b", "c"]
    np.savez(tmp_path / "msweb.npz", title=np.array(["a"]))
    with pytest.raises(ValueError, match="is damaged or another file"):
        ratings.load_visits(tmp_path)


@pytest.mark.skipif(
    not (FOLDER and (Path(FOLDER) / "movielens-latest-small" / "ratings.csv").is_file()), reason="HARMONIUM_DATA has no MovieLens"
)
def test_the_real_films():
    found = ratings.load()
    assert (len(found), len(found.user_names), len(found.item_names)) == (100_004, 671, 9066)
    assert found.values.double().mean().item() == pytest.approx(3.5436, abs=1e-4)
    assert torch.bincount(found.users).min() >= 20
    most = torch.bincount(found.items).argmax()
    assert found.item_names[most] == "Forrest Gump (1994)"


@pytest.mark.skipif(not (FOLDER and (Path(FOLDER) / "jester5k" / "jester5k.npz").is_file()), reason="HARMONIUM_DATA has no Jester")
def test_the_real_jokes():
    found = ratings.load("jester5k")
    assert (len(found), len(found.user_names), len(found.item_names)) == (363_209, 5000, 100)
    assert found.values.double().mean().item() == pytest.approx(0.916, abs=1e-3)
