"""Triton kernels without a GPU: interpreted against the reference, and compiled for one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from spiketune.snn.kernels import cpu, kernels_for, reference

triton = pytest.importorskip("triton", reason="Triton is not installed (extra `gpu`)")


def test_interpreted_kernels_equal_the_reference() -> None:
    program = Path(__file__).with_name("interpreted_gpu.py")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "44 checks passed" in done.stdout


FLAGS: dict[str, Any] = {"of_spikes": True, "of_membrane": True, "summed": True, "block": 128}


@pytest.mark.parametrize(
    ("neuron", "name", "constants"),
    [
        ("lif", "_forward", {"spiking": True, "reset": 1, "block": 128}),
        ("lif", "_backward", {"form": 1, "reset": 1, "beta_needed": True, "spiking": True} | FLAGS),
        ("alif", "_forward", {"block": 128}),
        ("alif", "_backward", {"form": 4, "parameters_needed": True} | FLAGS),
    ],
)
@pytest.mark.parametrize("one_step", [False, True])
def test_kernels_compile_for_a_gpu(
    neuron: str,
    name: str,
    constants: dict[str, Any],
    one_step: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The interpreter lets pass what the compiler refuses. One is a constant to the compiler.
    from triton.backends.compiler import GPUTarget

    from spiketune.snn.kernels import gpu

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(getattr(gpu, neuron), name)
    fixed = {**constants, **({"n_steps": 1} if one_step else {})}
    if name == "_backward":
        fixed["derivative"] = None
    numbers = ("scale", "scale_rest", "gain", "gain_rest")

    def kind(argument: str) -> str:
        if argument in fixed:
            return "constexpr"
        if argument in numbers:
            return "fp32"
        counts = ("n_", "per_")
        is_count = argument.startswith(counts) or argument.endswith(("_network", "_step"))
        return "i32" if is_count else "*fp32"

    source = triton.compiler.ASTSource(
        kernel,
        {argument: kind(argument) for argument in kernel.arg_names},
        {(kernel.arg_names.index(argument),): value for argument, value in fixed.items()},
    )
    options = {"enable_fp_fusion": False}
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    assert "ptx" in compiled.asm


def test_kernels_are_chosen_by_device_and_type() -> None:
    assert kernels_for(torch.zeros(1)) is cpu
    assert kernels_for(torch.zeros(1, dtype=torch.float64)) is cpu
    assert kernels_for(torch.zeros(1, dtype=torch.bfloat16)) is reference
    assert kernels_for(torch.zeros(1, device="meta")) is reference


def test_nothing_but_the_gpu_kernels_imports_triton() -> None:
    code = (
        "import sys, spiketune.snn.networks, spiketune.snn.kernels.cpu;"
        "sys.exit('triton' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
