"""What is said of each table of the site: its title, and what the reader should see in it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caption:
    """The words around a table."""

    title: str
    text: str


CLASSIFIERS = (
    "Accuracy in percent, the mean over classifier seeds. The interval covers other images of "
    "these classes and other seeds; not other classes, not image sets made anew."
)
CAPTIONS = {
    "table1": Caption("Table 1: Synset and Disamb", CLASSIFIERS),
    "table2": Caption("Table 2: Disamb2.5 and PromptAug", CLASSIFIERS),
    "table3": Caption(
        "Table 3: found by the prompt, or by the images' own centroids",
        "Centroid Accuracy in percent. From experiment 17 to 15 only the reference has changed: "
        "the difference in error is the centroid-shift, what remains is diversity.",
    ),
    "table4": Caption(
        "Table 4: two ways to fail, hammer and nail",
        "Centroid Accuracy in percent, of all classes and of these two. The paper: the prompt "
        "finds neither natural nor synthetic hammers; of nails it finds the synthetic ones.",
    ),
    "table5": Caption(
        "Table 5: within and across modalities",
        "The paper: similarity is high within a modality and drops across, without a "
        "correspondingly large drop in accuracy.",
    ),
    "table6": Caption(
        "Table 6: Centroid Accuracy, k-nn and average cosine",
        "All pairs of reference (training split) and query (validation split). Row 8 of the paper "
        "looks like a slip: 82.0 is row 15's figure.",
    ),
    "centroid_distance": Caption(
        "Figure 5: Centroid Distance",
        "The formula as the paper prints it. The paper's own numbers cannot come from it on this "
        "scale (its cosines alone force 0.0167 at the least): compare order and ratios.",
    ),
    "appendix_b": Caption(
        "Appendix B: school buses as queries",
        "New images of each prompt, compared with Disamb2.5's centroids. The paper: a narrower "
        "prompt takes diversity away, an unusual one shifts the centroid. Its Centroid Distances "
        "are on another scale: compare order and ratios.",
    ),
    "claims": Caption(
        "The paper's claims",
        "Each claim as an inequality: the first number is to be larger than the second. A "
        "difference whose 95% interval holds 0 is inside its noise: another draw of images could "
        "turn it round.",
    ),
    "differences": Caption(
        "Differences between sets",
        "Every two lines of Tables 1 and 2 that share a set, in percentage points, and every two "
        "Centroid Distances, with the 95% interval over other images of these classes. Where both "
        "sides ask the same images these are drawn together.",
    ),
    "frechet": Caption(
        "Fréchet distance in CLIP space",
        "Both terms apart, between the training splits of every two sets. The mean term is how far "
        "the sets' centres lie apart, the covariance term how their shapes differ.",
    ),
    "frechet_correlation": Caption(
        "Fréchet distance and accuracy",
        "The paper: the first term strongly correlates with accuracy, the second does not. A "
        "negative correlation says: the farther from natural images, the less accurate.",
    ),
    "separability": Caption(
        "Are prompts and images linearly separable?",
        "Accuracy in percent of a linear classifier on embeddings that it was not trained on. The "
        "paper: they are separable.",
    ),
    "centroid_shift": Caption(
        "Centroid-shift between every two sets",
        "1 minus the cosine of the two centroids of a class, averaged over classes.",
    ),
    "error_split": Caption(
        "The error, split into diversity and centroid-shift",
        "Percentage points of all queries. The paper (Disamb2.5): 25.1 = 18.0 (diversity) + 7.1 "
        "(centroid-shift).",
    ),
    "contributions": Caption(
        "Diffusion and CLIP: which causes more of the error?",
        "The paper: diffusion is a larger contributor to error than CLIP. It gives no two numbers; "
        "read from Disamb2.5: diffusion is the error by the images' own centroids, clip what its "
        "prompts lose to these, clip on natural the same loss on natural images.",
    ),
    "quality": Caption(
        "What a dataset engineer asks beside it, class by class",
        "Each class against its natural images, the mean over classes. Precision and density fall "
        "where pictures are unlike natural ones, recall and coverage where natural pictures are "
        "missed; KID and CMMD are distances; Vendi counts how many different pictures there are. "
        "The row of natural images, one split against the other, is the yardstick.",
    ),
    "quality_pooled": Caption(
        "The same of all classes pooled",
        "A set's images against natural ones, whatever their class.",
    ),
    "classifier_distance": Caption(
        "Another embedding: Centroid Distance",
        "In the penultimate features of a classifier of natural images instead of CLIP.",
    ),
    "classifier_space": Caption(
        "Another embedding: the image-on-image rows of Table 6",
        "In the penultimate features of a classifier of natural images; prompts have no such "
        "embedding. The paper: no benefit over CLIP.",
    ),
    "diagnosis": Caption(
        "Diagnosis: how many classes of each set fail in which way",
        "Each class of each set gets one name, from measured quantities alone.",
    ),
    "diagnoses": Caption(
        "Diagnosis of every class",
        "Why training on a class's synthetic images fails, set by set; its page says because of "
        "which numbers.",
    ),
    "classes": Caption(
        "All classes",
        "Accuracy on natural pictures in percent, by the set that classifiers were trained on. A "
        "class leads to its page.",
    ),
    "class_numbers": Caption(
        "Numbers",
        "Accuracies in percent. By prompt: the set's images as queries, the prompts of all classes "
        "as references; by own centroids: the centroids of the set's own training images. A dash "
        "where there is no such figure: Table 6 has neither Synset nor Disamb1.0, and of sets that "
        "the paper does not have there are accuracies and diagnoses alone.",
    ),
    "class_quality": Caption(
        "Quality",
        "The class's pictures against its natural ones in CLIP space; natural ones, one split "
        "against the other, are the yardstick.",
    ),
}


def of_classifiers(label: str) -> Caption:
    """Return the words for the lines that Tables 1 and 2 would have of a further set."""
    return Caption(
        f"{label}: classifiers", f"A set that no table of the paper names. {CLASSIFIERS}"
    )


def of_space(label: str) -> Caption:
    """Return the words for the rows that Table 6 would have of a further set."""
    return Caption(f"{label}: CLIP space", "A set that no table of the paper names, as in Table 6.")


def of_distance(label: str) -> Caption:
    """Return the words for the Centroid Distance of a further set."""
    return Caption(f"{label}: Centroid Distance", "As in Figure 5.")
