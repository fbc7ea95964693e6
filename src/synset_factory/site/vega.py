"""The script that draws charts where there is no network: of the report, and of `dvc plots`.

Run as a module it writes what `dvc plots --html-template` needs, which else loads its scripts from
the network.
"""

import altair
import vl_convert
from dvc_render.html import PAGE_HTML

from synset_factory import layout
from synset_factory.errors import run_main
from synset_factory.whole_files import write_text

SCRIPT = "vega.js"
DVC_VEGA_LITE = "5_21"  # the latest of the version in which DVC writes its charts


def vega_script(vega_lite: str | None = None) -> str:
    """Return vega, vega-lite and vega-embed in one script, which gives a page `vegaEmbed`.

    `vega_lite` is a version as vl_convert writes it; without it, that of altair's charts.
    """
    version = vega_lite or "_".join(altair.SCHEMA_VERSION.split(".")[:2])
    bundle = vl_convert.javascript_bundle(vl_version=version)
    # The bundle's own short names are not to become the page's.
    return f"(function () {{\n{bundle}\n}})();\n"


def main() -> None:
    write_text(layout.DVC_PLOTS / SCRIPT, vega_script(DVC_VEGA_LITE))
    local = f'<meta charset="utf-8">\n    <script src="{SCRIPT}"></script>'
    write_text(layout.DVC_PLOTS_TEMPLATE, PAGE_HTML.replace("{scripts}", local))


if __name__ == "__main__":
    run_main(main)
