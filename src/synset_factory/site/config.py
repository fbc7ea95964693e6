"""How results are shown. No result depends on it."""

from dataclasses import dataclass

from synset_factory.tables import ClipPair


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """The section `report` of params.yaml."""

    labels: dict[str, str]  # printed name of an image set; without one, the name it has
    sheet_classes: int  # classes on the sheet of Figure 5, at most
    sheet_images: int  # pictures of each class and set
    sheet_pixels: int  # width of a picture on the sheet
    strip_images: int  # pictures of each set on a class's page
    strip_pixels: int  # width of a picture there, at most
    projected: int  # embeddings of a set and modality in the plots of CLIP space, at most
    figure1_class: str  # wnid: the class of Figures 1, 4 and 6
    figure7_classes: tuple[str, ...]  # wnids: the clusters of Figure 7, left

    def label(self, image_set: str) -> str:
        """Return the printed name of an image set."""
        return self.labels.get(image_set, image_set)

    def source_labels(self, pair: ClipPair) -> tuple[str, str]:
        """Return the names of a reference and a query set as the paper prints them."""
        reference, query = (
            f"{self.label(source.image_set)}-{'IM' if source.modality == 'image' else 'PRMT'}"
            for source in (pair.reference, pair.query)
        )
        return reference, query
