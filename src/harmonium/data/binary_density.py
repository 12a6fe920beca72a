"""Binary data sets for comparing density estimators, with their canonical splits.

Lowd & Davis (2010), Larochelle & Murray (2011), Van Haaren & Davis (2012) and Bekker et al. (2015), as collected in
UCLA-StarAI/Density-Estimation-Datasets.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.data.fetch import locate

FOLDER = "binary-density"
SPLITS = ("train", "valid", "test")
COLLECTION = "https://raw.githubusercontent.com/UCLA-StarAI/Density-Estimation-Datasets"
URLS = (f"{COLLECTION}/37d53c1a/datasets", f"{COLLECTION}/master/datasets")
# For each set: the number of variables, the cases of the three splits, and the sha256 of their files.
SETS: dict[str, tuple[int, tuple[int, int, int], tuple[str, str, str]]] = {
    "accidents": (
        111,
        (12758, 1700, 2551),
        (
            "a76648cf00772c275b4277b21d858e235e3c6d3c5ef30beeb4958189b6bed21c",
            "fd3a80a0f411f157cf3772a057d26980bb166cb89b10cafb818a53f1ec30d46d",
            "df3f1b6c035bf3e306a7d7127320e479d2546ce14a5d6d3043e6be0925b8b414",
        ),
    ),
    "baudio": (
        100,
        (15000, 2000, 3000),
        (
            "b1ec73f4aa9d4ce48b465ded865cc3d22b3f68cf6258f9e15fbef8902138add1",
            "7164d8a4943f74953f0e982002d84693fdf483e17f69e7407dc939c5ce5622fe",
            "1474f3206f1f35e099803a0f40b0cd209bdc8d787825095ef6cb23fd87ed0d05",
        ),
    ),
    "bbc": (
        1058,
        (1670, 225, 330),
        (
            "a6f0ba467ebf502ba3b37caa1f20e43ff82664dcd580be92010106cf80fb0db1",
            "f6a37bd58cdb6745725628be19dfd3b9b795082faa8ca771b8f27dbf4a5ff46d",
            "7116fce92a1f3d610cee673a974c8c9895957ee07ce6f086b431ee296aa7734a",
        ),
    ),
    "bnetflix": (
        100,
        (15000, 2000, 3000),
        (
            "73c87cf0635ec734cc0726a5c644b904ff33e81ea51f1049db0e77b787ebad7c",
            "7f0a3e597c6f305f707f9ecd2b2aa523c576cdb17fdc5d902fc832ebea5163de",
            "af73990782fd2f146d96059855c4f3bbb6a7a7caefc417ff620a3ed1415a2395",
        ),
    ),
    "dna": (
        180,
        (1600, 400, 1186),
        (
            "bb8de0ca4b6ad9b610036b7a302962ebecd4b504354b14c02c7d0bee48d207d9",
            "4b0fc89cda5eaf5c75926e281afb6af99de194a546070d5b81b524ba251f4f3f",
            "fec3ae7b26804020a9c43c99828441c5e08bb76b23719368a74ad2b09af99100",
        ),
    ),
    "jester": (
        100,
        (9000, 1000, 4116),
        (
            "dd93578c3359d5b234bb278bf0901c5215d83b910f7d51d7c91951a0a4c244cd",
            "91df833941e189265345898d3f63211560c2456df599f34beee8e95381ee7524",
            "346044fb561cf18f284f7e9d5896178b03048991b6ebb6f7482885fccbc16082",
        ),
    ),
    "moviereview": (
        1001,
        (1600, 150, 250),
        (
            "195729f0d72e9707abb7a901b57193bd1b1c9108bb261202170eec6c7e5e2ed1",
            "d887c7726485ca46026c3c9ab511174679cd1c96443c5410ab24fb81c8be38e3",
            "9fea48ab7422d4a1c0b5d063311e6fd3104e59c11018276f7a9e909685a856d2",
        ),
    ),
    "mushrooms": (
        112,
        (2000, 500, 5624),
        (
            "465c712c066bbbee3ccceded24bbe42b4c379df67b524e28cce9bf3a8b83f27b",
            "5a067e6854df71623415e6adc8e913cbff766637a324788882ba800907aa5385",
            "313c5f04b5d0a18bee2f2ffa264be265d09f5362aad6f714637acd9552f81aa0",
        ),
    ),
    "nips": (
        500,
        (400, 100, 1240),
        (
            "4d744cb1f2c725405bff6ef6878df06eafbbc2a91f0510e0f3d8a508b05ec7bb",
            "b06acd8e6a701d63d4e58b5076c11c59bcd0343fb9b1fbb5997459d3e6b8ca96",
            "48711bdaffbd43aa439679785e19d9cc80c64a157fa84eadc5dce60ee4edf7bc",
        ),
    ),
    "nltcs": (
        16,
        (16181, 2157, 3236),
        (
            "e547a7aedad1dd2f7177030881ab1b92c7e24ae5464c71a0f1f89daecaf52b30",
            "93bbbf5c6febdc9bc6e5b5bfab636f4dc0685ab2896d24b23dd267794c3bfcf6",
            "f9ffa6b74b27dc03bee3203d157ee31079e80b13be40d0c0093d635c25aed523",
        ),
    ),
    "plants": (
        69,
        (17412, 2321, 3482),
        (
            "1fb1219ff94068d12a563f9e81f8889a1885f41e867884cff608669300c6848f",
            "47834ed318b2d74f48e4b083226ef47fd446d41986012ceae19d230574821b34",
            "95f53c033cd1d86467aec2610dc5bfe014534206c2da4919f73bcab246ab8755",
        ),
    ),
    "pumsb_star": (
        163,
        (12262, 1635, 2452),
        (
            "27e610b5f9f507f94ebf8a227f8b96cc59d7eed51e06ee5d2fe8353afbc1524c",
            "6a491d1ea64eb0249dddd168fdddeef88aa21001a933eb7309603b6466187af8",
            "b2da195314ac17f9d8d171743c5f98a28ea9583332a52d34aa228ff2e11aa8e7",
        ),
    ),
    "voting": (
        1359,
        (1214, 200, 350),
        (
            "113c35bd468a0bb97772623634c1b729b76ba90674e62b68c38fe8d5ac08b341",
            "391bad94351ac4565e2f6628c917607b6e82b82ebdc52d64dd8bfbebcdae12b7",
            "c77c851edfc1fd5c275e961de3530ae406fc5c3446fa305959720273a5bbe9c8",
        ),
    ),
}
NAMES = tuple(SETS)
"""The sets with known sizes and checksums. A user's own sets are loaded too."""


