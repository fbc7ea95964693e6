"""The interactive charts, as Vega-Lite specifications: drawn by vega.js beside the pages."""

from typing import Any

import altair as alt
import pandas as pd

from synset_factory.site.projection import Plane

Spec = dict[str, Any]

HEIGHT = 380  # pixels; the width is the page's
COLOURS = ["#6b7280", "#d97706", "#2563eb", "#059669", "#db2777", "#7c3aed", "#0891b2", "#65a30d"]


def sets_chart(table: pd.DataFrame) -> Spec:
    """Return diversity against accuracy over sets. `table` is that of `plots.sets_table`."""
    base = alt.Chart(table).encode(
        x=alt.X("centroid_distance:Q", title="Centroid Distance (diversity)").scale(zero=False),
        y=alt.Y("accuracy:Q", title="accuracy on natural pictures, percent").scale(zero=False),
        tooltip=[
            alt.Tooltip("name:N", title="trained on"),
            alt.Tooltip("accuracy:Q", format=".1f"),
            alt.Tooltip("centroid_distance:Q", title="Centroid Distance", format=".4f"),
        ],
    )
    marks = base.mark_circle(size=160, opacity=0.9).encode(color=_colour(table, legend=False))
    names = base.mark_text(align="left", dx=11, dy=-6, fontSize=13).encode(text="name:N")
    return _finished(marks + names)


def classes_chart(table: pd.DataFrame) -> Spec:
    """Return the same over (set, class); a click on a point leads to the page of its class."""
    chosen = alt.selection_point(fields=["name"], bind="legend")
    chart = (
        alt.Chart(table)
        .mark_circle(size=55)
        .transform_calculate(page="'classes/' + datum.wnid + '.html'")
        .encode(
            x=alt.X("centroid_distance:Q", title="Centroid Distance of the class (diversity)"),
            y=alt.Y("accuracy:Q", title="accuracy of the class on natural pictures, percent"),
            color=_colour(table),
            opacity=alt.condition(chosen, alt.value(0.8), alt.value(0.06)),
            href="page:N",
            tooltip=[
                alt.Tooltip("class:N"),
                alt.Tooltip("name:N", title="trained on"),
                alt.Tooltip("accuracy:Q", format=".1f"),
                alt.Tooltip("centroid_distance:Q", title="Centroid Distance", format=".4f"),
                alt.Tooltip("diagnosis:N"),
            ],
        )
        .add_params(chosen)
    )
    return _finished(chart)


def plane_chart(plane: Plane, colour: str, shape: str) -> Spec:
    """Return points of CLIP space on a plane; `colour` and `shape` are columns of its points."""
    chosen = alt.selection_point(fields=[colour], bind="legend")
    titles = [
        f"{name} principal component ({share:.0f}% of the variance)"
        for name, share in zip(("first", "second"), plane.shares, strict=True)
    ]
    colours = list(dict.fromkeys(plane.points[colour]))
    shapes = list(dict.fromkeys(plane.points[shape]))
    chart = (
        alt.Chart(plane.points)
        .mark_point(filled=True, size=45)
        .encode(
            x=alt.X("x:Q", title=titles[0]).scale(zero=False),
            y=alt.Y("y:Q", title=titles[1]).scale(zero=False),
            color=alt.Color(f"{colour}:N", title=None).scale(
                domain=colours, range=COLOURS[1 : len(colours) + 1]
            ),
            opacity=alt.condition(chosen, alt.value(0.75), alt.value(0.05)),
            tooltip=[alt.Tooltip("kind:N", title="what"), alt.Tooltip("name:N", title="class")],
            shape=alt.Shape(f"{shape}:N", title=None).scale(domain=shapes),
        )
        .add_params(chosen)
        .interactive()
    )
    return _finished(chart)


def _colour(table: pd.DataFrame, *, legend: bool = True) -> alt.Color:
    names = list(dict.fromkeys(table["name"]))
    scaled = alt.Color("name:N", title="trained on").scale(
        domain=names, range=[COLOURS[i % len(COLOURS)] for i in range(len(names))]
    )
    return scaled if legend else scaled.legend(None)


def _finished(chart: alt.Chart | alt.LayerChart) -> Spec:
    # 1,000 classes of six sets are 6,000 points; beyond 5,000 Altair would refuse.
    with alt.data_transformers.disable_max_rows():
        spec: Spec = chart.properties(width="container", height=HEIGHT).to_dict()
    return spec
