"""What the compiler made of the kernels, without a GPU: nothing is spilled, no array went to local memory."""

import re
from pathlib import Path

from cuobjdump import cuobjdump, modules

from seco import _core

# Three for each of two pixel types and two ways to hold bands, in both modules; one check and three sizes in DALI's.
KERNELS = {"_core": 12, "_dali": 12 + 4}


def test_kernels_stay_in_registers():
    for module in modules(Path(_core.__file__).parent):
        report = cuobjdump("--dump-resource-usage", module)
        architectures = set(re.findall(r"^arch = (sm_\d+)$", report, re.M))
        # A stack holds what is spilled, too.
        stacks = re.findall(r"REG:\d+ STACK:(\d+) SHARED:\d+ LOCAL:(\d+)", report)
        assert len(stacks) == KERNELS[module.name.split(".")[0]] * len(architectures), report
        assert set(stacks) == {("0", "0")}, report
