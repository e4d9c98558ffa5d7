"""Private data taken out of what may be pasted into an issue. No Qt here, so it is tested anywhere."""

from __future__ import annotations

import getpass
import os
import re


def redact(text: str) -> str:
    """`text` without home folder, user name, and what stands before an @ in an address."""
    home = os.path.expanduser("~")
    if len(home) > 3:
        text = text.replace(home, "~").replace(home.replace("\\", "/"), "~")
    text = re.sub(r"(//)[^/@\s]+@", r"\1…@", text)
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user in the system's list
        return text
    return re.sub(rf"(?<=[/\\]){re.escape(user)}(?=[/\\]|$)", "…", text) if len(user) > 2 else text
