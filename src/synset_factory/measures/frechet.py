"""Fréchet distance between two sets of embeddings, its two terms apart (Section 3, Reason #2)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synset_factory.measures.vectors import Floats, UndefinedMeasure, unit_vectors

BLOCK = 4096  # embeddings at a time: bounds the memory, shapes no result


@dataclass(frozen=True, kw_only=True)
class Frechet:
    """The squared Fréchet distance of two normal distributions fitted to embeddings."""

    mean_term: float  # |mu_X - mu_Y|^2
    covariance_term: float  # tr(Sigma_X + Sigma_Y - 2 (Sigma_X Sigma_Y)^(1/2))

    @property
    def distance(self) -> float:
        """d^2, the sum of the two."""
        return self.mean_term + self.covariance_term


@dataclass(frozen=True, kw_only=True)
class Normal:
    """The normal distribution fitted to the directions of a set's embeddings."""

    mean: NDArray[np.float64]  # [D]
    covariance: NDArray[np.float64]  # [D, D], unbiased

    @staticmethod
    def of(embeddings: Floats) -> "Normal":
        """Fit to embeddings [N, D], N at least 2, each first scaled to length 1.

        Raises UndefinedMeasure for fewer than two, or an embedding without a direction.
        """
        if len(embeddings) < 2:
            raise UndefinedMeasure("a covariance needs at least two embeddings")
        blocks = [slice(start, start + BLOCK) for start in range(0, len(embeddings), BLOCK)]
        width = embeddings.shape[1]
        mean, scatter = np.zeros(width), np.zeros((width, width))
        for rows in blocks:
            mean += unit_vectors(embeddings, rows).sum(axis=0) / len(embeddings)
        for rows in blocks:
            centred = unit_vectors(embeddings, rows) - mean
            scatter += centred.T @ centred
        return Normal(mean=mean, covariance=scatter / (len(embeddings) - 1))


def frechet(left: Normal, right: Normal) -> Frechet:
    """The standard Fréchet distance, as two terms; the paper correlates each with accuracy.

    The paper prints its mean term unsquared, |mu_X - mu_Y|; the standard formula, and this,
    squares it (Dowson and Landau 1982). The order of pairs by that term is the same either way.

    (Sigma_X Sigma_Y)^(1/2) need not be symmetric, but its trace is that of
    (R Sigma_Y R)^(1/2) with R the symmetric root of Sigma_X, which is: so eigenvalues of
    symmetric matrices are enough, and fewer embeddings than dimensions do no harm.
    Raises ValueError where the two have other dimensions.
    """
    if left.mean.shape != right.mean.shape:
        raise ValueError(f"dimensions differ: {left.mean.shape} and {right.mean.shape}")
    values, vectors = np.linalg.eigh(left.covariance)
    root = (vectors * np.sqrt(values.clip(min=0.0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ right.covariance @ root)
    cross = np.sqrt(product.clip(min=0.0)).sum()
    difference = left.mean - right.mean
    spread = np.trace(left.covariance) + np.trace(right.covariance) - 2.0 * cross
    return Frechet(mean_term=float(difference @ difference), covariance_term=float(spread))