class Splits(NamedTuple):
    """The three parts of a data set.

    Parameters
    ----------
    train, valid, test : torch.Tensor
        The training, validation and test cases, (cases, variables) uint8, each 0 or 1.
    """

    train: Tensor
    valid: Tensor
    test: Tensor


def load(name: str, folder: str | Path | None = None) -> Splits:
    """Loads the training, validation and test cases of one data set.

    The files `NAME.train.data`, `NAME.valid.data` and `NAME.test.data` are looked for in `folder` or else in HARMONIUM_DATA, there in
    `binary-density/NAME/` or `NAME/`. The sets in `NAMES` are looked for in the cache next, and then downloaded (see
    `harmonium.data.fetch.locate`). Any other set (`ocr_letters`, `adult`, ...) is read from the folder as it is. Each line of a file is one
    case: 0s and 1s, separated by commas.

    Parameters
    ----------
    name : str
        The name of the set.
    folder : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Splits
        The three parts, (cases, variables) uint8 each.

    Raises
    ------
    FileNotFoundError
        For a file that is neither on this machine nor can be downloaded.
    ValueError
        For a file with other content than rows of 0 and 1 of one length, or that is not the one its name says.

    Examples
    --------
    >>> import harmonium as hm
    >>> train, valid, test = hm.data.binary_density.load("nltcs")
    >>> train.shape
    torch.Size([16181, 16])
    """
    files = [f"{name}/{name}.{split}.data" for split in SPLITS]
    if name in SETS:
        variables, cases, sums = SETS[name]
        paths = list(locate(FOLDER, dict(zip(files, sums, strict=True)), URLS, folder).values())
        expected = [(rows, variables) for rows in cases]
    else:
        paths, expected = _own(name, files, folder), []
    found = [_read(path) for path in paths]
    for path, rows in zip(paths[1:], found[1:], strict=True):
        if rows.shape[1] != found[0].shape[1]:
            raise ValueError(
                f"{path} has {rows.shape[1]} variables per case, and {paths[0]} has {found[0].shape[1]}: expected the same number"
            )
    for path, rows, shape in zip(paths, found, expected, strict=bool(expected)):
        if rows.shape != shape:
            raise ValueError(f"{path} is not the collection's: expected {shape} cases and variables, found {tuple(rows.shape)}")
    return Splits(*found)


def _own(name: str, files: list[str], folder: str | Path | None) -> list[Path]:
    chosen = folder if folder is not None else os.environ.get("HARMONIUM_DATA")
    known = f"the sets that are known, and can be downloaded, are {', '.join(NAMES)}"
    if not chosen:
        raise FileNotFoundError(f"{name!r} is not a known set: name the folder that holds {files[0]} by folder= or HARMONIUM_DATA; {known}")
    for place in (Path(chosen).expanduser() / FOLDER, Path(chosen).expanduser()):
        paths = [place / file for file in files]
        if all(path.is_file() for path in paths):
            return paths
    raise FileNotFoundError(f"expected {', '.join(files)} in {chosen} or {Path(chosen) / FOLDER}, and not all three are there; {known}")


def _read(path: Path) -> Tensor:
    """(cases, variables) uint8 from comma-separated 0s and 1s, one case per line."""
    lines = [np.frombuffer(line, np.uint8) for line in path.read_bytes().split()]
    if not lines:
        raise ValueError(f"{path} has no cases: expected one line of 0s and 1s, separated by commas, per case")
    width = len(lines[0])
    for number, line in enumerate(lines, start=1):
        digits, commas = line[::2], line[1::2]
        if len(line) % 2 == 0 or (commas != ord(",")).any() or ((digits != ord("0")) & (digits != ord("1"))).any():
            start = line[:40].tobytes().decode(errors="replace")
            raise ValueError(f"{path}, case {number}: expected 0s and 1s separated by commas, found {start!r}")
        if len(line) != width:
            raise ValueError(f"{path}, case {number}: expected {(width + 1) // 2} variables as in the first case, found {len(digits)}")
    return torch.from_numpy(np.stack(lines)[:, ::2] - ord("0"))
