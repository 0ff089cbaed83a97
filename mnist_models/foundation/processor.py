"""What this machine's processor computes fastest with, and how TensorFlow is told."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Literal

X86_64 = ("x86_64", "AMD64")  # as Linux and macOS, and as Windows call it
KERNELS = {"TF_ENABLE_ONEDNN_OPTS": "1"} if platform.machine() in X86_64 else {}
"""TensorFlow chooses oneDNN's kernels by itself only where the processor has instructions for neural networks (AVX-512
VNNI, bfloat16, AMX); with AVX2 alone they train a CNN 1.7 times as fast, too (docs/performance.md)."""


def choose_kernels() -> None:
    """Has TensorFlow, which must not be imported yet, compute with `KERNELS`, unless the environment says otherwise."""
    for name, value in KERNELS.items():
        os.environ.setdefault(name, value)


def fastest_precision() -> Literal["float32", "bfloat16"]:
    """Returns "bfloat16" where the CPU multiplies such numbers twice as fast, and "float32" elsewhere."""
    return "bfloat16" if {"avx512_bf16", "amx_bf16"} & flags() else "float32"


def flags() -> set[str]:
    """Returns the words of the processor's description, its instructions among them; empty where there is none."""
    cpuinfo = Path("/proc/cpuinfo")
    return set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
