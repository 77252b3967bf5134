# Sourced by quickstart and test: a virtual environment with pinned dependencies, made once, checked in a moment.
# PYTHON chooses the interpreter (3.11 or newer), RLHALT_VENV the folder.
PYTHON=${PYTHON:-python3}
VENV=${RLHALT_VENV:-.venv}

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "rlhalt needs Python 3.11 or newer; found $("$PYTHON" --version). Set PYTHON=/path/to/python3.11" >&2
    exit 2
}
wanted=$(cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum | cut -c1-16)
if [ "$(cat "$VENV/.rlhalt" 2>/dev/null)" != "$wanted" ]; then
    echo "setting up $VENV (once, a minute or two) ..." >&2
    [ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
    echo "$wanted" > "$VENV/.rlhalt"
fi
