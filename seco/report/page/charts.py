"""Charts of a page as Vega-Lite, made by Altair; the page colours them for a light or a dark screen."""

from collections.abc import Sequence
from typing import Any

import altair as alt

Row = dict[str, Any]
HEIGHT = 220
MAP_HEIGHT = 420


def lines_chart(
    rows: Sequence[Row], *, y: str, series: Sequence[str], percent: bool = False, log: bool = False, dashed: bool = False
) -> Row:
    """Lines over optimiser steps; the values nearest to the pointer are shown.

    Args:
        rows: ``step``, ``value`` and ``series``.
        y: What the values are.
        series: Of this chart and those beside it, in the order of the legend; each has one colour in all of them.
        percent: They are shares in [0, 1].
        log: They are positive, and spread over decades.
        dashed: Rows have ``level`` too, drawn as dashed lines: what chance reaches.
    """
    drawn = {row["series"] for row in rows}
    legend = _legend([name for name in series if name in drawn]) if len(series) > 1 else None
    colour = alt.Color("series:N", title=None, scale=alt.Scale(domain=list(series)), legend=legend)
    scale = alt.Scale(type="log") if log else alt.Scale(domain=[0, 1]) if percent else alt.Scale(zero=False)
    axis = alt.Axis(title=y, format=".0%") if percent else alt.Axis(title=y)
    steps = alt.X("step:Q", title="optimiser step", axis=alt.Axis(tickCount=6, format="~s"))
    base = alt.Chart().encode(x=steps, y=alt.Y("value:Q", scale=scale, axis=axis), color=colour)
    nearest = alt.selection_point(nearest=True, on="pointerover", fields=["step"], empty=False, clear="pointerout")
    shown = ".1%" if percent else ".4~g"
    hover = [
        alt.Tooltip("series:N", title="line"),
        alt.Tooltip("step:Q", format=","),
        alt.Tooltip("value:Q", title=y, format=shown),
    ]
    seen = alt.when(nearest).then(alt.value(1)).when("datum.rows == 1").then(alt.value(1)).otherwise(alt.value(0))
    points = (
        base.transform_joinaggregate(rows="count()", groupby=["series"])  # a line of one point would not be seen
        .mark_point(filled=True, size=50)
        .encode(opacity=seen, tooltip=hover)
    )
    layers: list[alt.Chart] = [base.mark_line(interpolate="linear", clip=True), points.add_params(nearest)]
    if dashed:
        layers.append(alt.Chart().mark_rule(strokeDash=[5, 4]).encode(y="max(level):Q", color=colour))
    return _spec(alt.layer(*layers, data=_data(rows)), HEIGHT)


def dots_chart(
    rows: Sequence[Row],
    *,
    colour: str,
    title: str,
    axes: tuple[str, str],
    domain: Sequence[str],
    palette: Sequence[str] = (),
    hover: Sequence[str],
) -> Row:
    """A map of vectors in two dimensions.

    Args:
        rows: ``x``, ``y`` and the fields that the others name; ``image`` is the name of one of the section's images.
        colour: Field that decides the colour.
        title: Of the legend.
        axes: What x and y are.
        domain: Values of that field, in the order of the legend.
        palette: A colour for each; none: the page's.
        hover: Fields that the pointer shows.
    """
    scale = alt.Scale(domain=list(domain), range=list(palette)) if palette else alt.Scale(domain=list(domain))
    plain: Any = {"scale": alt.Scale(zero=False), "axis": alt.Axis(labels=False, ticks=False, grid=False)}
    chart = (
        alt.Chart(_data(rows))
        .mark_circle(size=70, opacity=0.85)
        .encode(
            x=alt.X("x:Q", title=axes[0], **plain),
            y=alt.Y("y:Q", title=axes[1], **plain),
            color=alt.Color(f"{colour}:N", title=title, sort=list(domain), scale=scale),
            tooltip=[alt.Tooltip(f"{name}:N") for name in hover],
        )
    )
    return _spec(chart, MAP_HEIGHT)


def intervals_chart(rows: Sequence[Row], *, x: str, order: Sequence[str], percent: bool = True, log: bool = False) -> Row:
    """A dot a row with its interval, one line for each name.

    Args:
        rows: ``name``, ``group``, ``value``, ``low`` and ``high``; without an interval these are None.
        x: What the values are.
        order: The names from top to bottom.
        percent: Values are shares in [0, 1].
        log: They are positive, and spread over decades.
    """
    form = ".0%" if percent else "~s"
    scale = alt.Scale(type="log") if log else alt.Scale(domain=[0, 1])
    names = alt.Y("name:N", title=None, sort=list(order), axis=alt.Axis(labelLimit=280))
    groups = list(dict.fromkeys(row["group"] for row in rows))
    shift = alt.YOffset("group:N", sort=groups)
    colour = alt.Color("group:N", title=None, sort=groups, legend=alt.Legend(orient="top", columns=3, labelLimit=170))
    base = alt.Chart().encode(y=names, yOffset=shift, color=colour)
    value = alt.X("value:Q", title=x, scale=scale, axis=alt.Axis(format=form, tickCount=6, orient="top"))
    shown = ".1%" if percent else ",.4~g"
    hover = [
        alt.Tooltip("name:N"),
        alt.Tooltip("group:N", title="what"),
        *(alt.Tooltip(f"{part}:Q", format=shown) for part in ("value", "low", "high")),
    ]
    dots = base.mark_point(filled=True, size=60).encode(x=value, tooltip=hover)
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=x, scale=scale), x2="high:Q")
    return _spec(alt.layer(bars, dots, data=_data(rows)), 16 * len(rows) + 40)


def _legend(names: Sequence[str]) -> alt.Legend:
    """Below the chart, whose width it leaves alone on a phone."""
    return alt.Legend(orient="bottom", columns=2, labelLimit=170, values=list(names))


def _data(rows: Sequence[Row]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))


def _spec(chart: Any, height: int) -> Row:  # noqa: ANN401 - Altair's kinds of charts share no type
    return chart.properties(width="container", height=height).to_dict()
