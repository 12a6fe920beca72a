"""Gabor functions fitted to receptive fields: how many of them are localised, and how many are edges or bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from harmonium.data.tables import as_tensor

Array = npt.NDArray[np.float64]

ORIENTATIONS = 12
CYCLES = (0.05, 0.1, 0.15, 0.2, 0.28, 0.36, 0.44)  # per pixel, at most Nyquist's 0.5
WIDTHS = (0.8, 1.3, 2.0, 3.2, 5.0)  # pixels, of the envelope across the stripes
LENGTHS = (1.0, 1.8)  # times the width, along them
BOUNDS = np.array([[-2.0, np.inf], [-2.0, np.inf], [-np.inf, np.inf], [0.02, 0.5], [0.4, np.inf], [0.4, np.inf]])


@dataclass(frozen=True, eq=False)
class GaborFit:
    """The Gabor function nearest to each of K receptive fields.

    Parameters
    ----------
    explained : ndarray
        (K,), the share of the field's energy (sum of squares) that the function explains, from 0 to 1.
    centre : ndarray
        (K, 2), row and column of the envelope's centre, in pixels.
    orientation : ndarray
        (K,), the angle of the stripes' normal from the columns' axis, in radians from 0 to π.
    frequency : ndarray
        (K,), cycles per pixel.
    width, length : ndarray
        (K,), standard deviations of the envelope across and along the stripes, in pixels.
    area : ndarray
        (K,), the area that holds the envelope's energy, π · width · length, as a share of the image.
    selectivity : ndarray
        (K,), the field's selectivity for orientation, from its power spectrum P alone: |Σ P f² exp(2iθ)| / Σ P f² over the frequencies
        (f, θ). It is 0 for round blobs and 1 for gratings. A Gaussian bar that is 1.7 times as long as wide has 0.5.
    """

    explained: Array
    centre: Array
    orientation: Array
    frequency: Array
    width: Array
    length: Array
    area: Array
    selectivity: Array

    def edges(self, explained: float = 0.7, area: float = 0.25, selectivity: float = 0.5) -> npt.NDArray[np.bool_]:
        """Which fields are edges or bars: localised, and selective for orientation, which blobs are not.

        Parameters
        ----------
        explained, area : float
            As for `localised`.
        selectivity : float, default 0.5
            The least selectivity for orientation.

        Returns
        -------
        ndarray
            (K,) of truth values. Their mean is the share of edge filters.
        """
        return self.localised(explained, area) & (self.selectivity >= selectivity)

    def localised(self, explained: float = 0.7, area: float = 0.25) -> npt.NDArray[np.bool_]:
        """Which fields are localised: a Gabor function on less than a quarter of the image explains most of their energy.

        Parameters
        ----------
        explained : float, default 0.7
            The least share of the energy that is explained. Of white noise, 8 x 8 pixels, a Gabor function explains about 0.4 at most.
        area : float, default 0.25
            The largest share of the image that holds the envelope's energy. Gratings that fill the image have more.

        Returns
        -------
        ndarray
            (K,) of truth values. Their mean is the share of localised filters.
        """
        return (self.explained >= explained) & (self.area <= area)


def gabor_fit(weights: npt.ArrayLike, image_shape: tuple[int, int]) -> GaborFit:
    """Fit a Gabor function, a plane wave under a Gaussian envelope, to each receptive field by least squares.

    Parameters
    ----------
    weights : array-like
        (H · W, K), a column per hidden unit, as `rbm.coupling.weight`. For whitened data they are the weights on "zca" data.
    image_shape : tuple of int
        (H, W) of the visible layer.

    Returns
    -------
    GaborFit
        The functions, and how much of each field they explain.

    Raises
    ------
    ValueError
        For weights of another shape.

    Notes
    -----
    With u and t the distances from the centre across and along the stripes, the function is
    exp(-u²/2σ² - t²/2λ²) (a cos 2πfu + b sin 2πfu). For given (centre, angle, f, σ, λ) the best a and b are linear. The best of a grid of
    these parameters is refined by a search. Receptive fields of simple cells are described by the same fit (Jones & Palmer 1987,
    doi:10.1152/jn.1987.58.6.1233). A field of zeros is explained by 0.

    Examples
    --------
    >>> import numpy as np, harmonium as hm
    >>> row, column = np.mgrid[:8, :8]
    >>> edge = np.exp(-((row - 3) ** 2 + (column - 4) ** 2) / 4) * np.sin(1.5 * (column - 4))
    >>> noise = np.random.default_rng(0).normal(size=(8, 8))
    >>> fit = hm.analysis.gabor_fit(np.stack([edge.ravel(), noise.ravel()], axis=1), (8, 8))
    >>> fit.edges()
    array([ True, False])
    """
    fields = _fields(weights, image_shape)
    norms = np.linalg.norm(fields, axis=1, keepdims=True)
    unit = fields / np.where(norms > 0, norms, 1.0)
    start = _best_of_grid(unit, image_shape)
    places = _places(image_shape)
    found, explained = np.array(start), np.zeros(len(unit))
    for number, field in enumerate(unit):
        if norms[number] > 0:
            found[number], explained[number] = _refined(field, start[number], places)
    row, column, angle, frequency, width, length = found.T
    area = np.minimum(np.pi * width * length / (image_shape[0] * image_shape[1]), 1.0)
    return GaborFit(
        explained, np.stack([row, column], axis=1), angle % np.pi, frequency, width, length, area, _selectivity(unit, image_shape)
    )


def _selectivity(unit: Array, image_shape: tuple[int, int]) -> Array:
    """The selectivity for orientation of each field, (K,)."""
    size = 4 * max(image_shape)  # zeros around the field, for a finer spectrum
    power = np.abs(np.fft.fft2(unit.reshape(-1, *image_shape), s=(size, size))) ** 2
    down, across = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    energy = (power * (across**2 + down**2)).sum((1, 2))
    doubled = (power * (across + 1j * down) ** 2).sum((1, 2))
    found: Array = np.abs(doubled) / np.where(energy > 0, energy, 1.0)
    return found


def _fields(weights: npt.ArrayLike, image_shape: tuple[int, int]) -> Array:
    """(K, H · W), float64."""
    matrix: Array = as_tensor(weights).double().numpy(force=True)
    if np.shape(image_shape) != (2,):
        raise ValueError(f"image_shape is (height, width), found {image_shape}: give each colour of an image by itself")
    size = image_shape[0] * image_shape[1]
    wrong, bad = matrix.ndim != 2 or len(matrix) != size, int((~np.isfinite(matrix)).sum())
    if wrong or bad:
        found = matrix.shape if wrong else f"{bad:,} NaN or infinite ones"
        raise ValueError(f"expected finite weights of shape ({size}, units) for images of {image_shape}, found {found}")
    return matrix.T


def _places(image_shape: tuple[int, int]) -> Array:
    """(2, H · W): the row and the column of each pixel."""
    return np.indices(image_shape).reshape(2, -1).astype(np.float64)


def _waves(parameters: Array, places: Array) -> tuple[Array, Array]:
    """The even and the odd wave of each row of parameters, (count, 6), as orthonormal pairs: (count, pixels) each."""
    row, column, angle, frequency, width, length = parameters.T[:, :, None]
    down, across = places[0] - row, places[1] - column
    u = across * np.cos(angle) + down * np.sin(angle)
    t = down * np.cos(angle) - across * np.sin(angle)
    envelope = np.exp(-0.5 * ((u / width) ** 2 + (t / length) ** 2))
    even, odd = envelope * np.cos(2 * np.pi * frequency * u), envelope * np.sin(2 * np.pi * frequency * u)
    even /= np.linalg.norm(even, axis=1, keepdims=True).clip(1e-300)
    odd -= (odd * even).sum(1, keepdims=True) * even
    size = np.linalg.norm(odd, axis=1, keepdims=True)
    return even, np.where(size > 1e-9, odd / size.clip(1e-300), 0.0)


def _grid(image_shape: tuple[int, int]) -> Iterator[Array]:
    """Blocks of parameters, (count, 6): one block per shape of the function, at every pixel."""
    places = _places(image_shape).T
    angles = np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS
    for width, longer, frequency in product(WIDTHS, LENGTHS, CYCLES):
        if width * 2 <= max(image_shape) and width * frequency < 1.2:
            shapes = np.array([[angle, frequency, width, width * longer] for angle in angles])
            yield np.concatenate([np.repeat(places, ORIENTATIONS, 0), np.tile(shapes, (len(places), 1))], axis=1)


def _best_of_grid(unit: Array, image_shape: tuple[int, int]) -> Array:
    """The parameters of the grid that explain most of each field, (K, 6)."""
    places = _places(image_shape)
    best, energy = np.zeros((len(unit), 6)), np.full(len(unit), -1.0)
    for block in _grid(image_shape):
        even, odd = _waves(block, places)
        found = (unit @ even.T) ** 2 + (unit @ odd.T) ** 2
        place = found.argmax(1)
        top = found[np.arange(len(unit)), place]
        better = top > energy
        best[better], energy[better] = block[place[better]], top[better]
    return best


def _refined(field: Array, start: Array, places: Array) -> tuple[Array, float]:
    """The parameters after a search from a start, and the share of the energy that they explain."""

    def rest(parameters: Array) -> Array:
        even, odd = _waves(parameters[None], places)
        left: Array = field - (even[0] @ field) * even[0] - (odd[0] @ field) * odd[0]
        return left

    low, high = BOUNDS.T.copy()
    high[:2] = places.max(1) + 2
    high[4:] = 2 * (places.max() + 1)
    found = least_squares(rest, start.clip(low + 1e-6, high - 1e-6), bounds=(low, high), max_nfev=40)
    return found.x, float(1 - 2 * found.cost)
