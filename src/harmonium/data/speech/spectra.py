"""Log mel filter banks and mel-frequency cepstra of a waveform, with their deltas."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LENGTH, SHIFT = 0.025, 0.010  # seconds
EMPHASIS = 0.97
LOWEST = 20.0  # Hz, the lower end of the first filter
FLOOR = 2.0**-30  # of an energy: the square of one step of 16 bits
LIFTER = 22


def filter_bank(samples: Any, rate: int, *, filters: int = 40, with_deltas: bool = True) -> NDArray[np.float32]:
    """The log energies of a waveform in filters spread along the mel scale, and its log energy.

    Windows of 25 ms every 10 ms, none beyond the ends. Each loses its mean; its log energy is that of the samples so far. Then come
    pre-emphasis, x_t - 0.97 x_{t-1}, a Hamming window, the power spectrum, and triangular filters from 20 Hz to half the rate. Energies
    below 2⁻³⁰, the square of a step of 16 bits, count as that, so that silence has a logarithm.

    Parameters
    ----------
    samples : array
        (samples,), from -1 to 1.
    rate : int
        Samples per second.
    filters : int, default 40
        The number of filters.
    with_deltas : bool, default True
        Whether deltas and their deltas follow.

    Returns
    -------
    numpy.ndarray
        (frames, 1 + filters) float32, or (frames, 3 (1 + filters)): 123 columns by default. The log energy comes first, then the filters
        from low to high, then the deltas of all these and the deltas of the deltas.

    Raises
    ------
    ValueError
        For samples of another shape, fewer than a window, or not finite, and for filters so narrow that one has no frequency.

    Notes
    -----
    Young et al., "The HTK book" (Cambridge University, 2006), chapter 5; the details, such as a window's padding to a power of two and
    triangles that are straight in mel, are Kaldi's. 123 columns are the input of Mohamed, Dahl & Hinton, "Acoustic modeling using deep
    belief networks", IEEE Transactions on Audio, Speech, and Language Processing 20 (2012).

    Examples
    --------
    >>> import numpy as np, harmonium as hm
    >>> tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    >>> found = hm.data.speech.filter_bank(tone, 16000)
    >>> found.shape, int(found[50, 1:41].argmax())
    ((98, 123), 13)
    """
    energy, banks = _log_energies(samples, rate, filters)
    return _columns(np.column_stack([energy, banks]), with_deltas)


def mfcc(samples: Any, rate: int, *, cepstra: int = 12, filters: int = 23, with_deltas: bool = True) -> NDArray[np.float32]:
    """Mel-frequency cepstral coefficients of a waveform: the cosine transform of log filter banks, beside the log energy.

    Parameters
    ----------
    samples : array
        (samples,), from -1 to 1.
    rate : int
        Samples per second.
    cepstra : int, default 12
        The number of coefficients, from the first on; the log energy stands in the place of coefficient 0.
    filters : int, default 23
        The number of mel filters, as for `filter_bank`.
    with_deltas : bool, default True
        Whether deltas and their deltas follow.

    Returns
    -------
    numpy.ndarray
        (frames, 1 + cepstra) float32, or (frames, 3 (1 + cepstra)): 39 columns by default. The log energy comes first.

    Raises
    ------
    ValueError
        As `filter_bank`, and unless there are fewer coefficients than filters.

    Notes
    -----
    Davis & Mermelstein, "Comparison of parametric representations for monosyllabic word recognition", IEEE Transactions on Acoustics,
    Speech, and Signal Processing 28 (1980). Coefficient i is multiplied by 1 + 11 sin(π i / 22), HTK's lifter, so that all are of one size.

    Examples
    --------
    >>> import numpy as np, harmonium as hm
    >>> noise = 0.1 * np.random.default_rng(0).standard_normal(16000)
    >>> hm.data.speech.mfcc(noise, 16000).shape
    (98, 39)
    """
    if not 1 <= cepstra < filters:
        raise ValueError(f"expected from 1 coefficient to one fewer than the filters, found {cepstra=} of {filters=}")
    from scipy.fft import dct

    energy, banks = _log_energies(samples, rate, filters)
    order = np.arange(1, cepstra + 1)
    found = dct(banks, norm="ortho")[:, 1 : cepstra + 1] * (1 + LIFTER / 2 * np.sin(np.pi * order / LIFTER))
    return _columns(np.column_stack([energy, found]), with_deltas)


def deltas(features: Any, window: int = 2) -> Floats:
    """The slope of each feature along time, by regression over `window` frames on each side.

    Parameters
    ----------
    features : array
        (frames, features).
    window : int, default 2
        Frames on each side.

    Returns
    -------
    numpy.ndarray
        (frames, features) float64: d_t = Σ_n n (c_{t+n} - c_{t-n}) / (2 Σ_n n²), for n from 1 to `window`. The first and last frames are
        repeated beyond the ends.

    Raises
    ------
    ValueError
        For features of another shape, and for a window below 1.

    Notes
    -----
    Young et al., "The HTK book" (Cambridge University, 2006), section 5.9.

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.data.speech.deltas([[0.0], [3.0], [6.0], [9.0], [12.0]])[2]
    array([3.])
    """
    found = np.asarray(features, np.float64)
    if found.ndim != 2 or not len(found) or window < 1:
        raise ValueError(f"deltas take (frames, features), at least one frame, and a window of at least 1, found {found.shape}, {window=}")
    padded = np.pad(found, ((window, window), (0, 0)), mode="edge")
    steps, count = range(1, window + 1), len(found)
    ahead = sum(n * (padded[window + n :][:count] - padded[window - n :][:count]) for n in steps)
    return np.asarray(ahead / (2 * sum(n * n for n in steps)))


def _columns(features: Floats, with_deltas: bool) -> NDArray[np.float32]:
    if with_deltas:
        slopes = deltas(features)
        features = np.column_stack([features, slopes, deltas(slopes)])
    return features.astype(np.float32)


def _log_energies(samples: Any, rate: int, filters: int) -> tuple[Floats, Floats]:
    """The log energy of each window, (frames,), and its log energy in each filter, (frames, filters)."""
    wave, length, shift = np.asarray(samples, np.float64), int(LENGTH * rate), int(SHIFT * rate)
    if wave.ndim != 1 or shift < 1 or len(wave) < length:
        raise ValueError(f"expected samples of one channel, at least a window of {length} at {rate} per second, found {wave.shape}")
    if not np.isfinite(wave).all():
        raise ValueError("expected finite samples, found NaN or infinite values")
    windows = np.lib.stride_tricks.sliding_window_view(wave, length)[::shift]
    windows = windows - windows.mean(1, keepdims=True)
    energy = np.square(windows).sum(1)
    before = np.column_stack([windows[:, :1], windows[:, :-1]])  # the first sample is repeated before the window
    size = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft((windows - EMPHASIS * before) * np.hamming(length), size)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return _log(energy), _log(power @ _triangles(rate, size, filters))


def _log(energy: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(energy, FLOOR)))


@lru_cache(maxsize=8)
def _triangles(rate: int, size: int, filters: int) -> Floats:
    """(frequencies of a transform of this size, filters): each rises from its left neighbour's centre and falls to its right one's."""
    if filters < 1:
        raise ValueError(f"expected at least one filter, found {filters=}")
    mel = _mel(np.arange(size // 2 + 1) * rate / size)[:, None]
    edges = np.linspace(_mel(LOWEST), _mel(rate / 2), filters + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    weights = np.minimum((mel - left) / (centre - left), (right - mel) / (right - centre)).clip(0)
    empty = np.flatnonzero(weights.sum(0) == 0)
    if len(empty):
        raise ValueError(f"{filters} filters are too narrow for {rate} samples per second: filter {empty[0]} has no frequency, take fewer")
    weights.flags.writeable = False
    return np.asarray(weights)


def _mel(frequency: Any) -> Any:
    return 1127 * np.log1p(frequency / 700)
