"""What is there, beside what is asked: each check gives findings, none raises."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from rlhalt.chat.plain import training_template
from rlhalt.doctor import memory
from rlhalt.doctor.disk import examine_disk
from rlhalt.doctor.dry_run import parsed
from rlhalt.doctor.finding import Finding, Verdict
from rlhalt.doctor.plan import Plan
from rlhalt.errors import InputError, RlhaltError
from rlhalt.models.names import Turns, turns
from rlhalt.training.loggers import names, not_installed

# A server that has not answered by then is not there.
PATIENCE_S = 3.0
_CORE = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


def examine(plan: Plan) -> Iterator[Finding]:
    """All that can be known in seconds."""
    yield _configuration(plan)
    yield from _packages(plan)
    yield from _reports(plan)
    yield from _devices(plan)
    yield from _sizes(plan)
    yield from _turns(plan)
    yield _data(plan)
    if plan.kind == "grpo":
        yield from _generation(plan)
        yield from _judge(plan)


def _configuration(plan: Plan) -> Finding:
    try:
        parsed(plan)
    except (RlhaltError, ValueError, ImportError) as error:
        return Finding("configuration", "fail", " ".join(str(error).split()))
    return Finding("configuration", "pass", f"{plan.config} is one of {plan.kind}")


def _packages(plan: Plan) -> Iterator[Finding]:
    ours = _bounds("rlhalt")
    for name in _CORE:
        yield _package(name, ours.get(name))
    if plan.get("use_vllm"):
        # TRL's own bound is the one that counts: it reaches into vLLM.
        yield _package("vllm", _bounds("trl").get("vllm"))
    if plan.deepspeed:
        yield _package("deepspeed", _bounds("trl").get("deepspeed"))


def _reports(plan: Plan) -> Iterator[Finding]:
    """The packages that log to what `report_to` names; the trainer asks for them only when it is made."""
    for name in names(plan.get("report_to")):
        says = not_installed(name)
        yield Finding("report_to", "fail" if says else "pass", says or name)


def _bounds(package: str) -> dict[str, Requirement]:
    asked = [Requirement(one) for one in importlib.metadata.requires(package) or ()]
    # A package asked for by several extras: the bound of the extra of its own name.
    return {one.name: one for one in asked if one.marker is None or f'extra == "{one.name}"' in str(one.marker)}


def _package(name: str, bound: Requirement | None) -> Finding:
    wanted = str(bound.specifier) if bound else ""
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        # vLLM for CPUs is a distribution of another name.
        if importlib.util.find_spec(name):
            return Finding(name, "warn", f"is there, under another name; expected {wanted or 'any version'}")
        return Finding(name, "fail", f"is not installed: pip install '{name}{wanted}'")
    if bound and not bound.specifier.contains(found, prereleases=True):
        return Finding(name, "fail", f"expected {wanted}, found {found}: pip install '{name}{wanted}'")
    return Finding(name, "pass", found)


def _devices(plan: Plan) -> Iterator[Finding]:
    import torch

    asked = plan.here
    if plan.get("use_cpu"):
        yield Finding("devices", "pass", f"{asked} process(es) on {os.cpu_count()} CPU cores")
        return
    count = torch.cuda.device_count()
    if not count:
        yield Finding("devices", "fail", f"expected {asked} GPU(s), found none; on a CPU: use_cpu: true")
        return
    names = ", ".join(sorted({torch.cuda.get_device_name(one) for one in range(count)}))
    fits: Verdict = "pass" if count >= asked else "fail"
    on = f" a machine, on {plan.machines}" if plan.machines > 1 else ""
    yield Finding("devices", fits, f"{asked} GPU(s) asked for{on}, {count} found: {names}")
    if plan.get("bf16") and not torch.cuda.is_bf16_supported():
        yield Finding("precision", "fail", "this GPU has no bfloat16: bf16: false, fp16: true")


def _sizes(plan: Plan) -> Iterator[Finding]:
    try:
        size = memory.size(plan)
    except InputError as error:
        yield Finding("memory", "fail", str(error))
    except (OSError, ValueError) as error:
        yield Finding("memory", "warn", f"the model's size is not known: {str(error).splitlines()[0]}")
    else:
        yield _memory(plan, size)
        yield examine_disk(plan, size)


def _memory(plan: Plan, size: memory.Size) -> Finding:
    need, (there, where) = memory.estimate(plan, size), _there(plan)
    # One process a GPU; on a CPU all of them share what is there.
    asked = need.total * (plan.here if plan.get("use_cpu") else 1)
    parts = f"weights {_gib(need.weights)}, gradients and AdamW {_gib(need.optimiser)}, "
    parts += f"reference {_gib(need.reference)}, " if need.reference else ""
    parts += f"activations {_gib(need.activations)}, runtime {_gib(need.runtime)}"
    says = (
        f"about {_gib(asked)} GiB of {_gib(there)} {where} ({parts}; {size.parameters / 1e9:.2f} billion parameters, "
    )
    says += f"{size.trained / 1e6:.1f} million trained)"
    if not there:
        return Finding("memory", "warn", says)
    verdict: Verdict = "pass" if asked < 0.8 * there else "warn" if asked < there else "fail"
    return Finding("memory", verdict, says)


def _turns(plan: Plan) -> Iterator[Finding]:
    try:
        found = turns(str(plan.get("model_name_or_path")), plan.get("chat_template_kwargs"))
    except InputError as error:
        yield Finding("template", "fail", str(error))
        return
    except (OSError, ValueError) as error:
        yield Finding("template", "warn", f"the tokenizer is not known: {str(error).splitlines()[0]}")
        return
    try:
        yield Finding("template", "pass", _template(found, plan.get("base_template")))
    except InputError as error:
        yield Finding("template", "fail", str(error))
    yield Finding("tokens", "pass", f"a turn ends with {' or '.join(found.ends)}; padded with {found.pad}")


def _template(found: Turns, base_template: str | None) -> str:
    """Where the chat template comes from."""
    if found.own_template:
        return "the model's own"
    training_template(base_template, "the model")
    return f"{base_template}, since the model has none"


def _there(plan: Plan) -> tuple[float, str]:
    import torch

    if plan.get("use_cpu"):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")), "of this machine"
    if not torch.cuda.device_count():
        return 0.0, "of a GPU that is not here"
    free = min(torch.cuda.mem_get_info(one)[0] for one in range(torch.cuda.device_count()))
    whole = torch.cuda.get_device_properties(0).total_memory
    served = plan.get("use_vllm") and plan.get("vllm_mode", "colocate") == "colocate"
    # An engine that sleeps gives its memory back while the policy is trained.
    kept = float(plan.get("vllm_gpu_memory_utilization", 0.3)) if served else 0.0
    return free - (0.0 if plan.get("vllm_enable_sleep_mode") else kept * whole), "free on the smallest GPU"


def _gib(count: float) -> str:
    return f"{count / 2**30:.1f}"


def _data(plan: Plan) -> Finding:
    file = plan.get("train_file")
    if not file:
        return Finding("data", "warn", "no train_file given: --train_file FILE")
    if not Path(file).is_file():
        return Finding("data", "fail", f"expected JSON lines in {file}, found no such file")
    with Path(file).open("rb") as lines:
        count = sum(1 for _ in lines)
    return Finding("data", "pass" if count else "fail", f"{count} rows in {file}")


def _generation(plan: Plan) -> Iterator[Finding]:
    if not plan.get("use_vllm"):
        yield Finding("generation", "warn", "with transformers, which is slow: use_vllm: true where vLLM runs")
        return
    if plan.get("vllm_mode", "colocate") != "server":
        yield Finding("generation", "pass", "vLLM in the trainer's own processes")
        return
    if plan.get("use_cpu"):
        yield Finding(
            "generation", "fail", "new weights go to a server over NCCL, from GPU to GPU: vllm_mode: colocate"
        )
        return
    host, port = plan.get("vllm_server_host", "0.0.0.0"), plan.get("vllm_server_port", 8000)
    address = str(plan.get("vllm_server_base_url") or f"http://{host}:{port}").rstrip("/")
    yield _answers("vLLM server", f"{address}/health", None, "start it first, see the head of the configuration")
    yield _free(int(plan.get("vllm_group_port", 51216)))


def _free(port: int) -> Finding:
    with socket.socket() as one:
        try:
            one.bind(("", port))
        except OSError:
            return Finding("port", "fail", f"{port}, over which weights are sent, is taken: vllm_group_port: …")
    return Finding("port", "pass", f"{port}, over which weights are sent, is free")


def _judge(plan: Plan) -> Iterator[Finding]:
    from rlhalt.domains import load_domain

    try:
        asks = load_domain(str(plan.get("domain"))).asks_a_model
    except InputError as error:
        yield Finding("domain", "fail", str(error))
        return
    if not asks:
        yield Finding("domain", "pass", f"'{plan.get('domain')}' asks no language model")
    elif not plan.get("judge_address"):
        yield Finding("judge", "fail", f"'{plan.get('domain')}' asks a language model: judge_address: http://…/v1")
    else:
        key = os.environ.get(str(plan.get("judge_key", "OPENAI_API_KEY")))
        yield _answers(
            "judge", f"{str(plan.get('judge_address')).rstrip('/')}/models", key, "start it, or correct judge_address"
        )


def _answers(about: str, address: str, key: str | None, repair: str) -> Finding:
    request: Any = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S):
            return Finding(about, "pass", f"{address} answers")
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return Finding(about, "fail", f"{address} refuses the key ({error.code})")
        # It is there, and does not know this page: not every server lists its models.
        return Finding(about, "warn", f"{address} answers with {error.code}")
    except (OSError, ValueError) as error:
        return Finding(about, "fail", f"{address} does not answer ({error}): {repair}")
