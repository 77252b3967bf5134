"""The checks at start, and the server process.

All that can be wrong is found before the first request: a calibration of another model, domain or decoding, an upstream
that is down or gives no log-probabilities where they are needed, another reward model, a port that is in use.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import socket
import sys
from pathlib import Path

import uvicorn

from rlhalt.cut.calibration import Calibration, calibration_file
from rlhalt.cut.calibration import read as read_calibration
from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.llm.calls import Server
from rlhalt.models.names import identity
from rlhalt.records import Json
from rlhalt.rewards import check_threshold
from rlhalt.running.heartbeat import silent
from rlhalt.serve import probe
from rlhalt.serve.app import make_app
from rlhalt.serve.scoring import judge
from rlhalt.serve.settings import Defaults, EndpointName, Settings
from rlhalt.serve.upstream import Upstream, UpstreamFailure

_OPENAI_KEY = "OPENAI_API_KEY"
_GRACE_S = 10
# Clients and balancers keep connections for about a minute; one that closes as a request arrives is an error of theirs.
_KEEP_ALIVE_S = 75


@dataclasses.dataclass(frozen=True)
class Start:
    """What the command line says, beside `Settings`.

    Attributes:
        calibration: the file or its folder; in the model's folder if None.
        threshold: τ where a request names none.
        temperature: of requests that name none; the calibrated one if None, which must then be one.
        domain: the calibrated domain, where it is a folder; by its name if None.
        weights: the folder of the model that the upstream serves, where its name does not say it.
        reward_model: the folder of the reward model that the calibration is by; where the calibration says if None.
        host, port: where the server listens; port 0 is any that is free.
        key_variable: the environment variable with the key that the server holds; None for the clients' keys.
        log: the file for bodies, None for none.
    """

    calibration: str | None
    threshold: float
    temperature: float | None = None
    domain: str | None = None
    weights: str | None = None
    reward_model: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    key_variable: str | None = None
    log: str | None = None


def serve(start: Start, settings: Settings) -> None:
    """Serve until the process is stopped.

    Raises:
        InputError: see the module.
    """
    check_threshold(start.threshold)
    # Checks the address.
    Server(settings.upstream, settings.model)
    settings = dataclasses.replace(settings, key=_key(start.key_variable))
    path = calibration_file(start.weights or settings.model, start.calibration)
    calibration = _placed(read_calibration(path), start.reward_model)
    domain = load_domain(start.domain or calibration.domain)
    splitter = domain.splitter()
    temperature = _temperature(start.temperature, calibration, path)
    examples = tuple(domain.few_shot()) if calibration.few_shot else ()
    log = Path(start.log) if start.log else None
    if log:
        # An unwritable file is an error of the start.
        log.open("a").close()
    listening = _listen(start.host, start.port)
    by_tokens = calibration.by != "reward"
    entry, unasked = asyncio.run(_probed(settings, settings.key or os.environ.get(_OPENAI_KEY, ""), by_tokens))
    served = _served(start.weights, settings.model, entry, calibration)
    calibration.check(served, splitter, few_shot=examples, template_args=calibration.template_args, path=path)
    temperatures = tuple(one.temperature for one in calibration.fits)
    defaults = Defaults(
        settings.model, start.threshold, temperature, temperatures, examples, calibration.template_args, unasked,
        by_tokens,
    )  # fmt: skip
    # Behind all checks: a reward model takes long to load.
    app = make_app(settings, defaults, judge(splitter, calibration), log)
    logging.getLogger("uvicorn.error").addFilter(_expected)
    # The key and the bodies are in no log: uvicorn writes what goes wrong, and this line.
    port = listening.getsockname()[1]
    print(
        f"serving {settings.model} of {settings.upstream} at τ = {start.threshold:g}: a page to try it at "
        f"http://{_shown(start.host)}:{port}, for clients http://{_shown(start.host)}:{port}/v1",
        flush=True,
    )
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, date_header=False,
        timeout_graceful_shutdown=_GRACE_S, timeout_keep_alive=_KEEP_ALIVE_S, ws="none",
    )  # fmt: skip
    with silent():
        uvicorn.Server(config).run(sockets=[listening])


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _key(variable: str | None) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InputError(
            f"expected an environment variable with the API key, found none named {variable}", field="--key"
        )
    if not key.isprintable() or not key.isascii():
        raise InputError(f"expected a key of plain characters in {variable}, found others", field="--key")
    return key


def _temperature(given: float | None, calibration: Calibration, path: Path) -> float:
    known = [one.temperature for one in calibration.fits]
    if not known:
        raise InputError("expected at least one temperature, found none", path=path, field="fits")
    if given is not None:
        calibration.at(given)
        return given
    if len(known) > 1:
        shown = ", ".join(f"{one:g}" for one in known)
        raise InputError(f"expected one of the calibrated temperatures ({shown}), found none", field="--temperature")
    return known[0]


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens, so that a port in use is found before the server starts."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise InputError(
            f"expected a free port, found {host}:{port} cannot be used: {error.strerror or error}; choose another one",
            field="--port",
        ) from None
    found.set_inheritable(True)
    return found


def _placed(calibration: Calibration, reward_model: str | None) -> Calibration:
    """A calibration with the place that its reward model has on this machine, if it is by one."""
    if calibration.by != "reward":
        if reward_model is not None:
            raise InputError(f"expected none with a calibration by {calibration.by}, found one", field="--reward-model")
        return calibration
    folder = reward_model or calibration.reward_model
    if not folder or not Path(folder).is_dir():
        raise InputError(
            f"expected the folder of the reward model that the calibration is by, found none at {folder!r}; say where "
            "it lies",
            field="--reward-model",
        )
    return dataclasses.replace(calibration, reward_model=folder)


async def _probed(settings: Settings, key: str, by_tokens: bool) -> tuple[Json, dict[EndpointName, str]]:
    upstream = Upstream(dataclasses.replace(settings, key=""))
    try:
        entry = await probe.listed(upstream, settings, key)
        return entry, await probe.log_probabilities(upstream, settings, key) if by_tokens else {}
    finally:
        await upstream.close()


def _served(weights: str | None, model: str, entry: Json, calibration: Calibration) -> str:
    """What the upstream serves, as a calibration names models.

    Its weights are read where they are on this machine: in the folder that the user names, or at the path that the
    upstream says (`root`, as vLLM does) or is named by. Elsewhere names are compared, which is all that there is.
    """
    root = entry.get("root") if isinstance(entry.get("root"), str) else None
    if weights is not None and not Path(weights).is_dir():
        raise InputError(f"expected the folder of the model, found none at {weights}", field="--weights")
    for one in (weights, root, model):
        if one and "@" in (found := identity(one)):
            return found
    named = calibration.model.partition("@")[0]
    if calibration.model in (model, root) or named in (Path(model).name, Path(root or model).name):
        if "@" in calibration.model:
            print(
                f"rlhalt: the weights of {model} are not on this machine; the calibration is taken for theirs by name "
                "(--weights FOLDER compares them)",
                file=sys.stderr,
            )
        return calibration.model
    return root or model


class _Expected(logging.Filter):
    """Drops the traceback of a response that broke off because the upstream did: the client has seen it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], UpstreamFailure))


_expected = _Expected()
