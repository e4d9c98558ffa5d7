"""Is everything here that the engine needs?"""

from __future__ import annotations

from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.params import Params


def check(params: Params, context: Context) -> dict[str, object]:
    """Examine the environment, a smoke embedding included.

    Parameters: optionally `model`, `device`.

    Returns:
        What `rsvlm_core.doctor.Report.as_json` gives, and `text`: the same for reading.
    """
    model = params.model()
    params.done()

    from rsvlm_core.doctor import examine

    report = examine(context.encoders, *model)
    return {**report.as_json(), "text": report.as_text()}
