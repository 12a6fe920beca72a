"""Files of text."""

from __future__ import annotations

from pathlib import Path


def read_text(path: Path, encoding: str = "utf-8-sig") -> str:
    """All of a file of text.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    encoding : str, default UTF-8, with a byte order mark or without
        Of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For a file in another encoding.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("one.txt").write_text("ann,tea,4")
    >>> read_text(Path("one.txt"))
    'ann,tea,4'
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in {encoding.upper().removesuffix('-SIG')}: {error}") from error
