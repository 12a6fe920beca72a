"""Sound files: the samples of one channel, and their rate."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harmonium.data.speech.ogg import PAGE, is_complete

SPHERE = b"NIST_1A"


class Sound(NamedTuple):
    """What a sound file holds.

    Attributes
    ----------
    samples : ndarray
        (samples,) float32; full scale of the file's integers is from -1 to 1.
    rate : int
        Samples per second.

    Examples
    --------
    >>> import numpy as np, harmonium as hm
    >>> hm.data.speech.Sound(np.zeros(4, np.float32), 16000).rate
    16000
    """

    samples: NDArray[np.float32]
    rate: int


def read(path: str | Path) -> Sound:
    """Reads a sound file of one channel: WAV, or Ogg (Opus, Vorbis), FLAC and NIST SPHERE, which need the extra `speech`.

    The format is known by the file's first bytes, not by its name: TIMIT's .WAV files are NIST SPHERE.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    Sound
        The samples and their rate.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For a file that is damaged, cut off, empty, shortened (compressed SPHERE), of several channels, or of samples that are not finite.
    ModuleNotFoundError
        For a file other than WAV, without the extra.

    Examples
    --------
    >>> import numpy as np, harmonium as hm
    >>> from scipy.io import wavfile
    >>> wavfile.write("tone.wav", 8000, np.array([0, 16384, 0, -16384], np.int16))
    >>> samples, rate = hm.data.speech.read("tone.wav")
    >>> samples.tolist(), rate
    ([0.0, 0.5, 0.0, -0.5], 8000)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no sound file {path}")
    with path.open("rb") as file:
        first = file.read(4096)
    if not first:
        raise ValueError(f"{path} is empty: expected a sound file")
    samples, rate = _wav(path) if first.startswith(b"RIFF") else _other(path, first)
    if samples.ndim != 1 and samples.shape[1] != 1:
        raise ValueError(f"{path} has {samples.shape[1]} channels: expected one, so mix them or choose one first")
    samples = samples.reshape(-1)
    if not len(samples):
        raise ValueError(f"{path} is a sound file without a sample")
    if not np.isfinite(samples).all():
        raise ValueError(f"{path} is damaged: expected finite samples, found NaN or infinite values")
    return Sound(samples, rate)


def _wav(path: Path) -> tuple[NDArray[Any], int]:
    from scipy.io import wavfile  # here, so that importing the package does not wait for it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that it does not know
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            rate, found = wavfile.read(path)
    except Exception as fault:  # the reader may raise any exception, depending on the bytes
        raise ValueError(f"{path} is not a readable WAV file: {fault}") from fault
    if found.dtype.kind == "f":
        return found.astype(np.float32), rate
    middle, full = (128, 128) if found.dtype == np.uint8 else (0, -float(np.iinfo(found.dtype).min))
    return ((found.astype(np.float64) - middle) / full).astype(np.float32), rate


def _other(path: Path, first: bytes) -> tuple[NDArray[Any], int]:
    if first.startswith(SPHERE) and b"shorten" in first:
        raise ValueError(f"{path} is compressed by shorten: decompress it first, by NIST's sph2pipe or w_decode")
    try:
        import soundfile
    except (ImportError, OSError) as fault:
        raise ModuleNotFoundError(f"{path} is no WAV file, and other formats need soundfile: pip install 'harmonium[speech]'") from fault
    if first.startswith(PAGE) and not is_complete(path.read_bytes()):
        raise ValueError(f"{path} is cut off or damaged: expected Ogg pages up to the one that is flagged as the last")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except Exception as fault:  # of a subclass of RuntimeError, and others for some broken headers
        raise ValueError(f"{path} is not a readable sound file: {fault}") from fault
    promised = re.search(rb"sample_count -i (\d+)", first) if first.startswith(SPHERE) else None
    if promised is not None and int(promised[1]) != len(samples):
        raise ValueError(f"{path} is cut off: its header promises {int(promised[1])} samples, found {len(samples)}")
    return samples, rate
