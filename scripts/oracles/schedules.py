"""Learning rates by transformers' own schedulers, for test/trainer/learning-rate.test.ts.

Run:  python scripts/oracles/schedules.py [--out test/fixtures/schedules.json]

Each case holds the rate of every optimizer step, as a Trainer's scheduler would set it.
"""

import argparse
import json
from pathlib import Path

import torch
import transformers

REPO = Path(__file__).resolve().parents[2]
RATE = 2e-5
# type, warm-up steps, total steps, further arguments
CASES = [
    (name, warmup, total, extra)
    for name, extra in [
        ("cosine", {}),
        ("linear", {}),
        ("constant", {}),
        ("constant_with_warmup", {}),
        ("cosine_with_min_lr", {"min_lr_rate": 0.1}),
        ("cosine_with_min_lr", {"min_lr_rate": 0.0}),
    ]
    for warmup, total in [(0, 12), (3, 12), (12, 12), (20, 12), (1, 1), (0, 1), (10, 57)]
]


def rates(name, warmup, total, extra):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    scheduler = transformers.get_scheduler(
        name, optimizer, num_warmup_steps=warmup, num_training_steps=total, scheduler_specific_kwargs=extra or None
    )
    out = []
    for _ in range(total):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/schedules.json")
    options = parser.parse_args()
    cases = [
        {"type": name, "warmupSteps": warmup, "totalSteps": total, "minLrRate": extra.get("min_lr_rate"), "rates": rates(name, warmup, total, extra)}
        for name, warmup, total, extra in CASES
    ]
    answer = {"transformers": transformers.__version__, "learningRate": RATE}
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    options.out.write_text(json.dumps(answer, indent=1)[:-2] + f',\n "cases": [\n{lines}\n ]\n}}\n')
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
