"""What a machine computes with: equal on two machines, and the same training ends on both with the same bits."""

from __future__ import annotations

import os
import platform

from mnist_models.foundation.fingerprint import code_fingerprint, versions
from mnist_models.foundation.processor import KERNELS, fastest_precision, flags
from mnist_models.foundation.records import Record

INSTRUCTIONS = (  # that the kernels of TensorFlow, oneDNN, Eigen and OpenBLAS choose by
    "sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni",
    "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile", "amx_bf16", "asimd", "asimddp", "bf16", "sve", "i8mm",
)  # fmt: skip
VARIABLES = ("ONEDNN_MAX_CPU_ISA", "TF_ENABLE_ONEDNN_OPTS", "OPENBLAS_CORETYPE", "CUDA_VISIBLE_DEVICES")
WITHOUT_BFLOAT16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI")  # oneDNN's names
COMPUTES = ("training.loop", "judging.evaluation", "judging.export", "networks.by_name")


class Arithmetic(Record):
    """What decides the bits of a result, besides its specification.

    Attributes:
        system: Kind of processor.
        versions: Of the packages whose release can change a number.
        code: Fingerprint of ours that computes.
        instructions: Those of the processor that kernels are chosen by.
        kernels: Variables of the environment by which libraries choose among theirs.
        precision: The one that is fast here.
    """

    system: str
    versions: dict[str, str]
    code: str
    instructions: tuple[str, ...]
    kernels: dict[str, str]
    precision: str

    def differences(self, other: Arithmetic) -> list[str]:
        """Says in what another machine would compute something else, a line for each."""
        mine, others = self._lines(), other._lines()
        return [f"{name}: expected {mine.get(name)}, found {others.get(name)}" for name in {**mine, **others}
                if mine.get(name) != others.get(name)]  # fmt: skip

    def _lines(self) -> dict[str, str]:
        instructions = " ".join(self.instructions)
        return {
            "system": self.system, **self.versions, "code": self.code[:12], "instructions": instructions,
            **self.kernels, "precision": self.precision,
        }  # fmt: skip


def arithmetic_here() -> Arithmetic:
    """Describes this machine, as this process would compute on it."""
    environment, found = {**KERNELS, **os.environ}, flags()
    return Arithmetic(
        system=platform.machine(),
        versions=dict(versions()),
        code=code_fingerprint(*COMPUTES),
        instructions=tuple(name for name in INSTRUCTIONS if name in found),
        kernels={name: environment[name] for name in VARIABLES if environment.get(name)},
        precision=precision_here(),
    )


def precision_here() -> str:
    """Returns the precision that is fast here, as far as oneDNN is let use the instructions for it."""
    limited = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in WITHOUT_BFLOAT16
    return "float32" if limited else fastest_precision()
