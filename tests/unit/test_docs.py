"""What the documents say about alerts and costs, against the files they speak of."""

import re
from pathlib import Path

import pytest

from infra.api_page import page
from infra.cost import DAYS, READS, TICK_READS, WRITES, month, table

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
MONITORING = (ROOT / "infra" / "terraform" / "monitoring.tf").read_text(encoding="utf-8")


def test_every_alert_has_its_chapter_and_every_chapter_its_alert() -> None:
    titles = set(re.findall(r'^      title\s+= "(.*)"$', MONITORING, re.MULTILINE))
    alerts = RUNBOOK.split("## The alerts")[1].split("\n## ")[0]

    assert len(titles) == 7
    assert set(re.findall(r"^### (.*)$", alerts, re.MULTILINE)) == titles


def test_the_table_of_costs_is_the_scripts() -> None:
    assert table() in (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")


def test_costs_count_what_is_above_the_free_tier() -> None:
    assert month(17).total == 0
    assert month(1_000).firestore == pytest.approx(0, abs=0.01)
    more = month(10_000).firestore
    assert more > 0
    by_hand = DAYS * ((10_000 * WRITES - 20_000) * 0.90e-6) + (10_000 * (400 * 2_500 + 4_000) / 1024**3 - 1) * 0.15
    assert 10_000 * READS + 24 * 60 * TICK_READS < 50_000
    assert more == pytest.approx(by_hand)


def test_the_first_thing_to_run_out_is_said_rightly() -> None:
    assert pytest.approx(3_300, rel=0.02) == 20_000 / WRITES


def test_the_apis_page_is_made_from_its_document() -> None:
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == page(), "python -m infra.api_page > docs/api.md"
