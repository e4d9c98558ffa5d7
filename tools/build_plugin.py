"""Build the plugin's zip, or an unpacked or linked folder of it for development.

    python tools/build_plugin.py                      # dist/search_imagery_by_text-VERSION.zip
    python tools/build_plugin.py --folder build/qgis  # build/qgis/search_imagery_by_text, for QGIS_PLUGINPATH
    python tools/build_plugin.py --link build/qgis    # the same as links, so that edits show after a reload

The mapping from repository to plugin lies here and nowhere else. The zip is reproducible: sorted, with fixed times.
"""

from __future__ import annotations

import argparse
import ast
import configparser
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tools"))
from translations import compile_file  # noqa: E402  tools are scripts, not a package

NAME = "search_imagery_by_text"
LIMIT = 25_000_000  # bytes; plugins.qgis.org refuses more
LEFT_OUT = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache")
# the index on a Ray cluster: nothing in QGIS asks for it
MODULES_LEFT_OUT = ("rsvlm_core/index/cluster.py",)
SUFFIXES_LEFT_OUT = (".pyc", ".pyo", ".ts", ".orig", "ruff.toml", ".tmp", ".swp", ".DS_Store")
BINARIES = (".so", ".pyd", ".dll", ".dylib", ".exe", ".bin", ".a", ".o")
REQUIRED = ("name", "description", "version", "qgisMinimumVersion", "author", "email", "about", "tracker", "repository")
# what `training_set.py` of the plugin runs; what these import of `training` travels too, nothing else of it
BUILDER = ("training.build.__main__", "training.build.rs_landmarks", "training.build.language_models")
FIXED_TIME = (2020, 1, 1, 0, 0, 0)


def mapping(root: Path = ROOT) -> Iterator[tuple[str, Path]]:
    """Path inside the plugin's folder and file of the repository, for every file that travels.

    A `.qm` is made from the `.ts` that it is mapped to; all other files travel as they are.
    """
    for name in ("metadata.txt", "LICENSE", "requirements.txt", "requirements-light.txt"):
        yield name, root / name
    for folder, prefix in ((root / "qgis_plugin", ""), (root / "rsvlm_core", "backend/rsvlm_core/")):
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(folder)
            if path.relative_to(root).as_posix() in MODULES_LEFT_OUT:
                continue
            if path.is_file() and not path.name.endswith(SUFFIXES_LEFT_OUT) and not set(inner.parts) & set(LEFT_OUT):
                yield prefix + inner.as_posix(), path
    for path in sorted(builder_files(root)):
        yield "backend/" + path.relative_to(root).as_posix(), path
    for path in sorted((root / "qgis_plugin" / "i18n").glob("*.ts")):
        yield f"i18n/{path.stem}.qm", path


def builder_files(root: Path = ROOT) -> set[Path]:
    """The modules of `training` that making a training set needs: `BUILDER`, and what they import at their top."""
    found: set[Path] = set()
    waiting = list(BUILDER)
    while waiting:
        parts = waiting.pop().split(".")
        packages = [root.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1)]
        files = [path / "__init__.py" if path.is_dir() else path.with_suffix(".py") for path in packages]
        for path in files:
            if path not in found:
                found.add(path)
                waiting += [name for name in imports_of(path) if name.split(".")[0] == "training"]
    return found


def imports_of(path: Path) -> Iterator[str]:
    """Modules that a file imports at its top."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def content(inner: str, path: Path) -> bytes:
    """What travels for an entry of `mapping`."""
    return compile_file(path) if inner.endswith(".qm") else path.read_bytes()


def problems(archive: Path) -> list[str]:
    """What plugins.qgis.org would refuse about the structure of a zip; empty when all is well."""
    found = []
    size = archive.stat().st_size
    with zipfile.ZipFile(archive) as contents:
        infos, names = contents.infolist(), contents.namelist()
        if size > LIMIT:
            largest = sorted(infos, key=lambda info: -info.compress_size)[:10]
            found.append(f"{size:,} bytes, above the limit of {LIMIT:,}; the largest files (compressed bytes):")
            found += [f"    {info.compress_size:12,}  {info.filename}" for info in largest]
        tops = {name.split("/")[0] for name in names}
        if tops != {NAME} or not NAME.isidentifier():
            found.append(f"top folders {sorted(tops)}, wanted only {NAME}")
        for name in names:
            parts = name.split("/")
            if name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
                found.append(f"unsafe path {name}")
            if set(parts) & {"__pycache__", "__MACOSX", ".git"} or name.endswith(".pyc"):
                found.append(f"must not travel: {name}")
            if name.lower().endswith(BINARIES):
                found.append(f"compiled binary {name}")
        for needed in ("__init__.py", "metadata.txt", "LICENSE", "requirements.txt", "requirements-light.txt",
                       "backend/rsvlm_core/__init__.py"):
            if f"{NAME}/{needed}" not in names:
                found.append(f"{needed} is missing")
        if f"{NAME}/metadata.txt" in names:
            metadata = configparser.ConfigParser(interpolation=None)
            metadata.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
            metadata.read_string(contents.read(f"{NAME}/metadata.txt").decode("utf-8"))
            general = metadata["general"] if "general" in metadata else {}
            found += [f"metadata.txt lacks {key}" for key in REQUIRED if not general.get(key)]
            if "/" in general.get("author", ""):
                found.append("author has a slash")
            if general.get("icon") and f"{NAME}/{general['icon']}" not in names:
                found.append(f"the icon {general['icon']} is missing")
    return found


def version(root: Path = ROOT) -> str:
    """The plugin's version as metadata.txt has it."""
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(root / "metadata.txt", encoding="utf-8")
    return metadata["general"]["version"]


def write_zip(out: Path, root: Path = ROOT) -> None:
    """Write the zip: entries sorted, times and modes fixed, so equal trees give equal bytes."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for inner, path in sorted(mapping(root)):
            info = zipfile.ZipInfo(f"{NAME}/{inner}", FIXED_TIME)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(info, content(inner, path), compresslevel=9)


def write_folder(parent: Path, link: bool = False, root: Path = ROOT) -> Path:
    """Make `parent/search_imagery_by_text` afresh, as copies or as links; returns it."""
    folder = parent / NAME
    if folder.exists():
        shutil.rmtree(folder)
    for inner, path in mapping(root):
        target = folder / inner
        target.parent.mkdir(parents=True, exist_ok=True)
        if link and path.suffix != ".ts":
            target.symlink_to(path)
        else:
            target.write_bytes(content(inner, path))
    return folder


def main() -> int:
    """Build what is asked for; 1 when the zip would be refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help=f"the zip (default: dist/{NAME}-VERSION.zip)")
    parser.add_argument("--folder", type=Path, help="write an unpacked plugin into this folder instead")
    parser.add_argument("--link", type=Path, help="write a plugin made of links into this folder instead")
    options = parser.parse_args()
    if options.folder or options.link:
        print(write_folder(options.folder or options.link, link=options.link is not None))
        return 0
    out = options.out or ROOT / "dist" / f"{NAME}-{version()}.zip"
    write_zip(out)
    found = problems(out)
    if found:
        print(f"{out} would be refused:", *found, sep="\n  ", file=sys.stderr)
        return 1
    print(f"{out}  {out.stat().st_size:,} bytes of at most {LIMIT:,}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
