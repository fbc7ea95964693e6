"""Every path of data/, metrics/ and prompts/, written once, relative to the top of the repository.

Stages run at the top of the repository, as DVC runs them. A test holds dvc.yaml against this file.
"""

from pathlib import Path

PARAMS = Path("params.yaml")

PROMPTS = Path("prompts")
SYNSETS = PROMPTS / "synsets.csv"
DISAMBIGUATIONS = PROMPTS / "disambiguations.csv"
MODIFIERS = PROMPTS / "modifiers.yaml"
CLIP_TEMPLATES = PROMPTS / "clip_templates.txt"

MINIATURE_CAUSES = Path("worlds/miniature_causes.yaml")
MINIATURE_DIAGNOSES = Path("worlds/miniature_diagnoses.csv")

IMAGENET_VOCABULARY = Path("worlds/imagenet_vocabulary.txt")

DATA = Path("data")
WORLD = DATA / "world"
CODE = DATA / "code"
IMAGE_PROMPTS = DATA / "prompts"
SHARDS = DATA / "shards"
MACHINE_FIGURES = DATA / "machine_figures.json"  # how fast this machine is
INGEST_FACTS = SHARDS / "ingest.tmp"  # of an ingestion under way
WEB = DATA / "web" / "web.parquet"
MODELS = DATA / "models"
CLIP = MODELS / "clip"
TEXT_TO_IMAGE = MODELS / "text_to_image"
PRETRAINED = MODELS / "pretrained"  # classifiers that others have trained
CLASSIFIERS = MODELS / "classifiers"
TRAININGS = DATA / "trainings"  # under way: no output, which DVC would delete before a stage
QUERIES = DATA / "queries"
APPENDIX_B_QUERIES = QUERIES / "appendix_b"
FIGURE3_QUERIES = QUERIES / "figure3"
EMBEDDINGS = DATA / "embeddings"
CLASSIFIER_EMBEDDINGS = DATA / "classifier_embeddings"
OUTCOMES = DATA / "outcomes"
AMBIGUITY = DATA / "ambiguity.parquet"
CLIP_OUTCOMES = DATA / "clip_outcomes" / "table6.parquet"
GEOMETRY_CLASSES = DATA / "geometry" / "classes.parquet"
GEOMETRY_LEFT_OUT = DATA / "geometry" / "left_out.parquet"
QUALITY_CLASSES = DATA / "quality" / "classes.parquet"
QUALITY_LEFT_OUT = DATA / "quality" / "left_out.parquet"
DIAGNOSES = DATA / "diagnosis.parquet"
DISTANCE_OUTCOMES = DATA / "clip_outcomes" / "centroid_distance.parquet"
APPENDIX_B_OUTCOMES = DATA / "appendix_b.parquet"
RESAMPLED = DATA / "resampled.parquet"
REPORT = DATA / "report"

MODELS_LOCK = DATA / "models.lock"  # held by the run that fetches them
QUERIES_LOCK = DATA / "queries.lock"
DIFF_REPORTS = DATA / "diff_reports"  # those of revisions, got for `synset-factory diff`
DIFF_PAGE = DATA / "diff.html"
EDIT_LOCK = DATA / "disambiguations.lock"

METRICS = Path("metrics")
PROMPT_COUNTS = METRICS / "prompts.json"
FETCHED_MODELS = METRICS / "fetched_models.json"
INGEST_COUNTS = METRICS / "ingest.json"
INGEST_REPORT = METRICS / "ingest.md"
TABLE1 = METRICS / "table1"
TABLE2 = METRICS / "table2"
TABLE6 = METRICS / "table6"
CENTROID_DISTANCE = METRICS / "centroid_distance"
TABLE6_AVERAGES = METRICS / "extra" / "table6"
TABLE4 = METRICS / "table4"
ERROR_SPLIT = METRICS / "error_split"
CONTRIBUTIONS = METRICS / "contributions.json"
FRECHET = METRICS / "frechet"
FRECHET_CORRELATION = METRICS / "frechet_correlation"
SEPARABILITY = METRICS / "separability"
CENTROID_SHIFT = METRICS / "centroid_shift"
QUALITY = METRICS / "quality"
FURTHER_SETS = METRICS / "extra" / "sets"
AMBIGUITY_SUMMARY = METRICS / "ambiguity.json"
APPENDIX_B = METRICS / "appendix_b"
CLASSIFIER_SPACE = METRICS / "classifier_space"
INTERVALS = METRICS / "intervals"
CLAIMS = METRICS / "claims"
DIFFERENCES = METRICS / "differences"
CLAIMS_SUPPORT = METRICS / "claims_support"
CLAIMS_LIST = METRICS / "claims.md"
REVIEW_LIST = METRICS / "review_list.md"
DIAGNOSIS_COUNTS = METRICS / "diagnosis"
PLOTS = METRICS / "plots"
TABLES = METRICS / "tables.md"
FIGURE5 = METRICS / "figure5.png"


EXPORTS = Path("exports")

DVC_PLOTS = Path("dvc_plots")  # where DVC draws
DVC_PLOTS_TEMPLATE = DVC_PLOTS / "template.html"


def code(stage: str) -> Path:
    """The fingerprint of the code that a stage runs."""
    return CODE / f"{stage}.txt"


def prompts(image_set: str) -> Path:
    """One row an image of the set: wnid, split, number, prompt, seed."""
    return IMAGE_PROMPTS / f"{image_set}.parquet"


def shards(image_set: str) -> Path:
    """The set's folder of class tars, `<split>/<wnid>.tar`, with its index beside them."""
    return SHARDS / image_set


def shard(image_set: str, split: str, wnid: str) -> Path:
    """One class of one split of a set."""
    return shards(image_set) / split / f"{wnid}.tar"


def index(image_set: str) -> Path:
    """Where each image of the set lies, and what it was made from."""
    return shards(image_set) / "index.parquet"


def shards_lock(image_set: str) -> Path:
    """Held by the run that is writing the set."""
    return SHARDS / f"{image_set}.lock"


def appendix_b_query(name: str) -> Path:
    """The images of one prompt of Appendix B."""
    return APPENDIX_B_QUERIES / f"{name}.tar"


def figure3_query(guidance_scale: float, wnid: str) -> Path:
    """The images of a class at one of Figure 3's guidance scales."""
    return FIGURE3_QUERIES / str(guidance_scale) / f"{wnid}.tar"


def embeddings(image_set: str) -> Path:
    """CLIP embeddings of a set's images and prompts."""
    return EMBEDDINGS / f"{image_set}.parquet"


def classifier_embeddings(image_set: str) -> Path:
    """Embeddings of a set's images by a classifier of natural images."""
    return CLASSIFIER_EMBEDDINGS / f"{image_set}.parquet"


def classifiers(image_set: str) -> Path:
    """The classifiers trained on a set, one folder `seed<k>` for each seed."""
    return CLASSIFIERS / image_set


def trainings(image_set: str) -> Path:
    """The trainings of a set that are under way, until all its classifiers are there."""
    return TRAININGS / image_set


def training(image_set: str, number: int) -> Path:
    """The last checkpoint of one of them."""
    return trainings(image_set) / f"seed{number}.safetensors"


def trainings_lock(image_set: str) -> Path:
    """Held by the run that is training on the set."""
    return TRAININGS / f"{image_set}.lock"


def outcomes(image_set: str) -> Path:
    """What the classifiers said of every validation image, for the pairs that a set brings."""
    return OUTCOMES / f"{image_set}.parquet"


def partial(path: Path) -> Path:
    """The name under which an output is written before it is whole."""
    return path.with_name(path.name + ".tmp")
