"""Averages of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from rsvlm_core.errors import UsageError
from tests.training.test_pretrain import recipe_file, shard  # noqa: F401  (a fixture)
from training.pretrain import main as pretrain
from training.soup import choose, main, mix
from training.state import load_state


def test_shares_weigh_and_whole_numbers_are_the_first_runs():
    a, b = ({"w": torch.full((2,), x), "n": torch.tensor(int(x))} for x in (1.0, 5.0))
    found = mix([a, b], [3, 1])
    assert found["w"].tolist() == [2, 2] and found["w"].dtype == torch.float32 and found["n"] == 1
    with pytest.raises(UsageError, match="different models"):
        mix([a, {"w": torch.zeros(3), "n": torch.tensor(0)}], [1, 1])
    for shares in ([1], [0, 0]):
        with pytest.raises(UsageError, match="share"):
            mix([a, b], shares)


def test_a_greedy_soup_takes_what_helps_and_nothing_else():
    states = [{"w": torch.tensor(x)} for x in (0.0, 1.0, 10.0)]
    best, shares, score = choose(states, lambda s: -abs(float(s["w"]) - 0.7))
    assert shares == [0.3, 0.7, 0] and score == pytest.approx(0, abs=1e-6) and float(best["w"]) == pytest.approx(0.7)


def test_an_average_of_runs_is_a_run_that_goes_on(recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture):  # noqa: F811
    last = ["stages.1.steps=0"]
    for seed in (1, 2):
        assert pretrain(["--config", str(recipe_file), "--out", str(tmp_path / str(seed)), f"seed={seed}", *last]) == 0
    runs = [str(tmp_path / "1"), str(tmp_path / "2")]
    assert main([*runs, "--out", str(tmp_path / "soup"), "--shares", "0.25", "0.75"]) == 0
    a, b, s = (load_state(tmp_path / n / "state.pt") for n in ("1", "2", "soup"))
    for key, value in s["average"].items():
        if value.dtype.is_floating_point:
            torch.testing.assert_close(value, 0.25 * a["average"][key] + 0.75 * b["average"][key], msg=key)
    assert json.loads((tmp_path / "soup" / "soup.json").read_text()) == {"runs": ["1", "2"], "shares": [0.25, 0.75]}
    s["stage"] = 1  # as if the curriculum had not come to its second stage, which was left out above
    torch.save(s, tmp_path / "soup" / "state.pt")
    assert main([runs[0], str(tmp_path / "soup"), "--out", str(tmp_path / "x")]) == 2
    assert "stands at stage 1" in capsys.readouterr().err
    assert pretrain(["--config", str(recipe_file), "--resume", str(tmp_path / "soup")]) == 0
    on = load_state(tmp_path / "soup" / "state.pt")
    assert any(not torch.equal(on["model"][k], v) for k, v in s["model"].items())
    assert main([*runs, "--out", str(tmp_path / "soup")]) == 2 and "holds a run" in capsys.readouterr().err
