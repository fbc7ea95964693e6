"""`synset-factory lint`: every doubtful word is a line with its row, and what is right is none."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from synset_factory import layout
from synset_factory.commands.main import main
from synset_factory.prompts import check
from synset_factory.prompts.grammar import Modifiers, Vocabulary, augmented_prompt
from synset_factory.prompts.lint import TextEncoder, longest_vocabulary
from synset_factory.worlds.miniature.text_tower import transformers_tokenizer

REPOSITORY = Path(__file__).parents[2]
SYNSETS = """class_index,wnid,synset_prompt,definition,hypernym,senses,clip_name
0,n01580077,jay,crested bird,corvine bird,4,jay
1,n01847000,drake,adult male of a wild or domestic duck,duck,2,drake
2,n02012849,crane,large long-necked wading bird,wading bird,5,crane bird
3,n03126707,crane,lifts and moves heavy objects,lifting device,5,construction crane
4,n04146614,school bus,a bus used to transport children,public transport,1,schoolbus
"""
CLARIFIED = """wnid,prompt,reason,note,source
n01580077,a bird of type jay,homonym,"a letter,
and a name",paper
n01847000,drake duck,homonym,a singer,reconstructed
"""
MODIFIERS = """# The words of PromptAug.
looks: [beautiful, old]
extent: ["", very]
typical: [typical]
size: [small, large]
location:
  - in the corner
style: [hyper-sharp]
"""
CLEAN = (
    "prompts/ is clean: 5 classes, 2 clarified prompts, 8 modifiers, 16 PromptAug prompts a class."
)

Lint = Callable[[], tuple[int, list[str]]]


def words_and_two(text: str) -> int:
    """Count like a tokenizer of whole words, with a token for the start and one for the end."""
    return len(text.split()) + 2


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of three small files without a fault, where lint runs."""
    monkeypatch.chdir(tmp_path)
    layout.PROMPTS.mkdir()
    layout.SYNSETS.write_text(SYNSETS)
    layout.DISAMBIGUATIONS.write_text(CLARIFIED)
    layout.MODIFIERS.write_text(MODIFIERS)
    layout.CLIP_TEMPLATES.write_text("a photo of a {}.\na drawing of a big {}.\n")
    return tmp_path


@pytest.fixture
def lint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lint:
    """What runs the command line and returns its status and the lines that it prints."""

    def run() -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["synset-factory", "lint"])
        with pytest.raises(SystemExit) as exit_:
            main()
        printed = capsys.readouterr()
        assert printed.err == ""
        assert isinstance(exit_.value.code, int)
        return exit_.value.code, printed.out.splitlines()

    return run


