"""What the plugin says of itself: `metadata.txt` is the one place where its addresses stand."""

from __future__ import annotations

import configparser
import os
from functools import lru_cache

HERE = os.path.dirname(os.path.realpath(__file__))


@lru_cache(maxsize=1)
def metadata() -> dict[str, str]:
    """The fields of `metadata.txt`, which lies in the plugin's folder, in a checkout above it; empty without it."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read([os.path.join(place, "metadata.txt") for place in (os.path.dirname(HERE), HERE)], encoding="utf-8")
    return dict(parser["general"]) if parser.has_section("general") else {}


def help_url() -> str:
    """The plugin's page in its repository; empty where there is none."""
    repository = metadata().get("repository", "").rstrip("/")
    return f"{repository}/blob/main/docs/plugin.md" if repository else ""
