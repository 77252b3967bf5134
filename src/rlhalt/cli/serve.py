"""The verb that serves: serve."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from rlhalt.cli import flags
from rlhalt.running.packages import Packages, require

Verb = Callable[..., argparse.ArgumentParser]
_PACKAGES = Packages(("starlette", "uvicorn", "aiohttp", "prometheus_client"), 'pip install "rlhalt[serve]"')


def add(verb: Verb) -> None:
    """Declare the verb."""
    one = verb(
        "serve",
        _serve,
        "an OpenAI-compatible server that cuts another one's responses at τ",
        "rlhalt serve --upstream http://127.0.0.1:8000/v1 --model NAME --calibration FOLDER --threshold 0.8",
        "rlhalt serve --upstream https://host/v1 --model NAME --key UPSTREAM_KEY --reward-model FOLDER --threshold 0.5",
    )
    one.add_argument("--upstream", metavar="URL", required=True, type=flags.text, help="as http://127.0.0.1:8000/v1")
    one.add_argument("--model", metavar="NAME", required=True, type=flags.text, help="its name at the upstream")
    one.add_argument(
        "--calibration",
        metavar="FOLDER",
        help="what `calibrate` wrote; calibration/ in the model's folder if not given",
    )
    one.add_argument(
        "--threshold", type=flags.threshold, required=True, help="the τ of requests that name none themselves"
    )
    one.add_argument(
        "--temperature", type=flags.at_least_0,
        help="of requests that name none; needed where several temperatures were calibrated",
    )  # fmt: skip
    one.add_argument(
        "--weights", metavar="FOLDER", help="the model's folder, where its name is no path on this machine"
    )
    one.add_argument(
        "--reward-model",
        metavar="FOLDER",
        help="where the reward model lies here, of a calibration by `reward`; where that says if not given",
    )
    flags.domain(one, "the domain that was calibrated")
    group = one.add_argument_group("the server")
    group.add_argument("--host", type=flags.text, default="127.0.0.1", help="where it listens")
    group.add_argument("--port", type=flags.whole(0, 65535), default=8080, help="0 is any free one")
    group.add_argument(
        "--key", metavar="VARIABLE",
        help="the environment variable with the API key that the server holds; else the clients' keys pass through",
    )  # fmt: skip
    group.add_argument("--concurrency", metavar="N", type=flags.count, default=256, help="requests at once")
    group.add_argument("--max-body", metavar="MIB", type=flags.count, default=32, help="of a request or response")
    group.add_argument(
        "--timeout", metavar="S", type=flags.above_0, default=600.0, help="how long the upstream may be silent"
    )
    group.add_argument("--log-bodies", metavar="FILE", help="write all requests and responses there; none if not given")


def _serve(args: argparse.Namespace) -> None:
    require("serve", _PACKAGES)
    from rlhalt.serve.settings import Settings
    from rlhalt.serve.start import Start, serve

    settings = Settings(
        args.upstream,
        args.model,
        concurrency=args.concurrency,
        max_body=args.max_body << 20,
        timeout=args.timeout,
    )
    serve(
        Start(
            args.calibration,
            args.threshold,
            args.temperature,
            args.domain,
            args.weights,
            args.reward_model,
            args.host,
            args.port,
            args.key,
            args.log_bodies,
        ),
        settings,
    )
