"""The configurations that come with rlhalt: by name, and as files to change.

dpo/8b_lora     configs/dpo/8b_lora.yaml of the checkout, or the copy that an installed wheel carries
"""

from __future__ import annotations

import shutil
from pathlib import Path

from rlhalt.errors import InputError, near

# In a checkout the folder is at the top level; an installed wheel carries it inside the package.
FOLDERS = (Path(__file__).parents[2] / "configs", Path(__file__).parent / "configs")


def config_names() -> list[str]:
    """The configurations by name, as `dpo/8b_lora`."""
    found = {str(path.relative_to(base).with_suffix("")) for base in FOLDERS for path in base.glob("*/*.yaml")}
    return sorted(found)


def config_file(name: str | Path) -> Path:
    """A configuration: a file, or the name of one that comes with rlhalt; the path as given where that is no file.

    Raises:
        InputError: a name that no configuration has; the nearest one is named.
    """
    found = [base / f"{name}.yaml" for base in FOLDERS]
    path = next((one for one in (Path(name), *found) if one.is_file()), Path(name))
    if not path.suffix and not path.exists():
        message = "expected a YAML file or a name that `rlhalt configs` shows, found neither"
        raise InputError(f"{message}{near(name, config_names())}", path=name)
    return path


def copy_configs(to: str | Path) -> list[Path]:
    """Copy all configurations into a folder. Returns the new files.

    Raises:
        InputError: a file of the same name lies there; nothing is copied then.
    """
    files = {Path(to) / f"{name}.yaml": config_file(name) for name in config_names()}
    if there := next((one for one in files if one.exists()), None):
        raise InputError("expected none of the files in the folder, found this one; choose another folder", path=there)
    for copy, file in files.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return list(files)
