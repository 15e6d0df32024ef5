"""Data sets of drawn degradations, in the layout that `kfsr bench` reads."""

import numpy as np
import pytest
from PIL import Image

from kfsr.kernel import load_kernel
from kfsr.training.cases import main


@pytest.mark.parametrize("how", [[], ["--like", "phone", "scan"]], ids=str)
def test_each_case_has_its_truth_and_kernel(how, photographs, tmp_path):
    main([str(photographs), "-o", str(tmp_path), "--scale", "2", "--count", "2", *how])
    low_res = sorted((tmp_path / "lr_x2").iterdir())
    assert len(low_res) == 2
    for path in low_res:
        with Image.open(path) as small, Image.open(tmp_path / "gt" / path.name) as truth:
            assert truth.size == (2 * small.width, 2 * small.height)
            assert np.ptp(np.asarray(small)) > 50
        assert load_kernel(tmp_path / "gt_k_x2" / f"{path.stem}.npy", 2).scale == 2
