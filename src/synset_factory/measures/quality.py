"""What is measured of generated images today, beside the paper's own: all of it in CLIP's space.

Precision, recall, density and coverage compare two sets by who lies within whose neighbourhood;
KID and CMMD by a kernel; the Vendi score tells how many different images one set is worth.
Every embedding is first scaled to length 1.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synset_factory.measures.vectors import Floats, UndefinedMeasure, unit_vectors

BLOCK = 1024  # rows compared at a time: bounds the memory, shapes no result
CMMD_SIGMA = 10.0  # of Jayasumana et al. 2024
CMMD_SCALE = 1000.0  # theirs as well
SMALLEST_DISTANCE = 1e-12  # squared; what is nearer is the same direction but for rounding
Kernel = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # of cosines


@dataclass(frozen=True, kw_only=True)
class Neighbourhoods:
    """Precision, recall, density and coverage, each 0 to 1; density may pass 1."""

    precision: float  # of generated images within a natural neighbourhood
    recall: float  # of natural images within a generated neighbourhood
    density: float  # natural neighbourhoods a generated image lies in, over k
    coverage: float  # of natural neighbourhoods that hold a generated image


def neighbourhoods(natural: Floats, generated: Floats, k: int) -> Neighbourhoods:
    """Improved precision and recall (Kynkäänniemi et al. 2019), density, coverage (Naeem 2020).

    An image's neighbourhood is the ball that reaches to its k-th nearest other image of its set.
    natural: [N, D]; generated: [M, D]; both more than k. Raises UndefinedMeasure for fewer, for
    an embedding without a direction, or where natural images are so many copies that no
    neighbourhood reaches anywhere. Generated copies are no fault: their recall is 0.
    """
    if min(len(natural), len(generated)) <= k:
        raise UndefinedMeasure(f"neighbourhoods of {k} need more than {k} images a set")
    real, fake = unit_vectors(natural), unit_vectors(generated)
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    if not real_radii.any():
        raise UndefinedMeasure(f"each natural image has {k} copies of itself: no neighbourhoods")
    in_real = np.zeros(len(fake), dtype=np.intp)  # natural balls that each generated image lies in
    in_fake = np.zeros(len(real), dtype=bool)
    covered = np.zeros(len(real), dtype=bool)
    for rows in _blocks(len(real)):
        distances = _squared_distances(real[rows] @ fake.T)  # [rows, M]
        within = distances < real_radii[rows, None]
        in_real += within.sum(axis=0)
        covered[rows] = within.any(axis=1)
        in_fake[rows] = (distances < fake_radii).any(axis=1)
    return Neighbourhoods(
        precision=float((in_real > 0).mean()),
        recall=float(in_fake.mean()),
        density=float(in_real.mean() / k),
        coverage=float(covered.mean()),
    )


def kid(left: Floats, right: Floats) -> float:
    """Kernel distance of Binkowski et al. 2018: unbiased squared MMD, kernel (x . y / D + 1)^3.

    Inception's features are replaced by these embeddings at length sqrt(D), so that the kernel
    is (cosine + 1)^3 whatever D is. left: [N, D]; right: [M, D], at least 2 each. It may be
    below 0. Raises UndefinedMeasure for fewer.
    """
    if min(len(left), len(right)) < 2:
        raise UndefinedMeasure("an unbiased kernel distance needs at least two embeddings a set")
    first, second = unit_vectors(left), unit_vectors(right)
    within = sum(
        (_kernel_sum(_cubic, each, each) - len(each) * _cubic(np.ones(1))[0])
        / (len(each) * (len(each) - 1))
        for each in (first, second)
    )
    across = _kernel_sum(_cubic, first, second) / (len(first) * len(second))
    return float(within - 2.0 * across)


def cmmd(left: Floats, right: Floats) -> float:
    """CMMD of Jayasumana et al. 2024: 1,000 x squared MMD of CLIP embeddings, Gaussian kernel.

    As published: sigma 10, and the biased estimate, in which an image is compared with itself.
    left: [N, D]; right: [M, D].
    """
    first, second = unit_vectors(left), unit_vectors(right)
    pairs = ((first, first, 1.0), (second, second, 1.0), (first, second, -2.0))
    return CMMD_SCALE * sum(
        sign * _kernel_sum(_gaussian, rows, columns) / (len(rows) * len(columns))
        for rows, columns, sign in pairs
    )


def vendi_score(embeddings: Floats) -> float:
    """Vendi score of Friedman and Dieng 2023: exp of the entropy of K / N's eigenvalues.

    K holds the cosine similarities. 1 where all images are one, N where no two have anything in
    common. embeddings: [N, D].
    """
    units = unit_vectors(embeddings)
    # The smaller of the two Gram matrices: both have the same eigenvalues besides zeros.
    gram = units @ units.T if len(units) <= units.shape[1] else units.T @ units
    values = np.linalg.eigvalsh(gram / len(units))
    values = values[values > 0.0]
    return float(np.exp(-(values * np.log(values)).sum()))


def _cubic(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((cosines + 1.0) ** 3)


def _gaussian(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-_squared_distances(cosines) / (2.0 * CMMD_SIGMA**2)))


def _kernel_sum(kernel: Kernel, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> float:
    """Sum a kernel over all pairs of unit vectors, rows [N, D] and columns [M, D]."""
    return sum(float(kernel(rows[block] @ columns.T).sum()) for block in _blocks(len(rows)))


def _squared_distances(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of unit vectors: |x - y|^2 = 2 - 2 x . y, and 0 where only rounding is left."""
    distances = 2.0 - 2.0 * cosines
    return np.where(distances < SMALLEST_DISTANCE, 0.0, distances)


def _radii(units: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Squared distance of each to its k-th nearest other, [N]."""
    radii = np.empty(len(units))
    for block in _blocks(len(units)):
        distances = _squared_distances(units[block] @ units.T)
        # Place k and not k - 1: the nearest of all is the image itself.
        radii[block] = np.partition(distances, k, axis=1)[:, k]
    return radii


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))
