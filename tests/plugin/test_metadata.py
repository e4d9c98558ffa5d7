"""What the plugin says of itself, where every place says the same."""

import configparser
import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "qgis_plugin"


@pytest.fixture(scope="module")
def metadata():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "metadata.txt", encoding="utf-8")
    return parser["general"]


def test_addresses_are_of_one_repository(metadata):
    repository = metadata["repository"].rstrip("/")
    assert repository.startswith("https://") and metadata["homepage"].startswith(repository)
    assert metadata["tracker"] == repository + "/issues"
    assert "/" not in metadata["author"] and re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", metadata["email"])


def test_no_other_file_of_the_plugin_names_an_address_of_the_project(metadata):
    """So that one file changes when the project moves; what is left are hosts of others."""
    found = {(path.name, host) for path in PLUGIN.rglob("*.py")
             for host in re.findall(r"https?://([\w.-]+)", path.read_text(encoding="utf-8"))}
    assert found == {("environment.py", "download.pytorch.org")}


def test_help_leads_to_a_page_that_the_repository_has(protocol, metadata):
    about = importlib.import_module(sys.modules[protocol.__name__].__package__ + ".about")
    assert about.metadata()["name"] == metadata["name"]
    address = about.help_url()
    assert address.startswith(metadata["repository"])
    assert (ROOT / address.split("/blob/main/")[1]).is_file()


def test_icon_versions_and_licence_are_there(metadata):
    assert (PLUGIN / metadata["icon"]).is_file() and (ROOT / "LICENSE").is_file()
    assert metadata["version"] in metadata["changelog"]
    assert f"version = \"{metadata['version']}\"" in (ROOT / "pyproject.toml").read_text() or (
        metadata["version"] in (ROOT / "rsvlm_core" / "__init__.py").read_text())
