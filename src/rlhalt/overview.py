"""What there is to choose from: domains, methods, styles, recipes, models. `rlhalt list` prints it."""

from __future__ import annotations

from typing import get_args


def overview() -> dict[str, list[str]]:
    """The names by kind."""
    from rlhalt.domains.domain import domain_names
    from rlhalt.embedded import SOURCES
    from rlhalt.recipes.recipe import recipe_names
    from rlhalt.training_data.preferences.methods import PREFERENCES
    from rlhalt.training_data.styles import Style
    from rlhalt.training_data.targets.methods import METHODS

    return {
        "domains": domain_names(),
        "methods": list(METHODS),
        "preferences": list(PREFERENCES),
        "styles": list(get_args(Style)),
        "recipes": recipe_names(),
        "models": sorted(SOURCES),
    }


def not_installed() -> dict[str, str]:
    """The domains whose packages are not installed here, each with the command that installs them."""
    from rlhalt.domains.domain import domain_names, needed, read_domain

    lacking = {name: [one for one in needed(read_domain(name)) if one.missing] for name in domain_names()}
    return {
        name: " && ".join(one.install or f"needs {' and '.join(one.missing)}" for one in found)
        for name, found in lacking.items()
        if found
    }
