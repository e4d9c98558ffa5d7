"""What models there are."""

from __future__ import annotations

from dataclasses import asdict

from rsvlm_core.errors import UsageError
from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.params import Params
from rsvlm_core.model.encoder import ModelInfo

ACTIONS = ("list", "info", "add", "download")


def models(params: Params, context: Context) -> dict[str, object]:
    """List models; tell about one; remember one under a name; or load a published one, which fetches it.

    Parameters: `action` (one of `ACTIONS`, "list" where not given); `name` for all but the list; `target` for "add":
    what the name shall stand for; `published` with the list: name open_clip's models too.

    Returns:
        `models`: a list of the fields of `ModelInfo`; `published`: names as `--model` takes them, where asked for.
    """
    action, name, target = params.choice("action", ACTIONS), params.text("name"), params.text("target")
    published = params.flag("published")
    params.done()
    if (name is None) != (action == "list") or (target is None) != (action != "add"):
        takes = {"list": "no name", "add": "a name and what it stands for"}.get(action, "a name")
        raise UsageError(f"models {action} takes {takes}.", "See rsvlm models --help.")

    from rsvlm_core.model import registry

    infos: list[ModelInfo]
    if name is None:
        infos = registry.list_models()
    elif target is not None:
        infos = [registry.add_model(name, target)]
    elif action == "info":
        infos = [registry.model_info(name)]
    else:
        infos = [context.encoders.get(name, "cpu").info]
    summary: dict[str, object] = {"models": [asdict(info) for info in infos]}
    if published:
        import open_clip

        summary["published"] = [f"open_clip:{'/'.join(pair)}" for pair in open_clip.list_pretrained()]
    return summary
