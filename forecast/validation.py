"""YAML into frozen models: unknown keys, double keys and impossible values are one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from data_pipeline.config import UNKNOWN_KIND
from data_pipeline.errors import ConfigError
from data_pipeline.sources import SOURCES

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T", bound=BaseModel)


def validated(model: type[T], values: dict[str, Any], path: str | Path) -> T:
    """``values`` as a ``model``, or a ConfigError that names every problem; ``path`` is where they come from."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_describe(problem) for problem in error.errors())
        raise ConfigError(f"{path}: {problems}") from error


def parse_yaml(text: str, path: str | Path) -> dict[str, Any]:
    """The mapping that a YAML text is, or a ConfigError."""
    try:
        values = yaml.load(text, _UniqueKeys)
    except (yaml.YAMLError, ValueError) as error:  # the latter for dates that do not exist
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or (
            error if isinstance(error, ValueError) else "it holds a character that cannot be"
        )
        raise ConfigError(f"{path} is not valid YAML{place}: {problem}; mend it") from error
    if not isinstance(values, dict):
        found = type(values).__name__ if values is not None else "nothing"
        raise ConfigError(f"{path} holds {found}, expected keys and values; see 'sphercast config show planet'")
    return values


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets the last of two equal keys win in silence; here it is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for position, (key, _) in enumerate(node.value):
            if key.value in keys[:position]:
                raise yaml.constructor.ConstructorError(problem=f"key {key.value!r} twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


def _describe(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"] if part not in SOURCES) or "config"
    if problem["type"] == UNKNOWN_KIND:
        return f"{place}: {problem['msg']}"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {place!r}; remove it or mend the spelling"
    if problem["type"] == "missing":
        return f"missing key {place!r}; add it"
    if problem["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        return f"{place}: expected keys with values, got {problem['input']!r}; see 'sphercast config show planet'"
    message = problem["msg"].removeprefix("Value error, ")
    return message if place == "config" else f"{place}: {message}, got {problem['input']!r}; mend it"
