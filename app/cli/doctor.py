"""``patchbay doctor``: what is configured, what is found, what answers, what local models can, and what to do next.

Local models are tried by asking them something (see ``local_models``); cloud models never, for that costs money. Only
here a model is tried whether it can call tools (see ``providers.probed``).
"""

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ... import __version__
from ...providers.base import ModelRef, Online, Origin, ProviderConfigError, ProviderStatus
from ...providers.exchanges import ExchangeLog
from ...providers.presets import PRESETS
from ...tools.safe_text import safe_line, safe_text
from ..paths import Paths, find_paths
from ..settings import Settings
from .arguments import ExitCode
from .headless import to_json
from .local_models import Examination, LocalModel, chosen_models, local_model_lines, local_model_row
from .survey import asked, open_directory, prices_line, settings_of

_STATE = {
    Online.ONLINE: "answers",
    Online.UNKNOWN: "not asked",
    Online.OFFLINE: "offline",
    Online.DISABLED: "disabled",
}
_EASIEST_CLOUDS = ("anthropic", "openai", "openrouter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Everything the doctor found."""

    settings: Settings
    paths: Paths
    statuses: tuple[ProviderStatus, ...]
    local_models: tuple[LocalModel, ...] = ()
    """Those that were tried."""
    interrupted: bool = False
    """The person ended it before all were tried."""

    @property
    def usable(self) -> tuple[ProviderStatus, ...]:
        """Providers that can answer now; the demo is none."""
        return tuple(
            status for status in self.statuses if status.online is Online.ONLINE and status.origin is not Origin.DEMO
        )

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do next, most useful first."""
        if self.usable:
            return (f"Start it: patchbay   (or: patchbay --model {self.usable[0].name}/MODEL)",)
        clouds = [PRESETS[name] for name in _EASIEST_CLOUDS]
        return (
            *(f"{each.name}: export {each.key_variable}=...   (get a key at {each.help_url})" for each in clouds),
            f"Without a variable: patchbay login {clouds[0].name} keeps the key",
            "A model on this machine: start Ollama, LM Studio, llama.cpp or vLLM; it is found by itself.",
            f'Any other server: [provider] with kind = "openai" and base_url = "..." in {self.settings.config_file}',
            "Only looking: patchbay --demo needs no model at all.",
        )


def doctor_command(options: argparse.Namespace) -> int:
    """Print the diagnosis; 0 when something can be used, else 1. Raises SettingsError.

    What is being done is told on standard error. Ctrl+C ends it with what is known, and 130.
    """
    settings = settings_of(options)
    try:
        diagnosis = diagnose(settings, os.environ, model=options.model, every=options.all, probe=not options.no_probe)
    except ProviderConfigError as problem:
        sys.stderr.write(f"patchbay: {safe_text(str(problem))}\n")
        return ExitCode.USAGE
    text = to_json(diagnosis_row(diagnosis)) + "\n" if options.json else diagnosis_text(diagnosis)
    sys.stdout.write(text)
    if diagnosis.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if diagnosis.usable else ExitCode.FAILED


def diagnose(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    model: str | None = None,
    every: bool = False,
    probe: bool = True,
) -> Diagnosis:
    """Look at the settings, ask every provider and, with ``probe``, try ``model``, else each local server's first.

    With ``every`` all models of local servers are tried. Raises ``ProviderConfigError`` when ``model`` does not exist
    or is not local.
    """
    return asyncio.run(_diagnose(settings, environ, model, every=every, probe=probe))


async def _diagnose(
    settings: Settings, environ: Mapping[str, str], model: str | None, *, every: bool, probe: bool
) -> Diagnosis:
    log = ExchangeLog()
    async with open_directory(settings, environ, log=log) as directory:
        statuses = await asked(directory, reach=True)
        wished: ModelRef | None = None if model is None else directory.resolve(model)
        examination = Examination(directory, _tell, last_reply=lambda: last_reply(log))
        tried = await examination.all_of(chosen_models(statuses, wished, every=every)) if probe else ()
    return Diagnosis(
        settings=settings,
        paths=find_paths(environ),
        statuses=statuses,
        local_models=tried,
        interrupted=examination.interrupted,
    )


def last_reply(log: ExchangeLog) -> str:
    """The reply to the last request as it came over the wire; empty before the first."""
    kept = log.index()
    last = log.exchange(kept[-1][0]) if kept else None
    return "" if last is None else last.response_body


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """For a person: a few lines on the machine, one paragraph a provider, and the next step."""
    file = diagnosis.settings.config_file
    lines = [
        f"patchbay {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        f"settings  {file}{'' if file.exists() else '  (no such file: defaults)'}",
        f"state     {diagnosis.paths.state_folder}",
        f"models    {prices_line(diagnosis.settings, diagnosis.paths)}",
        *(f"warning   {safe_text(warning)}" for warning in diagnosis.settings.warnings),
        "",
        *(line for status in diagnosis.statuses for line in _provider_lines(status)),
        *_local_lines(diagnosis.local_models),
        "",
        "Next:" if diagnosis.usable else "Nothing can be used yet. Any one of these is enough:",
        *(f"  {line}" for line in diagnosis.advice),
    ]
    return "".join(f"{line}\n" for line in lines)


def diagnosis_row(diagnosis: Diagnosis) -> dict[str, Any]:
    """The same for a program."""
    return {
        "version": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "config_file": str(diagnosis.settings.config_file),
        "config_file_exists": diagnosis.settings.config_file.exists(),
        "state_folder": str(diagnosis.paths.state_folder),
        "warnings": list(diagnosis.settings.warnings),
        "providers": [_provider_row(status) for status in diagnosis.statuses],
        "local_models": [local_model_row(found) for found in diagnosis.local_models],
        "usable": [status.name for status in diagnosis.usable],
        "next": list(diagnosis.advice),
    }


def _local_lines(tried: Sequence[LocalModel]) -> Sequence[str]:
    if not tried:
        return ()
    return ("", "Local models, tried:", *(f"  {line}" for found in tried for line in local_model_lines(found)))


def _provider_lines(status: ProviderStatus) -> Sequence[str]:
    models = (
        f", {len(status.models)} models" if len(status.models) != 1 else f", {safe_line(status.models[0].ref.model)}"
    )
    where = f" at {safe_line(status.base_url)}" if status.base_url else ""
    head = f"{safe_line(status.name)}: {_STATE[status.online]} ({status.origin.value}, {status.dialect}{where}{models})"
    return [head, *(f"    {line}" for line in safe_text(status.problem).splitlines())]


def _provider_row(status: ProviderStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "state": status.online.value,
        "origin": status.origin.value,
        "dialect": status.dialect,
        "local": status.local,
        "base_url": status.base_url,
        "models": [model.ref.model for model in status.models],
        "problem": status.problem,
        "help_url": status.help_url,
    }
