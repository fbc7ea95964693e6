"""Rows on the geometry of CLIP's space (Sections 3 and 4), from embeddings in memory."""

from collections.abc import Iterable, Mapping

import numpy as np

from synset_factory.class_values import ClassRows, rows_by_class
from synset_factory.embedding_files import Embeddings
from synset_factory.measures.centroids import centroid_distance
from synset_factory.measures.correlation import correlation
from synset_factory.measures.frechet import Normal, frechet
from synset_factory.measures.separability import separability
from synset_factory.measures.shifts import centroid_shifts
from synset_factory.measures.vectors import Floats, Labels, UndefinedMeasure
from synset_factory.tables import Row

TERMS = ("mean_term", "covariance_term")
Centroids = tuple[Floats, Labels]  # [C, D] and the labels of the classes [C]


def frechet_row(left: Normal, right: Normal) -> Row:
    """Return the Fréchet distance of two sets of embeddings, and its two terms."""
    found = frechet(left, right)
    return {
        "mean_term": found.mean_term,
        "covariance_term": found.covariance_term,
        "distance": found.distance,
    }


def class_frechet_row(left: Floats, right: Floats) -> Row:
    """Return the two terms between one class's images in two sets, [N, D] and [M, D].

    A covariance from fewer images than dimensions has rank N - 1 at most, and the covariance term
    is then biased upwards: two halves of one set are apart by it. Terms of other classes compare
    where these have equally many images; the size of one by itself says little.
    """
    row = frechet_row(Normal.of(left), Normal.of(right))
    return {f"frechet_{term}": row[term] for term in TERMS}


def set_correlation_row(terms: Mapping[str, Row], accuracies: Mapping[str, float]) -> Row:
    """Correlate, over image sets, the distance to natural images with accuracy on natural images.

    terms: `frechet_row` of each set and `natural`; accuracies: percent on natural images of
    classifiers trained on the set. A distance that costs accuracy correlates negatively.
    """
    pairs = [(terms[name], accuracies[name]) for name in terms]
    return _correlation_row(pairs, {term: term for term in TERMS})


def class_correlation_row(
    found: Mapping[str, ClassRows], accuracies: Mapping[str, Mapping[int, float]]
) -> Row:
    """Correlate the same over all pairs of a set and a class.

    found: rows by class from `class_frechet_row`, of each set and `natural`; accuracies: percent
    on natural images of the class, by classifiers trained on the set.
    """
    pairs = [
        (row, accuracies[name][label])
        for name, of_set in found.items()
        for label, row in of_set.rows.items()
        if label in accuracies[name]
    ]
    return _correlation_row(pairs, {term: f"frechet_{term}" for term in TERMS})


def _correlation_row(pairs: list[tuple[Row, float]], columns: Mapping[str, str]) -> Row:
    row: Row = {}
    accuracies = np.array([accuracy for _, accuracy in pairs])
    for term, column in columns.items():
        found = correlation(np.array([terms[column] for terms, _ in pairs]), accuracies)
        row |= {f"{term}_pearson": found.pearson, f"{term}_spearman": found.spearman}
    return row | {"n": len(pairs)}


def shifts_by_class(left: Centroids, right: Centroids) -> ClassRows:
    """Return each class's centroid-shift between two sets, from the centroids of both."""
    shifts, labels = centroid_shifts(*left, *right)
    pairs = zip(labels.tolist(), shifts.tolist(), strict=True)
    return ClassRows(rows={label: {"centroid_shift": shift} for label, shift in pairs})


def centroid_distances_by_class(embeddings: Embeddings, count: int) -> ClassRows:
    """Return each class's Centroid Distance (Figure 5) from its first `count` images."""

    def row(vectors: Floats, _: Floats) -> Row:
        first = vectors[:count]
        distance, _ = centroid_distance(first, np.zeros(len(first), dtype=int))
        return {"centroid_distance": distance}

    return rows_by_class(embeddings, embeddings, row)


def sampled(embeddings: Embeddings, count: int, rng: np.random.Generator) -> Embeddings:
    """Return `count` embeddings drawn without replacement, in their order; all if no more."""
    if len(embeddings.labels) <= count:
        return embeddings
    return _rows(embeddings, np.sort(rng.choice(len(embeddings.labels), count, replace=False)))


def joined(parts: Iterable[Embeddings]) -> Embeddings:
    """Return the embeddings of several sets as one."""
    parts = list(parts)
    if len(parts) == 1:  # a whole set, which may be more than memory holds
        return parts[0]
    return Embeddings(
        vectors=np.concatenate([part.vectors for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        keys=np.concatenate([part.keys for part in parts]),
    )


def separability_row(
    prompts: Embeddings,
    images: Embeddings,
    held_out_prompts: Embeddings,
    held_out_images: Embeddings,
) -> Row:
    """Return how well a plane tells prompts from images of classes that it was not fitted to.

    Classes are held out, because in four of five sets a class has one prompt, which the validation
    split repeats: nothing else of it could be held out. The rule is one for all sets, so that rows
    compare. Every other class in order of ImageNet's labels (its neighbours are alike) makes one
    half; a plane fitted to the training split of one half is tried on the validation split of the
    other, and the other way round. A prompt that classes of both halves share is not tried.

    `accuracy` is the mean of the two halves in percent, each modality counting half; `margin` the
    smaller of the two. Raises UndefinedMeasure as `separability`, or if there is one class only.
    """
    classes = np.unique(prompts.labels)
    found = []
    for fitted, others in ((classes[::2], classes[1::2]), (classes[1::2], classes[::2])):
        fit = [_of_classes(each, fitted) for each in (prompts, images)]
        known = {vector.tobytes() for vector in fit[0].vectors}
        new = _of_classes(held_out_prompts, others)
        new = _rows(new, np.array([v.tobytes() not in known for v in new.vectors], dtype=bool))
        tried = [new, _of_classes(held_out_images, others)]
        if not all(len(each.labels) for each in [*fit, *tried]):
            raise UndefinedMeasure("a half of the classes has no prompts of its own, or no images")
        found.append(separability(*(each.vectors for each in [*fit, *tried])))
    return {
        "accuracy": float(np.mean([each.accuracy for each in found])),
        "margin": min(each.margin for each in found),
        "classes": len(classes),
    }


def _of_classes(embeddings: Embeddings, classes: Labels) -> Embeddings:
    return _rows(embeddings, np.isin(embeddings.labels, classes))


def _rows(embeddings: Embeddings, rows: np.ndarray) -> Embeddings:
    return Embeddings(
        vectors=embeddings.vectors[rows],
        labels=embeddings.labels[rows],
        keys=embeddings.keys[rows],
    )
