"""The plugin's translations: find what is to be translated, keep the .ts files current, compile them to .qm.

    python tools/translations.py            # bring qgis_plugin/i18n/*.ts up to date and say what is missing

`tools/build_plugin.py` compiles them into the zip; Qt's own tools are not needed. A .ts file is what translators edit
with Qt Linguist. Standard library only.
"""

from __future__ import annotations

import ast
import struct
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "qgis_plugin"
FOLDER = PLUGIN / "i18n"
CONTEXT = "SearchImageryByText"
LANGUAGES = ("de", "es")
MARKERS = ("tr", "mark")
MAGIC = bytes.fromhex("3cb86418caef9c95cd211cbf60a1bddd")
END, TRANSLATION, SOURCE_TEXT, CONTEXT_NAME, COMMENT = 1, 3, 6, 7, 8
HASHES, MESSAGES = 0x42, 0x69


def found_in(path: Path) -> Iterator[str]:
    """Texts that a file marks for translation.

    Raises:
        ValueError: One is not a plain string, so it could never be found.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKERS:
            text = node.args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text.value
            elif node.func.id == "mark" or isinstance(text, (ast.JoinedStr, ast.BinOp)):
                raise ValueError(f"{path}:{node.lineno}: only plain strings can be translated")


def sources(plugin: Path = PLUGIN) -> list[str]:
    """All texts to translate, sorted."""
    return sorted({text for path in plugin.rglob("*.py") for text in found_in(path)})


def read(path: Path) -> dict[str, str]:
    """Source text to translation, finished ones only."""
    found = {}
    for message in ET.parse(path).iter("message"):
        source, translation = message.find("source"), message.find("translation")
        if source is not None and translation is not None and translation.get("type") not in ("unfinished", "vanished"):
            found[source.text or ""] = translation.text or ""
    return found


def write(path: Path, language: str, texts: list[str], known: dict[str, str]) -> None:
    """Write a .ts file with all texts in order; unknown ones are marked unfinished, texts that are gone are dropped."""
    root = ET.Element("TS", version="2.1", language=language, sourcelanguage="en")
    context = ET.SubElement(root, "context")
    ET.SubElement(context, "name").text = CONTEXT
    for text in texts:
        message = ET.SubElement(context, "message")
        ET.SubElement(message, "source").text = text
        translation = ET.SubElement(message, "translation")
        if known.get(text):
            translation.text = known[text]
        else:
            translation.set("type", "unfinished")
    ET.indent(root, " ")
    head = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n'
    path.write_text(head + ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8")


def elf_hash(data: bytes) -> int:
    """The hash by which QTranslator finds a text."""
    value = 0
    for byte in data:
        value = ((value << 4) + byte) & 0xFFFFFFFF
        high = value & 0xF0000000
        if high:
            value ^= high >> 24
        value &= ~high & 0xFFFFFFFF
    return value or 1


def compiled(translations: dict[str, str], context: str = CONTEXT) -> bytes:
    """A .qm file, as QTranslator loads it."""
    messages, hashes = bytearray(), []
    for source, translation in sorted(translations.items()):
        hashes.append((elf_hash(source.encode()), len(messages)))
        for tag, data in (
            (TRANSLATION, translation.encode("utf-16-be")), (COMMENT, b""),
            (SOURCE_TEXT, source.encode()), (CONTEXT_NAME, context.encode()),
        ):
            messages += struct.pack(">BI", tag, len(data)) + data
        messages.append(END)
    table = b"".join(struct.pack(">II", value, offset) for value, offset in sorted(hashes))
    sections = ((HASHES, table), (MESSAGES, bytes(messages)))
    return MAGIC + b"".join(struct.pack(">BI", tag, len(data)) + data for tag, data in sections)


def compile_file(path: Path) -> bytes:
    """The .qm of a .ts file."""
    return compiled(read(path))


def main() -> int:
    """Bring all languages up to date; 1 when something is untranslated."""
    texts, missing = sources(), 0
    for language in LANGUAGES:
        path = FOLDER / f"search_imagery_by_text_{language}.ts"
        known = read(path) if path.exists() else {}
        write(path, language, texts, known)
        lacking = [text for text in texts if not known.get(text)]
        missing += len(lacking)
        print(f"{path.relative_to(ROOT)}: {len(texts) - len(lacking)} of {len(texts)} texts translated")
        for text in lacking:
            print(f"    {text!r}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
