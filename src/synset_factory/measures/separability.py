"""Are prompts and images two linearly separable sets in CLIP's space (Section 4, Figure 7B)?"""

from dataclasses import dataclass

import numpy as np
from sklearn.svm import LinearSVC

from synset_factory.measures.vectors import Floats, UndefinedMeasure, unit_vectors

# So large that a plane which separates is preferred to one that is only far from most: its margin
# is within half a percent of the largest there is. Larger, and the solver stops short of it.
PENALTY = 100.0
SMALLEST_RANGE = 1e-9  # unit vectors that differ by less have one direction but for rounding


@dataclass(frozen=True, kw_only=True)
class Separability:
    """How well one plane tells prompts from images that it was not fitted to."""

    accuracy: float  # percent; each modality counts half
    margin: float  # smallest distance to the plane on the right side; below 0 where one is wrong


def separability(
    prompts: Floats, images: Floats, held_out_prompts: Floats, held_out_images: Floats
) -> Separability:
    """Fit a linear support vector machine to directions of embeddings, and try it on others.

    prompts: [P, D]; images: [N, D]; held_out_prompts: [Q, D]; held_out_images: [M, D], none of
    them empty. Distances are of unit vectors, so between 0 and 2. Raises UndefinedMeasure for an
    embedding without a direction, or where all those fitted to have the same one.
    """
    both = np.concatenate([unit_vectors(prompts), unit_vectors(images)])
    if np.ptp(both, axis=0).max() < SMALLEST_RANGE:
        raise UndefinedMeasure("prompts and images all have one direction: no plane between them")
    # The primal problem converges whether or not there is such a plane. It shrinks the intercept
    # like any weight; seen from between the two, there is none to speak of.
    middle = (both[: len(prompts)].mean(axis=0) + both[len(prompts) :].mean(axis=0)) / 2.0
    plane = LinearSVC(C=PENALTY, dual=False, class_weight="balanced", tol=1e-6, max_iter=10_000)
    plane.fit(both - middle, np.repeat([-1, 1], [len(prompts), len(images)]))
    length = np.linalg.norm(plane.coef_)
    of_prompts = -plane.decision_function(unit_vectors(held_out_prompts) - middle) / length
    of_images = plane.decision_function(unit_vectors(held_out_images) - middle) / length
    return Separability(
        accuracy=float(50.0 * ((of_prompts > 0).mean() + (of_images > 0).mean())),
        margin=float(min(of_prompts.min(), of_images.min())),
    )
