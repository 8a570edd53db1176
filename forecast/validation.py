"""YAML into frozen models: unknown keys, double keys and impossible values are one sentence each."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from data_pipeline.config import UNKNOWN_KIND
from data_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

T = TypeVar("T", bound=BaseModel)

EXAMPLE = "sphercast config show planet"
"""The command that shows what is expected, of experiments."""


def validated(model: type[T], values: dict[str, Any], path: str | Path, example: str = EXAMPLE) -> T:
    """``values`` as a ``model``, or a ConfigError that names every problem; ``path`` is where they come from."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path}: {described(error, model, example)}") from error


def described(error: ValidationError, model: type[BaseModel], example: str = EXAMPLE) -> str:
    """Every problem of values that are no ``model``, in one line."""
    return "; ".join(_describe(each, model, example) for each in error.errors() if not follows(each))


def follows(problem: Any) -> bool:
    """Whether a problem only follows from others: pydantic counts what is left of a list without its bad items."""
    return problem["type"] == "too_short" and bool(problem["input"])


def parse_yaml(text: str, path: str | Path, example: str = EXAMPLE) -> dict[str, Any]:
    """The mapping that a YAML text is, or a ConfigError that names the command of an ``example``."""
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
        raise ConfigError(f"{path} holds {found}, expected keys and values; see '{example}'")
    return values


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets the last of two equal keys win in silence; here it is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for position, (key, _) in enumerate(node.value):
            if key.value in keys[:position]:
                raise yaml.constructor.ConstructorError(problem=f"key {key.value!r} twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


def _describe(problem: Any, model: type[BaseModel], example: str) -> str:
    place, keys = _place(problem["loc"], model)
    if misnamed := _misnamed(problem, place, keys, example):
        return misnamed
    if problem["type"] == "missing":
        return f"missing key {place!r}; add it"
    if problem["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        return f"{place}: expected keys with values, got {problem['input']!r}; see '{example}'"
    message: str = problem["msg"].removeprefix("Value error, ")
    if place == "config":
        return message
    whole = problem["type"] == "value_error" and isinstance(problem["input"], dict)  # whose message says what matters
    complete = whole or message.startswith("got ")
    return f"{place}: {message}" if complete else f"{place}: {message}, got {problem['input']!r}; mend it"


def _misnamed(problem: Any, place: str, keys: Sequence[str], example: str) -> str | None:
    """Of a key or a kind that there is not."""
    match problem["type"]:
        case kind if kind == UNKNOWN_KIND:
            return f"{place}: {problem['msg']}"
        case "extra_forbidden":
            return _unknown(place, keys)
        case "literal_error" if problem["loc"][-1] == "[key]":
            return _unknown(place.removesuffix(".[key]"), _choices(problem["ctx"]["expected"]))
        case "union_tag_not_found":
            return f"{place} has no 'kind', got {problem['input']!r}; add it, see '{example}'"
        case "union_tag_invalid":
            kind, known = problem["ctx"]["tag"], _choices(problem["ctx"]["expected_tags"])
            return f"{place}: got kind {kind!r}, expected one of {', '.join(known)}{_hint(kind, known)}"
    return None


def _unknown(place: str, keys: Sequence[str]) -> str:
    return f"unknown key {place!r}; remove it or mend the spelling{_hint(place.rsplit('.', maxsplit=1)[-1], keys)}"


def _hint(word: str, known: Sequence[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _choices(text: str) -> list[str]:
    """Those that pydantic lists in quotes."""
    return re.findall(r"'([^']+)'", text)


def _place(loc: Sequence[int | str], model: type[BaseModel]) -> tuple[str, list[str]]:
    """A problem's place as in the file, without pydantic's names of the kinds, and the keys that may stand there."""
    parts: list[str] = []
    here = models = [model]
    for part in loc:
        of_kind = [one for one in models if "kind" in one.model_fields and one.model_fields["kind"].default == part]
        if of_kind and parts and not any(part in one.model_fields for one in models):
            models = here = of_kind
            continue
        parts.append(str(part))
        here = models
        if isinstance(part, str):
            fields = [one.model_fields[part] for one in models if part in one.model_fields]
            models = [inner for field in fields for inner in _models(field.annotation)]
    return ".".join(parts) or "config", [key for one in here for key in one.model_fields]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
