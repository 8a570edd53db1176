"""docs/training.md tells every key of a training, its default, and which of them a resumed run may change."""

from __future__ import annotations

import re
from pathlib import Path

from forecast.training.config import TrainingConfig
from forecast.training.identity import FREE

TEXT = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
SPOKEN = {"true": ["True"], "false": ["False"], "none": ["None", "()"], "where they fit": ["None"]}


def rows() -> dict[str, str]:
    """Defaults as they are written, by key."""
    table = TEXT.split("## Every key")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", table, re.MULTILINE))


def test_every_key_has_its_row() -> None:
    assert set(rows()) == set(TrainingConfig.model_fields)


def test_defaults_are_those_of_the_config() -> None:
    for key, written in rows().items():
        field = TrainingConfig.model_fields[key]
        if field.is_required():
            assert written == "must be given", key
        elif key == "objective":
            assert written == f"`{{kind: {field.default.kind}}}`"
        else:
            bare = written.strip("`")
            assert str(field.default) in SPOKEN.get(bare, [bare]), key


def test_what_may_change_is_named() -> None:
    (sentence,) = re.findall(r"What may be another when a training goes on:(.+?)Anything else", TEXT, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == FREE
