"""Ratings of films and jokes, visits of areas of a site: MovieLens, Jester, MSWeb, and a user's own file.

MovieLens: F. M. Harper and J. A. Konstan (2015), doi:10.1145/2827872. Jester: K. Goldberg et al. (2001). MSWeb: J. S. Breese et al. (1998).
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from harmonium.data.fetch import locate
from harmonium.data.rating_table import Ratings, Scale
from harmonium.data.sheets import is_number
from harmonium.data.sparse import check_indices
from harmonium.data.text_file import read_text

if TYPE_CHECKING:
    from scipy import sparse

JESTER = {"jester5k.npz": "21386d022003de01503d815a530f1ef255aed1c6d79247fb0b1a79113422a722"}
MSWEB = {"msweb.npz": "a8be8bcb26bb94b06b6545b6df97380fc17d341243662f757caa2245001e863d"}
FOLDS = 5


class Layout(NamedTuple):
    """Where a set of MovieLens keeps its ratings and its titles, and how."""

    folder: str
    ratings: str
    titles: str
    separator: str
    title_separator: str
    scale: Scale
    encoding: str


STARS = Scale(1.0, 5.0, 1.0)
LAYOUTS = {
    "ml-latest-small": Layout("movielens-latest-small", "ratings.csv", "movies.csv", ",", ",", Scale(0.5, 5.0, 0.5), "utf-8"),
    "ml-100k": Layout("ml-100k", "u.data", "u.item", "\t", "|", STARS, "latin-1"),
    "ml-1m": Layout("ml-1m", "ratings.dat", "movies.dat", "::", "::", STARS, "latin-1"),
}


class Visits(NamedTuple):
    """Who visited what: implicit feedback.

    Attributes
    ----------
    train, test : scipy.sparse.csr_array
        (32710, 285) and (5000, 285) float32: 1 where the user visited the area. The users of the two are different.
    areas : list of str
        The names of the areas.
    """

    train: sparse.csr_array
    test: sparse.csr_array
    areas: list[str]


def load(name: str = "ml-latest-small", data_dir: str | Path | None = None) -> Ratings:
    """Loads a set of ratings.

    The files are looked for in `data_dir` or else in HARMONIUM_DATA, then in the cache (see `harmonium.data.fetch.locate`). None is
    downloaded: GroupLens gives MovieLens out itself, at https://grouplens.org/datasets/.

    Parameters
    ----------
    name : {"ml-latest-small", "ml-100k", "ml-1m", "jester5k"}, default "ml-latest-small"
        The set. Their files are `ratings.csv` and `movies.csv`; `u.data` and `u.item`; `ratings.dat` and `movies.dat`; `jester5k.npz`.
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Ratings
        Films have their titles as names.

    Raises
    ------
    FileNotFoundError
        If the files are not on this machine.
    ValueError
        For another name, and for a line that is no rating on the set's scale, or that repeats another's user and item.

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.data.ratings.load()
    Ratings(100,004 by 671 users of 9,066 items, from 0.5 to 5 in steps of 0.5)
    >>> train, test = hm.data.ratings.load("jester5k").split(seed=0)
    >>> len(train), len(test)
    (326888, 36321)
    """
    if name == "jester5k":
        return _jester(locate("jester5k", JESTER, (), data_dir)["jester5k.npz"])
    layout = _layout(name)
    return _of_layout(layout, layout.ratings, data_dir)


def load_fold(number: int, data_dir: str | Path | None = None) -> tuple[Ratings, Ratings]:
    """Loads one of the five published splits of ml-100k, such as `u1.base` and `u1.test`.

    Parameters
    ----------
    number : int
        From 1 to 5.
    data_dir : str or pathlib.Path, optional
        As for `load`.

    Returns
    -------
    tuple of Ratings
        80,000 to learn from and 20,000 to be judged by, of the same users and items.

    Raises
    ------
    FileNotFoundError, ValueError
        As for `load`, and for another number.
    """
    if number not in range(1, FOLDS + 1):
        raise ValueError(f"ml-100k has the splits u1 to u{FOLDS}: give a number from 1 to {FOLDS}, found {number!r}")
    whole = load("ml-100k", data_dir)
    layout = LAYOUTS["ml-100k"]
    place = {pair: row for row, pair in enumerate(zip(whole.users.tolist(), whole.items.tolist(), strict=True))}
    found = []
    for part in ("base", "test"):
        own = _of_layout(layout, f"u{number}.{part}", data_dir)
        users, items = ({name: row for row, name in enumerate(names)} for names in (whole.user_names, whole.item_names))
        pairs = [
            (users.get(own.user_names[user]), items.get(own.item_names[item]))
            for user, item in zip(own.users.tolist(), own.items.tolist(), strict=True)
        ]
        strange = next((row for row, pair in enumerate(pairs) if pair not in place), None)
        if strange is not None:
            raise ValueError(f"u{number}.{part}, line {strange + 1}: u.data has no such rating; give the files of one distribution")
        found.append(whole.rows(torch.tensor([place[pair] for pair in pairs])))
    return found[0], found[1]


def load_visits(data_dir: str | Path | None = None) -> Visits:
    """Loads which of 285 areas of a site each of 37,710 users visited in a week, split as published.

    `msweb.npz` is looked for as `load` says. It holds two binary matrices in compressed rows, `train_indptr`, `train_indices`,
    `test_indptr`, `test_indices`, and `title`, the names of the areas.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        As for `load`.

    Returns
    -------
    Visits
        The two matrices and the areas.

    Raises
    ------
    FileNotFoundError
        If the file is not on this machine.
    ValueError
        For a file that is damaged, or another one.

    Examples
    --------
    >>> import harmonium as hm
    >>> visits = hm.data.ratings.load_visits()
    >>> visits.train.shape, visits.test.shape
    ((32710, 285), (5000, 285))
    """
    from scipy import sparse

    path = locate("msweb", MSWEB, (), data_dir)["msweb.npz"]
    try:
        with np.load(path, allow_pickle=False) as held:
            areas = [str(each) for each in held["title"]]
            parts = [
                sparse.csr_array(
                    (np.ones(len(held[f"{part}_indices"]), np.float32), held[f"{part}_indices"].astype(np.int32), held[f"{part}_indptr"]),
                    shape=(len(held[f"{part}_indptr"]) - 1, len(areas)),
                )
                for part in ("train", "test")
            ]
        for part in parts:
            check_indices(part)
    except (OSError, KeyError, ValueError) as fault:
        raise ValueError(f"{path} is damaged or another file: expected rows of visits and the areas' names ({fault})") from None
    return Visits(parts[0], parts[1], areas)


def read(path: str | os.PathLike[str], *, scale: Scale = STARS, separator: str = ",", encoding: str = "utf-8") -> Ratings:
    """Reads a file with a rating a line: user, item, rating, and whatever follows.

    A first line whose third field is no number is a header. Users and items may be any words without the separator; they are numbered as
    they come.

    Parameters
    ----------
    path : path-like
        The file.
    scale : Scale, default 1 to 5 in steps of 1
        What a rating can be.
    separator : str, default ","
        Between the fields.
    encoding : str, default "utf-8"
        Of the file.

    Returns
    -------
    Ratings
        The table.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For a file in another encoding or without a rating, a line that is no rating on the scale, and one that repeats a user and item.

    Examples
    --------
    >>> from pathlib import Path
    >>> import harmonium as hm
    >>> _ = Path("own.csv").write_text("user,item,rating\\nann,tea,4\\nbob,tea,5\\nann,milk,2\\n")
    >>> table = hm.data.ratings.read("own.csv")
    >>> table.item_names, table.values
    (('tea', 'milk'), tensor([4., 5., 2.]))
    """
    lines = read_text(Path(path), encoding).splitlines()
    header = int(bool(lines) and not is_number((lines[0].split(separator) + [""] * 3)[2]))
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    pairs = np.empty((max(len(lines) - header, 0), 2), np.int64)
    values = np.empty(len(pairs))
    for row, line in enumerate(lines[header:]):
        fields = line.split(separator)
        if len(fields) < 3 or not is_number(fields[2]):
            raise ValueError(f"{path}, line {row + header + 1}: expected user, item and a number, found {line!r}")
        pairs[row] = users.setdefault(fields[0].strip(), len(users)), items.setdefault(fields[1].strip(), len(items))
        values[row] = float(fields[2])
    if not len(values):
        raise ValueError(f"{path} holds no rating: expected lines of user, item and rating")
    outside = np.flatnonzero(~scale.holds(values))
    if len(outside):
        raise ValueError(f"{path}, line {outside[0] + header + 1}: a rating is {scale}, found {values[outside[0]]:g}")
    _, first, back = np.unique(pairs[:, 0] * len(items) + pairs[:, 1], return_index=True, return_inverse=True)
    again = np.flatnonzero(first[back] != np.arange(len(values)))
    if len(again):
        row = again[0]
        raise ValueError(
            f"{path}, line {row + header + 1}: user and item are those of line {first[back[row]] + header + 1}: keep one of the two"
        )
    columns = torch.from_numpy(pairs)
    return Ratings(columns[:, 0].clone(), columns[:, 1].clone(), torch.from_numpy(values).float(), tuple(users), tuple(items), scale)


def _layout(name: str) -> Layout:
    if name not in LAYOUTS:
        raise ValueError(f"the sets are {', '.join(LAYOUTS)} and jester5k, found {name!r}")
    return LAYOUTS[name]


def _of_layout(layout: Layout, file: str, data_dir: str | Path | None) -> Ratings:
    files = locate(layout.folder, {file: "", layout.titles: ""}, (), data_dir)  # own files: GroupLens's terms let nobody pass them on
    table = read(files[file], scale=layout.scale, separator=layout.separator, encoding=layout.encoding)
    titles = _titles(files[layout.titles], layout)
    return Ratings(
        table.users, table.items, table.values, table.user_names, tuple(titles.get(each, each) for each in table.item_names), table.scale
    )


def _titles(path: Path, layout: Layout) -> dict[str, str]:
    lines = read_text(path, layout.encoding).splitlines()
    rows = csv.reader(lines) if layout.title_separator == "," else (line.split(layout.title_separator) for line in lines)
    return {row[0]: row[1] for row in rows if len(row) > 1}


def _jester(path: Path) -> Ratings:
    scale = Scale(-10.0, 10.0)
    try:
        with np.load(path, allow_pickle=False) as held:
            table, names = held["ratings"], tuple(str(each) for each in held["users"])
    except (OSError, KeyError, ValueError) as fault:
        raise ValueError(f"{path} is damaged or another file: expected `ratings` and `users` ({fault})") from None
    users, items = np.nonzero(~np.isnan(table))
    values = table[users, items].astype(np.float64)
    wrong = np.flatnonzero(~scale.holds(values))
    if len(wrong):
        raise ValueError(f"{path}, user {names[users[wrong[0]]]}: a rating is {scale}, found {values[wrong[0]]:g}")
    jokes = tuple(f"joke {number + 1}" for number in range(table.shape[1]))
    return Ratings(torch.from_numpy(users), torch.from_numpy(items), torch.from_numpy(values).float(), names, jokes, scale)
