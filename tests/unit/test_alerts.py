"""The alerts: what they count is what is counted, and they fire when they should and not otherwise."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.programs import need

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "infra" / "terraform"
MONITORING = (TERRAFORM / "monitoring.tf").read_text(encoding="utf-8")
METRICS: Mapping[str, Any] = json.loads((TERRAFORM / "metrics.json").read_text(encoding="utf-8"))
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
TITLES = re.findall(r'^      title\s+= "(.*)"$', MONITORING, re.MULTILINE)


def test_every_metric_an_alert_or_a_chart_asks_for_is_counted() -> None:
    asked = set(re.findall(r"user/\$\{local\.prefix\}/(\w+)", MONITORING))
    asked |= set(re.findall(r"local\.(?:lines|hourly)\.(\w+)", MONITORING))

    assert asked <= set(METRICS)
    assert {"messages_sent", "messages_refused", "ticks", "gate_closed", "outcomes_lost", "latency"} <= asked


def test_every_label_an_alert_or_a_chart_groups_by_is_kept_of_its_metric() -> None:
    found = re.findall(r"user/\$\{local\.prefix\}/(\w+)\W(?:(?!user/).)*?metric\.labels?\.(\w+)", MONITORING, re.DOTALL)

    assert len(found) >= 5
    for metric, label in found:
        assert label in METRICS[metric]["labels"], f"{metric} keeps no label {label}"


def test_the_dashboard_shows_what_an_operator_asks() -> None:
    shown = set(re.findall(r'type = "logging\.googleapis\.com/user/\$\{local\.prefix\}/(\w+)"', MONITORING))

    assert shown == {
        "broadcasts",
        "messages_sent",
        "messages_refused",
        "messages_unconfirmed",
        "throttled",
        "resends_refused",
        "ticks",
        "gate_closed",
    }
    for widget in (
        "Seconds from claim to message",
        "Events not yet delivered, and dead letters",
        "Age of the last tick",
    ):
        assert widget in MONITORING
    assert 'for percentile in ["50", "95", "99"]' in MONITORING


def test_every_alert_links_to_its_own_chapter_of_the_runbook() -> None:
    """By the rule of the sites that show Markdown: lower case, punctuation goes, a space is a hyphen."""
    assert '"${var.runbook}#${replace(replace(lower(alert.title), "/[^a-z0-9 -]/", ""), " ", "-")}"' in MONITORING
    headings = re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
    anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]

    for title in TITLES:
        assert anchors.count(re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")) == 1


# --- the queries, on Prometheus's own engine ----------------------------------------------------------------------------

PREFIX = "broadcast_manager"
PROM = f"logging_googleapis_com:user_{PREFIX}_"
"""How Cloud Monitoring names a log-based metric in PromQL."""


def template(local: str) -> str:
    """How monitoring.tf makes the PromQL of a metric."""
    found = re.search(rf'^  {local}\s+= \{{ for .* => "(.*)" \}}$', MONITORING, re.MULTILINE)
    assert found is not None
    return found[1].replace('\\"', '"')


def query(source: str) -> str:
    """A query of monitoring.tf with its locals put in."""
    lines = {name: template("lines").replace("${local.prom}", PREFIX).replace("${name}", name) for name in METRICS}
    known = {"lines": lines, "hourly": {name: template("hourly").replace("${line}", lines[name]) for name in METRICS}}
    return re.sub(r"\$\{local\.(lines|hourly)\.(\w+)\}", lambda m: known[m[1]][m[2]], source)


def alert(name: str) -> str:
    """The query of an alert."""
    found = re.search(rf'{name} = \{{\n(?:.*\n)*?\s+query\s+= "(.*)"\n', MONITORING)
    assert found is not None
    return query(found[1])


AGE = re.search(r'prometheusQuery = "(.*)"', MONITORING)


def evaluate(folder: Path, expression: str, series: Mapping[str, str], *, minute: int, expected: float | None) -> None:
    """Fails unless the expression gives this one value, or nothing, at this minute of series with a point a minute."""
    sample = [] if expected is None else [{"value": expected, "labels": "{}"}]
    test = {
        "rule_files": [],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f'{PROM}{name}{{monitored_resource="cloud_run_revision"}}', "values": values}
                    for name, values in series.items()
                ],
                "promql_expr_test": [{"expr": expression, "eval_time": f"{minute}m", "exp_samples": sample}],
            }
        ],
    }
    file = folder / "test.json"  # YAML takes JSON
    file.write_text(json.dumps(test))
    done = subprocess.run([need("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.server
@pytest.mark.parametrize(
    ("series", "fires"),
    [
        ({"messages_sent": "0+10x60", "messages_refused": "0+2x60"}, 2 / 12),
        ({"messages_sent": "0+20x60", "messages_refused": "0+2x60"}, None),
        ({"messages_refused": "0+1x60"}, 1.0),
        ({"messages_sent": "0+1x60"}, None),
        ({"messages_refused": "0x57 1 2 3"}, None),
        ({}, None),
    ],
    ids=["17 %", "9 %", "all refused and none sent", "none refused", "3 refused, all there were", "nothing at all"],
)
def test_the_failure_rate_is_of_all_messages_that_came_to_an_end(
    series: dict[str, str], fires: float | None, tmp_path: Path
) -> None:
    evaluate(tmp_path, alert("failures"), series, minute=60, expected=fires)


@pytest.mark.server
@pytest.mark.parametrize(
    ("ticks", "fires"),
    [("0+1x60", None), ("0+1x52 52x8", 0.0), ("0+1x40", 0.0), ("", 0.0), ("0+1x57 57x3", None)],
    ids=["each minute", "a nought a minute", "no points any more", "never", "three minutes without"],
)
def test_missing_ticks_are_noticed_whether_a_silent_metric_has_points_or_not(
    ticks: str, fires: float | None, tmp_path: Path
) -> None:
    series = {"ticks": ticks} if ticks else {}

    evaluate(tmp_path, alert("no_tick"), series, minute=60, expected=fires)


@pytest.mark.server
@pytest.mark.parametrize(
    ("ticks", "age"), [("0+1x60", 0.0), ("0+1x40", 1140.0)], ids=["now", "20 minutes ago, to the minute"]
)
def test_the_chart_goes_on_to_show_how_old_the_last_tick_is(ticks: str, age: float, tmp_path: Path) -> None:
    assert AGE is not None

    evaluate(tmp_path, query(AGE[1]), {"ticks": ticks}, minute=60, expected=age)
