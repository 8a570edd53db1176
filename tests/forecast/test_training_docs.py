"""docs/training.md and docs/model.md tell every key, its default, and which of them a resumed run may change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forecast.config import ModelConfig, SamplerConfig
from forecast.training.config import TrainingConfig
from forecast.training.identity import FREE

if TYPE_CHECKING:
    from pydantic import BaseModel

DOCS = Path(__file__).parents[2] / "docs"
TRAINING = (DOCS / "training.md").read_text(encoding="utf-8")
MODEL = (DOCS / "model.md").read_text(encoding="utf-8")
NONE = ["None", "()"]
SPOKEN = {"true": ["True"], "false": ["False"], "none": NONE, "where they fit": NONE, "the process's": NONE}
TABLES = pytest.mark.parametrize(("section", "text", "config"), [
    ("training", TRAINING, TrainingConfig), ("model", MODEL, ModelConfig), ("sampler", MODEL, SamplerConfig),
])  # fmt: skip


def rows(section: str, text: str) -> dict[str, str]:
    """Defaults as they are written, by key."""
    table = text.split(f"## Every key of `{section}`")[1].split("\n## ", maxsplit=1)[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", table, re.MULTILINE))


@TABLES
def test_every_key_has_its_row(section: str, text: str, config: type[BaseModel]) -> None:
    assert set(rows(section, text)) == set(config.model_fields)


@TABLES
def test_defaults_are_those_of_the_config(section: str, text: str, config: type[BaseModel]) -> None:
    for key, written in rows(section, text).items():
        field, bare = config.model_fields[key], written.strip("`")
        if field.is_required():
            assert written == "must be given", key
        elif key == "objective":
            assert bare == f"{{kind: {field.default.kind}}}"
        elif key == "widths":
            assert bare == str(list(field.default))
        else:
            assert str(field.default) in SPOKEN.get(bare, [bare]), key


def test_what_may_change_is_named() -> None:
    (sentence,) = re.findall(r"What may be another when a training goes on:(.+?)Anything else", TRAINING, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == FREE
