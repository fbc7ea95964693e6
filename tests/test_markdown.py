"""Tables line up, and are Markdown."""

from synset_factory.markdown import markdown_table


def test_a_table_lines_up_and_is_markdown() -> None:
    table = markdown_table(["set", "accuracy"], [["natural", "84.1"], ["x", "7.0"]])
    assert table.splitlines() == [
        "| set     | accuracy |",
        "| ------- | -------- |",
        "| natural | 84.1     |",
        "| x       | 7.0      |",
    ]


def test_what_would_end_a_cell_or_begin_a_tag_stays_text() -> None:
    assert markdown_table(["prompt"], [["a | b <i>"]]).splitlines()[2] == "| a \\| b &lt;i> |"
