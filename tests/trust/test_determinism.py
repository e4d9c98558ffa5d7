"""The same command twice gives the same content; other numbers of threads give the same within rounding."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.trust.conftest import ROOT
from tests.trust.content import content
from tests.trust.scene import write
from tests.trust.test_kill import COMMANDS

# Cosines of a real model, computed with one thread and with four: float32 sums in another order.
TOLERANCE = 1e-5

ENCODE = """
import sys, numpy as np, torch
from rsvlm_core.model.config import load_config
from rsvlm_core.model.mammut import Mammut
torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
model = Mammut(load_config("tiny")).eval()
images = torch.from_numpy(np.random.default_rng(0).random((8, 3, 64, 64), dtype=np.float32))
with torch.inference_mode():
    np.save(sys.argv[2], model.encode_image(images).numpy())
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_twice_the_same(name, rsvlm, tmp_path, monkeypatch):
    argv, outputs = COMMANDS[name]
    write(tmp_path / "r.tif")
    argv = [str(tmp_path / "r.tif") if word == "r.tif" else word for word in argv]
    made = []
    for run in ("a", "b"):
        place = tmp_path / run
        place.mkdir()
        monkeypatch.chdir(place)
        monkeypatch.setenv("RSVLM_CACHE", str(place / "cache"))
        assert rsvlm(*argv).status == 0
        made.append({n: content(place / n) for n in outputs})
        if name == "index":
            made[-1]["bytes"] = {
                p.name: p.read_bytes()
                for p in sorted((place / outputs[0]).rglob("*")) if p.suffix in (".parquet", ".npy")
            }
    assert made[0] == made[1]


def test_other_numbers_of_threads(tmp_path):
    found = []
    for threads in (1, 1, 4):
        out = tmp_path / f"{len(found)}.npy"
        env = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        subprocess.run([sys.executable, "-c", ENCODE, str(threads), str(out)], cwd=ROOT, env=env, check=True)
        found.append(np.load(out))
    assert np.array_equal(found[0], found[1]), "the same number of threads gives the same bits"
    assert np.abs(found[0] @ found[0].T - found[2] @ found[0].T).max() < TOLERANCE
