"""Products of large matrices as a peer of the step benchmark: the most that the machine does, in the turns that trainers take.

A "step" is one product of two matrices of --side. Started by step.bench.ts; the protocol is that of trl_peer.py.
"""

import argparse
import json
import sys
import time

import torch


def say(**message):
    print("@bench " + json.dumps(message), flush=True)


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
            since = time.perf_counter()
            torch.mm(left, right, out=out)
            say(step=step, seconds=time.perf_counter() - since, loss=0, gradNorm=0)
        say(block=True, peakBytes=0)


if __name__ == "__main__":
    main()