@pytest.fixture
def whole_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text encoder that reads 77 words, for tests of anything but lengths."""
    monkeypatch.setattr(check, "text_encoder", lambda: TextEncoder(words_and_two, 77))


def edit(path: Path, old: str, new: str) -> None:
    """Put the one fault of a test into a file."""
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.mark.usefixtures("files", "whole_words")
def test_clean_files_are_one_line_even_where_imagenets_own_prompts_are_equal(lint: Lint) -> None:
    assert lint() == (0, [CLEAN])  # both cranes have the prompt `crane`


def test_the_committed_files_are_clean_for_every_text_encoder_of_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lint: Lint
) -> None:
    monkeypatch.chdir(tmp_path)  # no world: all classes, open_clip's tokenizer
    shutil.copytree(REPOSITORY / "prompts", "prompts")
    status, lines = lint()
    assert (status, len(lines)) == (0, 1), lines
    assert lines[0].startswith("prompts/ is clean: 1,000 classes, ")


# In CLARIFIED the drake is row 4: the note of the jay goes on for a second line.
@pytest.mark.usefixtures("files", "whole_words")
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "n01847000,drake",
            "n99999999,drake",
            "row 4: wnid 'n99999999' is not in ImageNet-1K; correct it.",
        ),
        (
            "n01847000",
            "n01580077",
            "row 4: wnid 'n01580077' occurs twice, first in row 2; remove one of its rows.",
        ),
        (
            "drake duck",
            " ",
            "row 4: class n01847000 has no prompt; write one or remove the row.",
        ),
        (
            "drake duck",
            "Drake",
            "row 4: the prompt 'Drake' is the synset prompt of class n01847000 itself; "
            "write another or remove the row.",
        ),
        (
            "drake duck",
            "Crane",
            "row 4: the prompt 'Crane' is that of class n03126707 as well; write another.",
        ),
        (
            "drake duck",
            "a bird of type JAY",
            "row 4: the prompt 'a bird of type JAY' is that of class n01580077 as well; "
            "write another.",
        ),
        (
            "drake duck",
            "drake d\u00fcck",
            "row 4: the prompt 'drake d\\xfcck' has the character U+00FC; write it in plain ASCII.",
        ),
        (
            "drake duck",
            "\u9d28\u00e9\u00e8\u00ea\u00eb\u00fc" + "\u9d28" * 100,
            "row 4: the prompt '\\u9d28\\xe9\\xe8\\xea\\xeb\\xfc" + "\\u9d28" * 54 + "...' has the "
            "characters U+00E8, U+00E9, U+00EA, U+00EB, U+00FC and others; "
            "write it in plain ASCII.",
        ),
        (
            "a singer",
            "a singer" * 30,
            f"row 4: the note '{('a singer' * 30)[:60]}...' is longer than 200 characters, or no "
            "text; write a few words.",
        ),
        (
            "drake duck",
            "drake\tduck",
            "row 4: the prompt 'drake\\tduck' has the character U+0009; write it in plain ASCII.",
        ),
        *[
            (
                "drake duck",
                blanks,
                f"row 4: the prompt '{blanks}' has a leading, trailing or doubled blank; "
                "remove it.",
            )
            for blanks in (" drake duck", "drake duck ", "drake  duck")
        ],
        (
            "homonym,a singer",
            "homonyms,a singer",
            "row 4: the reason 'homonyms' is unknown; write one of homonym, proper_name, "
            "near_equal_class, repetition, too_general, dataset_bias.",
        ),
        (
            "reconstructed",
            "Figure 2",
            "row 4: the source 'Figure 2' is unknown; write one of paper, reconstructed.",
        ),
        (
            "drake duck",
            "drake, a duck",
            "row 4: it has 6 fields, not 5; put quotes around one that holds a comma.",
        ),
        (
            "drake duck",
            '"drake duck',
            "row 4: it and what follows cannot be read as CSV (unexpected end of data); "
            "correct its quotes.",
        ),
        (
            "wnid,prompt,reason,note,source",
            "wnid,prompt,reason,note",
            "row 1: these are not the columns; they must be wnid,prompt,reason,note,source.",
        ),
    ],
)
def test_a_fault_of_the_clarified_prompts_is_one_line(
    lint: Lint, old: str, new: str, line: str
) -> None:
    edit(layout.DISAMBIGUATIONS, old, new)
    assert lint() == (1, [f"prompts/disambiguations.csv, {line}", "1 finding."])


@pytest.mark.usefixtures("files", "whole_words")
@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("4,n04146614", "4,n01847000", "row 6: wnid 'n01847000' occurs twice, first in row 3"),
        ("school bus", "", "row 6: class n04146614 has no prompt"),
        (
            "school bus",
            "school\u00a0bus",
            "row 6: the prompt 'school\\xa0bus' has the character U+00A0",
        ),
        (
            "school bus",
            "school  bus",
            "row 6: the prompt 'school  bus' has a leading, trailing or doubled blank",
        ),
    ],
)
def test_a_synset_prompt_is_restored_and_never_edited(
    lint: Lint, old: str, new: str, fault: str
) -> None:
    edit(layout.SYNSETS, old, new)
    remedy = "restore the file with `git checkout prompts/synsets.csv`"
    assert lint() == (1, [f"prompts/synsets.csv, {fault}; {remedy}.", "1 finding."])


@pytest.mark.usefixtures("files", "whole_words")
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "looks: [beautiful, old]",
            "looks: [beautiful,\n  RED]",
            ", row 3: 'red' is an adjective of colour, wrong for some objects; remove it.",
        ),
        (
            "hyper-sharp",
            "velvety-sharp",
            ", row 8: 'velvety' is an adjective of texture, wrong for some objects; remove it.",
        ),
        (
            "in the corner",
            "in a soft corner",
            ", row 7: 'soft' is an adjective of feel, wrong for some objects; remove it.",
        ),
        (
            "in the corner",
            "in the caf\u00e9",
            ", row 7: the modifier 'in the caf\\xe9' has the character U+00E9; "
            "write it in plain ASCII.",
        ),
        (
            "in the corner",
            "in the  corner",
            ", row 7: the modifier 'in the  corner' has a leading, trailing or doubled blank; "
            "remove it.",
        ),
        (
            "[small, large]",
            "[big, big]",
            ", row 5: part 'size' has the word 'big' twice; remove one.",
        ),
        (
            "[small, large]",
            '[small, ""]',
            ", row 5: part 'size' has an empty word; write one or remove it.",
        ),
        (
            "[small, large]",
            "[small, no]",
            ", row 5: part 'size' has something that is no word; put quotes around it.",
        ),
        (
            "[small, large]",
            "[]",
            ", row 5: part 'size' is no list of words; write at least one word.",
        ),
        (
            "size:",
            "sizes:",
            ": these are not the parts; they must be looks, extent, typical, size, location, "
            "style, each once.",
        ),
        (
            "[typical]",
            "[typical",
            ", row 5: it cannot be read as YAML (expected ',' or ']', but got ':'); correct it.",
        ),
    ],
)
def test_a_fault_of_the_modifiers_is_one_line(lint: Lint, old: str, new: str, line: str) -> None:
    edit(layout.MODIFIERS, old, new)
    assert lint() == (1, [f"prompts/modifiers.yaml{line}", "1 finding."])


@pytest.mark.usefixtures("files", "whole_words")
def test_a_file_that_cannot_be_read_is_one_finding_and_the_others_are_still_linted(
    lint: Lint,
) -> None:
    layout.SYNSETS.unlink()
    edit(layout.DISAMBIGUATIONS, "drake duck", "drake  duck")
    layout.MODIFIERS.write_bytes(MODIFIERS.replace("corner", "caf\xe9").encode("latin-1"))
    assert lint() == (
        1,
        [
            "prompts/synsets.csv: it is missing; restore it with `git checkout "
            "prompts/synsets.csv`.",
            "prompts/disambiguations.csv, row 4: the prompt 'drake  duck' has a leading, "
            "trailing or doubled blank; remove it.",
            "prompts/modifiers.yaml, row 7: it is not UTF-8; save the file as UTF-8.",
            "3 findings.",
        ],
    )


@pytest.mark.usefixtures("files", "whole_words")
def test_findings_come_in_the_order_of_files_and_rows(lint: Lint) -> None:
    edit(layout.MODIFIERS, "beautiful", "golden")
    crane = "n02012849,a bird of type jay ,homonym,,web\n"
    layout.DISAMBIGUATIONS.write_text(CLARIFIED.replace("drake duck", "drake") + crane)
    edit(layout.SYNSETS, "school bus", " school bus")
    status, lines = lint()
    assert status == 1
    assert [line.partition(": ")[0] for line in lines] == [
        "prompts/synsets.csv, row 6",
        "prompts/disambiguations.csv, row 4",
        "prompts/disambiguations.csv, row 5",
        "prompts/disambiguations.csv, row 5",
        "prompts/disambiguations.csv, row 5",
        "prompts/modifiers.yaml, row 2",
        "6 findings.",
    ]


@pytest.mark.usefixtures("files")
def test_lengths_are_those_that_the_worlds_own_text_encoder_counts(lint: Lint) -> None:
    transformers_tokenizer(context_length=16).save_pretrained(str(check.TOKENIZER))
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["splits"] = {"train": 8, "validation": 8}  # the modifiers here make 16 prompts
    params["wnids"] = ["n01580077", "n04146614"]
    layout.PARAMS.write_text(yaml.safe_dump(params))
    # beautiful , very typical , very small ... , in the corner . hyper - sharp . : 7 + 5 + 4, start
    # and end 2, so 18 beside those of the class: `a bird of type jay` 5, `school bus` 2. The drake
    # would have as many as the bus, but is not of this world.
    too_long = "tokens, of which the text encoder reads 16; clarify it with a shorter prompt."
    of_bus = f"the longest promptaug prompt of class n04146614 has 20 {too_long}"
    of_jay = f"the longest promptaug prompt of class n01580077 has 23 {too_long}"
    assert lint() == (
        1,
        [
            f"prompts/disambiguations.csv: {of_bus}",  # nobody clarified it: it has no row
            f"prompts/disambiguations.csv, row 2: {of_jay}",
            "2 findings.",
        ],
    )


@pytest.mark.usefixtures("files")
def test_prompts_of_a_recipe_are_counted_if_a_set_has_it(lint: Lint) -> None:
    transformers_tokenizer(context_length=30).save_pretrained(str(check.TOKENIZER))
    edit(layout.SYNSETS, "crested bird", " ".join(["crested"] * 30))
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["splits"] = {"train": 8, "validation": 8}  # the modifiers here make 16 prompts
    params["wnids"] = ["n01580077", "n04146614"]
    layout.PARAMS.write_text(yaml.safe_dump(params))
    assert lint()[0] == 0
    params["sets"]["defined"] = {"prompts": "definition", "guidance_scale": 7.5}
    layout.PARAMS.write_text(yaml.safe_dump(params))
    status, lines = lint()
    assert (status, lines[1:]) == (1, ["1 finding."])
    assert lines[0].startswith(
        "prompts/synsets.csv, row 2: the longest definition prompt of class n01580077 has "
    )
    assert lines[0].endswith(
        " tokens, of which the text encoder reads 30; give its set another recipe in params.yaml."
    )


@pytest.mark.usefixtures("files", "whole_words")
def test_a_recipe_that_nobody_knows_is_a_finding(lint: Lint) -> None:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["sets"] = {"synset": {"prompts": "sinset", "guidance_scale": 7.5}}
    layout.PARAMS.write_text(yaml.safe_dump(params))
    status, lines = lint()
    assert (status, lines[1:]) == (1, ["1 finding."])
    assert lines[0].startswith(
        "params.yaml: sets.synset.prompts 'sinset' is unknown; choose one of"
    )


@pytest.mark.usefixtures("files", "whole_words")
def test_a_template_without_a_place_for_the_name_is_a_finding(lint: Lint) -> None:
    edit(layout.CLIP_TEMPLATES, "big {}", "big one")
    fault = "row 2: it must have one {} for the class's name; restore the file with "
    remedy = "`git checkout prompts/clip_templates.txt`."
    assert lint() == (1, [f"prompts/clip_templates.txt, {fault}{remedy}", "1 finding."])


@pytest.mark.usefixtures("files")
def test_wrong_classes_of_the_world_are_told_beside_the_findings(lint: Lint) -> None:
    transformers_tokenizer(context_length=36).save_pretrained(str(check.TOKENIZER))
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["splits"] = {"train": 8, "validation": 8}  # the modifiers here make 16 prompts
    layout.PARAMS.write_text(yaml.safe_dump(params | {"wnids": ["n00000001"]}))
    edit(layout.DISAMBIGUATIONS, "a singer,reconstructed", "a singer,web")
    status, lines = lint()
    assert (status, len(lines), lines[2]) == (1, 3, "2 findings.")
    assert lines[0].startswith("prompts/disambiguations.csv, row 4: the source 'web'")
    assert lines[1].startswith("params.yaml: wnid 'n00000001' is not in ImageNet-1K")


@pytest.mark.usefixtures("files")
def test_without_a_world_the_lengths_are_those_of_clip(lint: Lint) -> None:
    path = layout.DISAMBIGUATIONS
    edit(path, "drake duck", " ".join(["duck"] * 57))
    assert lint() == (0, [CLEAN])  # 57 and, as above, 18 more tokens: 75
    edit(path, " ".join(["duck"] * 57), " ".join(["duck"] * 75))
    status, lines = lint()
    assert status == 1
    assert [line.partition(" has ")[2][:9] for line in lines[:-1]] == ["93 tokens"]  # 77 fit
    edit(path, " ".join(["duck"] * 75), " ".join(["duck"] * 76))
    status, lines = lint()
    assert [line.partition(" has ")[2][:9] for line in lines[:-1]] == ["78 tokens", "94 tokens"]


def test_no_choice_of_modifiers_makes_a_longer_prompt_than_the_longest_words() -> None:
    modifiers = Modifiers(
        looks=("a b", "a"),
        extent=("", "very very"),
        typical=("t",),
        size=("s", "s s s"),
        location=("l", "l l", "l"),
        style=("y y", "y"),
    )
    templates = ("a {}", "a photo of a {}", "a {}.")
    vocabulary = Vocabulary(modifiers=modifiers, clip_templates=templates)
    found = longest_vocabulary(vocabulary, TextEncoder(words_and_two, 77))
    assert found.clip_templates == ("a photo of a {}",)
    longest = found.modifiers
    counts = [
        words_and_two(augmented_prompt(modifiers, combination, "class"))
        for combination in range(modifiers.combinations)
    ]
    assert longest.combinations == 1
    assert words_and_two(augmented_prompt(longest, 0, "class")) == max(counts) == 17


def test_the_command_line_asks_for_help_without_the_libraries_of_models() -> None:
    code = (
        "import sys, synset_factory.commands.main\n"
        "print({'torch', 'open_clip', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
