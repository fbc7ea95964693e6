"""The script that draws charts where there is no network: of the report, and of `dvc plots`.

Run as a module it writes what `dvc plots --html-template` needs, which else loads its scripts from
the network.
"""

import altair
import vl_convert

from synset_factory import layout
from synset_factory.errors import run_main
from synset_factory.site.templates import PAGE
from synset_factory.whole_files import write_text

SCRIPT = "vega.js"


def vega_script() -> str:
    """Return vega, vega-lite and vega-embed in one script, which gives a page `vegaEmbed`."""
    version = "_".join(altair.SCHEMA_VERSION.split(".")[:2])  # that of altair's charts
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version)
    # The bundle's own short names are not to become the page's.
    return f"(function () {{\n{bundle}\n}})();\n"


def main() -> None:
    write_text(layout.DVC_PLOTS / SCRIPT, vega_script())
    # DVC fills the template in, ours would not.
    write_text(layout.DVC_PLOTS_TEMPLATE, (PAGE / "dvc_plots.html").read_text(encoding="utf-8"))


if __name__ == "__main__":
    run_main(main)
