"""The kinds of panels and variables of which both dashboards are made.

What must hold: every query names its job through a variable, because the gate and the ledger have metrics of the same name; and every
panel says what it shows.
"""

import itertools

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
PAGE = "https://github.com/faregate/faregate/blob/main/docs/monitoring.md"


def per_second(metric, labels):
    """How fast a counter grows."""
    return f"rate({metric}{{{labels}}}[$__rate_interval])"


def quantiles(histogram, labels, *, of=(0.5, 0.95, 0.99)):
    """The queries for a few quantiles of a histogram."""
    buckets = f"sum by (le) ({per_second(histogram + '_bucket', labels)})"
    return [(f"histogram_quantile({q}, {buckets})", f"p{q * 100:g}") for q in of]


def _target(number, query):
    expr, legend = query
    return prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(chr(ord("A") + number))


def _described(panel, title, about, unit, queries, width, height):
    panel = panel.title(title).description(about).unit(unit).datasource(SOURCE).span(width).height(height)
    for number, query in enumerate(queries):
        panel = panel.with_target(_target(number, query))
    return panel


def graph(title, about, unit, *queries, stacked=False, width=8):
    """Lines over time; a query is an expression and the legend of its lines."""
    legend = common.VizLegendOptions().show_legend(True).placement(shapes.LegendPlacement.BOTTOM)
    legend = legend.display_mode(shapes.LegendDisplayMode.LIST)
    panel = _described(timeseries.Panel(), title, about, unit, queries, width, 8)
    panel = panel.legend(legend).line_width(1).fill_opacity(30 if stacked else 10).min(0)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A"))
    return panel


def number(title, about, unit, query, *, bad_above=None, bad_below=None, width=4, legend="", text=None):
    """One number, as it is now. It is red above, or below, a limit."""
    steps = [model.Threshold(value=None, color="red" if bad_below is not None else "green")]
    if bad_above is not None:
        steps.append(model.Threshold(value=bad_above, color="red"))
    if bad_below is not None:
        steps.append(model.Threshold(value=bad_below, color="green"))
    limits = dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)
    last = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    panel = _described(stat.Panel(), title, about, unit, [(query, legend)], width, 4)
    panel = panel.thresholds(limits).reduce_options(last).graph_mode(shapes.BigValueGraphMode.NONE)
    if text is not None:
        panel = panel.text_mode(text)
    return panel


def choice(name, label, query):
    """A variable for the values of a label. All of them, unless the reader chooses some."""
    variable = dashboard.QueryVariable(name).label(label).query(query).datasource(SOURCE)
    variable = variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
    return variable.multi(True).include_all(True).all_value(".+")


def board(uid, title, about, variables, rows):
    """A dashboard: rows of panels, with the variables at its top."""
    page = dashboard.DashboardLink("What to do when an alert fires")
    page = page.url(PAGE).target_blank(True).type(model.DashboardLinkType.LINK)
    built = dashboard.Dashboard(title).uid(uid).description(about).tags(["faregate"]).link(page)
    built = built.time("now-3h", "now").refresh("30s").timezone("browser").tooltip(model.DashboardCursorSync.CROSSHAIR)
    built = built.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    for variable in variables:
        built = built.with_variable(variable)
    numbers = itertools.count(1)
    for name, panels in rows:
        built = built.with_row(dashboard.Row(name).id(next(numbers)))
        for panel in panels:
            built = built.with_panel(panel.id(next(numbers)))
    return built.build()
