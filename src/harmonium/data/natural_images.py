"""Grey photographs of nature (Hyvärinen, Hurri & Hoyer, Natural Image Statistics, 2009)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harmonium.data.fetch import locate
from harmonium.data.pictures import decoded

FILES = {
    "hyvarinen/1.tiff": "2df1b9389cce546264dbad63fb460fc3771dde3af3b542478a7e157927a2dfab",
    "hyvarinen/2.tiff": "257e01be63e8d772b54d7b055950b409ec2e935734e7e41bb9eb5db141e3bc8e",
    "hyvarinen/3.tiff": "b1db2a2bedf13661ef1416e534624a2b35c5b56480add0251e4094a70a7b2df6",
    "hyvarinen/4.tiff": "8a3865cd06170642e5c343c19db08b29b9f96ae21aeab4614ea57de816b74e59",
    "hyvarinen/5.tiff": "7ae8e9da66056dbc41db8f032d3c46a3c6526917d09fd545763be9470fa10942",
    "hyvarinen/6.tiff": "a8800f6cef9e0bc90f34b441674934d6608ada43f2512d2f3ffeef7f9e684888",
    "hyvarinen/7.tiff": "264a084d1673acb9d62bccf5895b018381ad392e5423a503ebfaad215963e92a",
    "hyvarinen/8.tiff": "cd3f7db81afc87742dde6a6ee31f14ec0e98925e302f49af057d488cc239c177",
    "hyvarinen/9.tiff": "e73c1fdd64e7bff308d2abcb3bfbff03180afc5f6fe69c2fbfedcb8401b45187",
    "hyvarinen/10.tiff": "63281124bc5400bbe7568fe15d57ab98ba7d1f9c00c3ac6771e30b970a645c3a",
    "hyvarinen/11.tiff": "895a592b42cfce307a74cb249f4941e60f3516fb00b1c695937d03b52bb853d0",
    "hyvarinen/12.tiff": "37d60605f89bc44c54664ef1dda34095ba62a62559b342177752501f8f568c1d",
    "hyvarinen/13.tiff": "83c7a9c26d69756c6c4bfb5c936ab6699d6ce98abbcd246aead8c958a25cbc0a",
}
SHAPES = {(256, 512), (512, 256)}


def load(data_dir: str | Path | None = None) -> list[Tensor]:
    """Loads the book's 13 photographs, in their order.

    The files, as distributed with PMTK3, are looked for in `data_dir` or else in HARMONIUM_DATA, then in the cache (see
    `harmonium.data.fetch.locate`). `hm.data.patches` cuts patches of them.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    list of torch.Tensor
        (height, width) uint8 each, 256 x 512 or 512 x 256.

    Raises
    ------
    FileNotFoundError
        If the files are not on this machine.
    ValueError
        For a file that is damaged, or that is not the one its name says.

    Examples
    --------
    >>> import harmonium as hm
    >>> photographs = hm.data.natural_images.load()
    >>> len(photographs)
    13
    """
    images = []
    for path in locate("natural-images", FILES, (), data_dir).values():
        try:
            image = decoded(path, ("TIFF",))
        except ValueError as fault:
            raise ValueError(f"{path} is not a readable image: {fault}") from fault
        if image.shape not in SHAPES or image.dtype != np.uint8:
            raise ValueError(f"{path} is not the book's: expected 256 x 512 uint8 grey levels, found {image.shape} of {image.dtype}")
        images.append(torch.from_numpy(image.copy()))
    return images
