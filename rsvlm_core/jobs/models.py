"""What models there are."""

from __future__ import annotations

from dataclasses import asdict

from rsvlm_core.errors import UsageError
from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.params import Params

ACTIONS = ("list", "info", "download")


def models(params: Params, context: Context) -> dict[str, object]:
    """List models, or load one: a published one is thereby fetched into the local cache.

    Parameters: `action` ("list", "info", "download"; the first where not given), and for the last two `name`.

    Returns:
        `models`: a list of the fields of `ModelInfo`.
    """
    action, name = params.choice("action", ACTIONS), params.text("name")
    params.done()
    if (name is None) != (action == "list"):
        raise UsageError(f"models {action} takes {'no' if name else 'a'} model's name.", "See `rsvlm models --help`.")

    from rsvlm_core.model import registry

    if name is None:
        return {"models": [asdict(info) for info in registry.list_models()]}
    known = [info for info in registry.list_models() if info.id == name] if action == "info" else []
    return {"models": [asdict(info) for info in known or [context.encoders.get(name, "cpu").info]]}
