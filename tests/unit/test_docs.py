"""What the documents say about alerts and costs, against the files they speak of."""

import re
from pathlib import Path

import pytest

from infra.api_page import page
from infra.cost import BACKUPS, DAYS, READS, TICK_READS, WRITES, month, table

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
    small = month(17)
    assert small.firestore < 0.01
    assert (small.functions, small.pubsub, small.logging) == (0, 0, 0)
    assert small.backups > 0
    more = month(10_000)
    stored = 10_000 * (400 * 1_500 + 4_000) / 1024**3
    by_hand = DAYS * ((10_000 * WRITES - 20_000) * 0.90e-6 + 10_000 * 0.10e-6) + (stored - 1) * 0.15
    assert 10_000 * READS + 24 * 60 * TICK_READS < 50_000
    assert more.firestore == pytest.approx(by_hand)
    assert more.backups == pytest.approx(stored * (14 * 0.03 + 0.15))


def test_the_order_in_which_things_run_out_is_said_rightly() -> None:
    """Each figure is where the free amount is just enough; what is beyond it costs."""
    ticks = 24 * 60
    ends = {
        "documents stored": 1024**3 / (400 * 1_500 + 4_000),
        "documents written": 20_000 / WRITES,
        "documents read": (50_000 - ticks * TICK_READS) / READS,
        "an instance's CPU": (180_000 / DAYS - ticks * 0.3) / (0.2 + 0.1 + 2 / 25),
        "requests": (2_000_000 / DAYS - ticks) / 3,
    }
    text = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
    said = {
        what: float(pairs.replace(",", ""))
        for what, pairs in re.findall(r"^\| ([a-z' A-Z]+) \| .* \| ([\d,]+) pairs", text, re.MULTILINE)
    }

    assert said == {what: pytest.approx(pairs, rel=0.02) for what, pairs in ends.items()}
    assert list(ends.values()) == sorted(ends.values())


def test_the_backups_that_are_paid_are_those_that_terraform_declares() -> None:
    firestore = (ROOT / "infra" / "terraform" / "firestore.tf").read_text(encoding="utf-8")

    assert f'retention = "{BACKUPS * 86_400:.0f}s"' in firestore
    assert "daily_recurrence {}" in firestore
    assert "POINT_IN_TIME_RECOVERY_ENABLED" in firestore


def test_the_apis_page_is_made_from_its_document() -> None:
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == page(), "python -m infra.api_page > docs/api.md"
