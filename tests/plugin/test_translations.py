"""Every text in every language, with its placeholders, in files that QTranslator reads."""

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
