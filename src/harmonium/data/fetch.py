"""Where the files of a data set are found: the user's folder, the cache, or mirrors of the original."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten


def locate(dataset: str, files: Mapping[str, str], urls: Sequence[str], data_dir: str | Path | None = None) -> dict[str, Path]:
    """A path on this machine for each file of a data set; files are downloaded if necessary.

    Each file is looked for in three places, in this order:

    1. `<folder>/<dataset>/` and `<folder>/`, where the folder is `data_dir` or else the environment variable HARMONIUM_DATA. A file whose
       name ends in `.gz` may lie there unpacked, under the name without it.
    2. `<cache>/<dataset>/`, where the cache is the environment variable HARMONIUM_CACHE or else a folder among the user's caches.
    3. Each mirror in turn, from which it is downloaded into the cache.

    Cached and downloaded files must have the given sha256. A user's own files need not, because another gzip packs the same content into
    other bytes; whoever reads them checks their content.

    Parameters
    ----------
    dataset : str
        The name of the data set, and of its folder.
    files : mapping of str to str
        The sha256 (hexadecimal) of each file of the original distribution, by name.
    urls : sequence of str
        The addresses of the folders that hold them, best first.
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    dict of str to pathlib.Path
        A path for each name in `files`.

    Raises
    ------
    FileNotFoundError
        If `data_dir` is not a folder, or if files are neither on this machine nor can be downloaded.
    """
    chosen, own = of_user(dataset, files, data_dir)
    if len(own) == len(files):
        return own
    cache = cache_of(dataset)
    found = {name: own.get(name) or _cached(name, sha256, cache) for name, sha256 in files.items()}
    for name, path in found.items():
        if path is None:
            try:
                found[name] = _download(name, files[name], urls, cache)
            except OSError as fault:
                missing = [name for name, path in found.items() if path is None]
                looked = f" (not found in {chosen} either)" if chosen else ""
                trouble, why = ("could not be downloaded", f" ({fault})") if urls else ("is not on this machine, and has no mirror", "")
                raise FileNotFoundError(
                    f"{dataset} {trouble}{looked}: put {', '.join(missing)} into a folder and name it by "
                    f"--data-dir, data_dir= or HARMONIUM_DATA, or put them into {cache}{why}"
                ) from fault
    return {name: path for name, path in found.items() if path is not None}


def cache_of(dataset: str) -> Path:
    """The folder of a data set among the user's caches, or in HARMONIUM_CACHE; it need not exist."""
    import pooch  # here: who has the files needs no pooch

    return Path(os.environ.get("HARMONIUM_CACHE") or pooch.os_cache("harmonium")).expanduser() / dataset


def of_user(dataset: str, names: Iterable[str], data_dir: str | Path | None = None) -> tuple[str | Path | None, dict[str, Path]]:
    """The user's folder, if one is named, and the files that are there: the first of the places of `locate`, with its errors."""
    if data_dir is not None and not Path(data_dir).expanduser().is_dir():
        raise FileNotFoundError(f"the data folder {data_dir} does not exist or is not a folder: give the one that holds {dataset}")
    chosen = data_dir if data_dir is not None else os.environ.get("HARMONIUM_DATA")
    folders = [Path(chosen).expanduser() / dataset, Path(chosen).expanduser()] if chosen else []
    return chosen, {name: path for name in names if (path := _own(name, folders)) is not None}


def _own(name: str, folders: Sequence[Path]) -> Path | None:
    candidates = (folder / each for folder in folders for each in (name, name.removesuffix(".gz")))
    return next((path for path in candidates if path.is_file()), None)


def _cached(name: str, sha256: str, cache: Path) -> Path | None:
    import pooch

    path = cache / name
    return path if path.is_file() and pooch.file_hash(str(path), alg="sha256") == sha256 else None


def _download(name: str, sha256: str, urls: Sequence[str], cache: Path) -> Path:
    import pooch

    faults = []
    for url in urls:
        address = f"{url.rstrip('/')}/{name}"
        if not address.startswith("https://") or len(sha256) != 64:
            raise ValueError(f"files are downloaded by https alone and checked by their sha256, found {address} and {sha256!r}")
        try:
            with _quiet(pooch.get_logger()):
                return Path(pooch.retrieve(address, known_hash=f"sha256:{sha256}", fname=name, path=cache))
        except (OSError, ValueError) as fault:  # requests' errors are OSErrors; pooch's for a wrong sum is a ValueError
            faults.append(f"{address}: {shorten(str(fault), 100)}")
    raise OSError("tried " + "; ".join(faults))


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
