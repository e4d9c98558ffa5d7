"""Every text in every language, with its placeholders, in files that QTranslator reads."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
import translations  # noqa: E402


@pytest.fixture(scope="module")
def texts():
    return translations.sources()


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_every_text_is_translated_and_keeps_its_placeholders(texts, language):
    known = translations.read(translations.FOLDER / f"search_imagery_by_text_{language}.ts")
    assert not [text for text in texts if not known.get(text)], "run tools/translations.py and translate"
    assert not set(known) - set(texts), "run tools/translations.py: texts are gone"
    for text in texts:
        assert re.findall(r"{[^}]*}", text) == re.findall(r"{[^}]*}", known[text]), text


def test_a_text_that_could_not_be_found_is_refused(tmp_path):
    path = tmp_path / "x.py"
    path.write_text('tr(f"{a} places")\n')
    with pytest.raises(ValueError, match="plain strings"):
        list(translations.found_in(path))


def test_update_keeps_what_is_known_drops_what_is_gone_and_marks_what_is_new(tmp_path):
    path = tmp_path / "x.ts"
    translations.write(path, "de", ["a & b", "new"], {"a & b": "a <u> b", "gone": "weg"})
    assert translations.read(path) == {"a & b": "a <u> b"}
    assert 'type="unfinished"' in path.read_text()


def test_a_qm_file_starts_with_its_magic_number_and_sorts_its_hashes():
    data = translations.compiled({"Search": "Suchen", "Cancel": "Abbrechen"})
    assert data[:16] == translations.MAGIC and data[16] == translations.HASHES
    size = int.from_bytes(data[17:21], "big")
    hashes = [int.from_bytes(data[at:at + 4], "big") for at in range(21, 21 + size, 8)]
    assert hashes == sorted(hashes) and len(hashes) == 2


# what people read, by the call that shows it: how many of its first arguments
SHOWN = {
    **dict.fromkeys((
        "QLabel", "QPushButton", "QCheckBox", "QRadioButton", "QgsCollapsibleGroupBox", "setText", "setToolTip",
        "setPlaceholderText", "setWindowTitle", "setAccessibleName", "setSuffix", "setPrefix", "setSpecialValueText",
        "setTitle", "setStatusTip", "addAction", "addItem", "addItems", "insertItem", "reportError", "pushInfo",
        "pushWarning", "setProgressText", "beginEditCommand", "say", "begin"), 1),
    "BackendError": 2,
    **dict.fromkeys(("addRow", "addTab", "pushMessage", "createMessage", "question", "QAction", "getText",
                     "getExistingDirectory", "fromFunction"), 3),
}
NO_WORDS = {" m²"}  # the same in every language


def unmarked(path):
    """Line and text of every string that a file shows people without marking it for translation."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        of_processing = name.startswith(("QgsProcessingParameter", "QgsProcessingOutput"))  # after their own name
        for argument in node.args[1:2] if of_processing else node.args[:SHOWN.get(name, 0)]:
            listed = argument.elts if isinstance(argument, (ast.List, ast.Tuple)) else [argument]
            for one in listed:
                parts = one.values if isinstance(one, ast.JoinedStr) else [one]
                for part in parts:
                    words = part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""
                    if re.search(r"[^\W\d_]{2}|m²", re.sub(r"<[^>]*>|&\w+;", "", words)) and words not in NO_WORDS:
                        yield node.lineno, words


@pytest.mark.parametrize(
    "path", sorted(translations.PLUGIN.rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_people_read_is_left_unmarked(path):
    assert not list(unmarked(path)), "wrap it in tr()"


def test_a_text_without_a_mark_is_found(tmp_path):
    path = tmp_path / "x.py"
    path.write_text('QLabel("Hello")\nbox.addItems(["+", "one"])\nself.words.setText(f"{n} places")\n'
                    'raise BackendError(tr("a b"), "Do it.", "usage")\n'
                    'QgsProcessingParameterString("TEXT", "What")\nQLabel(tr("good"))\nbox.setText("<b>+</b>")\n')
    assert [words for _, words in unmarked(path)] == ["Hello", "one", " places", "Do it.", "What"]


# words that are German too
SAME = {"de": {"Heatmap", "Heatmap: {}", "Index", "Raster", "Text"}, "es": set()}


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_a_translation_is_not_a_copy(texts, language):
    known = translations.read(translations.FOLDER / f"search_imagery_by_text_{language}.ts")
    words = {text for text in texts if re.search(r"[^\W\d_]{2}", re.sub(r"{[^}]*}", "", text))}
    copied = {text for text in words if known.get(text) == text}
    assert copied == SAME[language]
