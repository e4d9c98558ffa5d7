"""One command measures everything, ablations resume and tell only what ran, footprints count what autograd keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from rsvlm_core.errors import UsageError
from rsvlm_core.model.config import load_config
from rsvlm_core.model.mammut import Mammut
from tests.training.test_pretrain import recipe_file, shard  # noqa: F401  (a fixture)
from training import ablate
from training.evaluate.commands import main as evaluate
from training.footprint import footprint, one_step


@pytest.fixture
def data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "shared"
    (root / "data" / "rsicd").mkdir(parents=True)
    shard(root / "data" / "rsicd" / "val-000.tar", 12)
    monkeypatch.setenv("RSVLM_DATA", str(root))
    return root


def test_all_measures_what_is_there_and_says_what_is_not(data_root: Path, tmp_path: Path):
    out = tmp_path / "all.json"
    assert evaluate(["all", "--only", "retrieval", "--only", "road", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert set(found["sets"]) == {"RSICD val, retrieval"} and "ETH CIL, road" in found["missing"]
    alone = tmp_path / "alone.json"
    tar = data_root / "data" / "rsicd" / "val-000.tar"
    assert evaluate(["retrieval", "--images", str(tar), "--json", str(alone)]) == 0
    assert found["summary"]["RSICD val, retrieval"]["mean_recall"] == json.loads(alone.read_text())["mean_recall"]
    assert evaluate(["all", "--only", "nothing of this name"]) == 2


def test_an_ablation_runs_its_rows_once(data_root: Path, recipe_file: Path, tmp_path: Path):  # noqa: F811
    plan = {
        "base": str(recipe_file),
        "overrides": ["stages.1.steps=0", "stages.0.steps=2"],
        "only": ["retrieval"],
        "rows": {"all": None, "focal loss": ["stages.0.contrastive=focal"]},
    }
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    command = ["--config", str(tmp_path / "plan.yaml"), "--out", str(tmp_path / "rows")]
    assert ablate.main([*command, "--row", "all"]) == 0
    assert ablate.main(command) == 0
    rows = json.loads((tmp_path / "rows" / "rows.json").read_text())
    assert list(rows) == ["all", "focal loss"] and rows["all"]["pairs"] == 16
    before = (tmp_path / "rows" / "all" / "state.pt").stat().st_mtime_ns
    assert ablate.main(command) == 0
    assert (tmp_path / "rows" / "all" / "state.pt").stat().st_mtime_ns == before
    told = (tmp_path / "rows" / "table.md").read_text()
    assert f"| all | {rows['all']['RSICD val, retrieval']['mean_recall']:.2f} |" in told
    assert ablate.main([*command, "--row", "no such"]) == 2
    (tmp_path / "plan.yaml").write_text("rows: 3")
    with pytest.raises(UsageError, match="no plan"):
        ablate.load_plan(tmp_path / "plan.yaml")


def test_a_footprint_counts_weights_and_grows_with_nothing_but_pairs():
    a, b = footprint("tiny", 2), footprint("tiny", 6)
    real = Mammut(load_config("tiny")).parameter_counts()
    assert a.weights_million + a.text_million == pytest.approx(real["total"] / 1e6)
    assert a.state_gb == pytest.approx(real["total"] * 20 / 1e9)
    assert a.activations_gb_per_pair == pytest.approx(b.activations_gb_per_pair, rel=0.05)
    # one linear layer of the captioning head alone: [L, width] x [width, vocab]
    text = load_config("tiny").text
    assert a.forward_gflop_per_pair > 2 * text.context_length * text.width * text.vocab_size / 1e9
    step = one_step("tiny", 2)
    assert step["gradient_norm"] > 0 and step["seconds"] > 0 and torch.isfinite(torch.tensor(step["caption"]))
