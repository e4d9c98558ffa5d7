"""The mean image vector taken out of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.test_pretrain import recipe_file  # noqa: F401  (a fixture)
from training.centre import BIAS, main, mean_vector
from training.data.shards import read_samples
from training.export import load_run
from training.pretrain import main as pretrain
from training.state import load_state


def test_of_a_centred_run_training_images_have_no_mean_and_nothing_else_changed(
    recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture  # noqa: F811
):
    run, out, shard = tmp_path / "run", tmp_path / "centred", tmp_path / "train.tar"
    assert pretrain(["--config", str(recipe_file), "--out", str(run), "stages.1.steps=0"]) == 0
    assert main([str(run), "--images", str(shard), "--out", str(out)]) == 0
    assert "1 of the mean vector" in capsys.readouterr().out
    model, _ = load_run(out)
    size = model.cfg.vision.image_size
    images = np.stack([np.asarray(s.pil().resize((size, size))) for s in read_samples([shard])])
    before, after = mean_vector(load_run(run)[0], images), mean_vector(model, images)
    assert before.norm() > 0.01 and after.norm() < 0.05 * before.norm()
    old, new = (load_state(folder / "state.pt")["average"] for folder in (run, out))
    assert [k for k, v in old.items() if not torch.equal(new[k], v)] == [BIAS]
    assert main([str(run), "--images", str(shard), "--out", str(tmp_path / "half"), "--share", "0.5"]) == 0
    half = load_state(tmp_path / "half" / "state.pt")["average"][BIAS]
    torch.testing.assert_close(half, (old[BIAS] + new[BIAS]) / 2)


def test_what_cannot_be_centred_is_said(
    recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture  # noqa: F811
):
    run, shard = tmp_path / "run", tmp_path / "train.tar"
    assert pretrain(["--config", str(recipe_file), "--out", str(run), "stages.1.steps=0"]) == 0
    state = (run / "state.pt").read_bytes()
    assert main([str(run), "--images", str(shard), "--out", str(run)]) == 2
    assert "holds a run" in capsys.readouterr().err and (run / "state.pt").read_bytes() == state
    assert main([str(run), "--images", str(tmp_path / "none.tar"), "--out", str(tmp_path / "x")]) == 2
    assert "none.tar" in capsys.readouterr().err and not (tmp_path / "x").exists()
