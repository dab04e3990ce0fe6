"""From a YAML file to the recipe of its kind, with errors that say what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bench.errors import RecipeError, SettingError, did_you_mean
from bench.plugins.settings import describe
from bench.train.recipe.mixture import MixtureRecipe
from bench.train.recipe.prior import Recipe
from bench.train.recipe.restoration import ConditionalRecipe, RestorerRecipe, UnrolledRecipe

RestorationRecipe = ConditionalRecipe | RestorerRecipe | UnrolledRecipe
AnyRecipe = Recipe | RestorationRecipe


def read(path: Path, changes: Mapping[str, Any] | None = None, **overrides: Any) -> AnyRecipe:
    """As ``read_any``, of a training by steps. Raises RecipeError for a fit, which has none."""
    recipe = read_any(path, changes, **overrides)
    if isinstance(recipe, MixtureRecipe):
        raise RecipeError(f"{path}: kind mixture is fitted in one go, and not trained by steps")
    return recipe


def read_any(path: Path, changes: Mapping[str, Any] | None = None, **overrides: Any) -> AnyRecipe | MixtureRecipe:
    """The recipe in a YAML file, of the kind that it names.

    Args:
        path: the file.
        changes: entries by their place, as in {"network.upsample": "pixel_shuffle"}. With another network the recipe
            is no longer held to the number of its ``parameters``.
        overrides: top-level entries in place of the file's; ``steps`` is the length of any.

    Raises RecipeError.
    """
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as a recipe: {error}") from error
    if not isinstance(given, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of name, summary, data, size, network, steps and more")
    given = changed(given, changes or {})
    try:
        model = model_of(str(given.get("kind", "prior")))
        return model.model_validate(
            {**given, **{model.length if k == "steps" else k: v for k, v in overrides.items()}}
        )
    except ValidationError as error:
        raise RecipeError(f"{path}: {describe(error)}") from error
    except SettingError as error:
        raise RecipeError(f"{path}: {error}") from error


def changed(given: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's mapping with entries changed or added. Raises RecipeError where one lies in what is no mapping."""
    given = deepcopy(given)
    for place, value in changes.items():
        *sections, name = place.split(".")
        at: Any = given
        for section in sections:
            at = _entry(at, section, place)
        if not isinstance(at, dict):
            raise RecipeError(f"{place}: what it lies in is no section of the recipe")
        at[name] = value
    if any(place.startswith("network") for place in changes) and "parameters" not in changes:
        given.pop("parameters", None)
    return given


def _entry(at: Any, name: str, place: str) -> Any:
    """The section of that name, made where there is none, or an entry of a list by its number from 0."""
    if isinstance(at, list) and name.isdigit() and int(name) < len(at):
        return at[int(name)]
    if not isinstance(at, dict):
        raise RecipeError(f"{place}: {name} is no section of the recipe")
    return at.setdefault(name, {})


def model_of(kind: str) -> type[AnyRecipe | MixtureRecipe]:
    """The model of recipes of a kind, prior when unsaid. Raises SettingError for a kind that there is not."""
    models: dict[str, type[AnyRecipe | MixtureRecipe]] = {
        "prior": Recipe,
        "conditional": ConditionalRecipe,
        "restorer": RestorerRecipe,
        "unrolled": UnrolledRecipe,
        "mixture": MixtureRecipe,
    }
    if kind not in models:
        raise SettingError(f"no kind {kind!r} of training. {did_you_mean(kind, models)}")
    return models[kind]
