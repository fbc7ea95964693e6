"""The templates of the site's pages."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from synset_factory.tables import Undefined

PAGE = Path(__file__).parent / "page"


def templates() -> Environment:
    """Return them: what they are filled with is text, never HTML."""
    environment = Environment(
        loader=FileSystemLoader(PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = words
    environment.tests["undefined_row"] = lambda value: isinstance(value, Undefined)
    return environment


def words(text: str) -> Markup:
    """Return a sentence as HTML; what stands in `backticks` is code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))
