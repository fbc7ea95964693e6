"""Tables of the files in metrics/ that people read."""


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table that reads well both as plain text and as Markdown.

    A `|` or a tag in a cell stays text.
    """
    rows = [[cell.replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    padded = [
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in padded)
