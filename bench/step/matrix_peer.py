"""Products of large matrices as a peer of the step benchmark: the most that the machine does, in the turns that trainers take.

A "step" is one product of two matrices of --side, by the faster of at::mm and, in float32, oneDNN: where the CPU is not
Intel's, MKL under at::mm may leave half of it unused. Started by step.bench.ts; the protocol is that of trl_peer.py.
"""

import argparse
import json
import sys
import time

import torch


def say(**message):
    print("@bench " + json.dumps(message), flush=True)


def products(left, right, out):
    """What to time, several times over, for one alone is slow by chance: each computes left·right."""
    yield lambda: torch.mm(left, right, out=out)
    if left.dtype == torch.float32 and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        yield lambda: torch.ops.mkldnn._linear_pointwise(left, right.t(), None, "none", [], "")


def seconds_of(product):
    since = time.perf_counter()
    product()
    return time.perf_counter() - since


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dtype = torch.bfloat16 if options.bf16 else torch.float32
    left, right, out = (torch.randn(options.side, options.side, dtype=dtype) for _ in range(3))
    say(
        ready=True,
        versions={"torch": torch.__version__},
        threads=torch.get_num_threads(),
        dtype="bf16" if options.bf16 else "fp32",
        instructions=torch.backends.cpu.get_cpu_capability(),
    )
    step = 0
    for line in sys.stdin:
        order = json.loads(line)
        if "run" not in order:
            break
        for _ in range(order["run"]):
            step += 1
            say(step=step, seconds=min(seconds_of(p) for _ in range(4) for p in products(left, right, out)), loss=0, gradNorm=0)
        say(block=True, peakBytes=0)


if __name__ == "__main__":
    main()
