"""Are prompts and images two linearly separable sets in CLIP's space (Section 5, Figure 7B)?"""

from dataclasses import dataclass

import numpy as np
from sklearn.svm import LinearSVC

from synset_factory.measures.vectors import Floats, unit_vectors

# So large that a plane which separates is preferred to one that is only far from most.
PENALTY = 1e4


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
    them empty. Distances are of unit vectors, so between 0 and 2. Raises ValueError for an
    embedding without a direction.
    """
    # The primal problem converges whether or not there is such a plane. It shrinks the intercept
    # like any weight; scaled up, it is as good as free.
    plane = LinearSVC(
        C=PENALTY, dual=False, class_weight="balanced", intercept_scaling=100.0, tol=1e-8
    )
    both = np.concatenate([unit_vectors(prompts), unit_vectors(images)])
    plane.fit(both, np.repeat([-1, 1], [len(prompts), len(images)]))
    length = np.linalg.norm(plane.coef_)
    of_prompts = -plane.decision_function(unit_vectors(held_out_prompts)) / length
    of_images = plane.decision_function(unit_vectors(held_out_images)) / length
    return Separability(
        accuracy=float(50.0 * ((of_prompts > 0).mean() + (of_images > 0).mean())),
        margin=float(min(of_prompts.min(), of_images.min())),
    )
