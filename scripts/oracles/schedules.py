"""Learning rates of every schedule by transformers itself: test/fixtures/extra/schedules.json.

Run:  python scripts/oracles/schedules.py
"""

import json
from pathlib import Path

import torch
from transformers import get_scheduler

OUT = Path(__file__).resolve().parents[2] / "test/fixtures/extra/schedules.json"
RATE = 3e-4
CASES = [
    ("linear", {}),
    ("cosine", {}),
    ("cosine", {"num_cycles": 1.5}),
    ("cosine_with_restarts", {}),
    ("cosine_with_restarts", {"num_cycles": 3}),
    ("cosine_with_min_lr", {"min_lr_rate": 0.1}),
    ("cosine_with_min_lr", {"min_lr_rate": 0.0}),
    ("cosine_with_min_lr", {"min_lr": 2e-5, "num_cycles": 0.75}),
    ("constant", {}),
    ("constant_with_warmup", {}),
    ("polynomial", {}),
    ("polynomial", {"power": 2.5, "lr_end": 1e-5}),
    ("inverse_sqrt", {}),
    ("inverse_sqrt", {"timescale": 40}),
    ("warmup_stable_decay", {"num_decay_steps": 12}),
    ("warmup_stable_decay", {"num_decay_steps": 10, "decay_type": "linear", "min_lr_ratio": 0.1}),
    ("warmup_stable_decay", {"num_decay_steps": 9, "num_stable_steps": 5, "decay_type": "1-sqrt", "warmup_type": "1-sqrt"}),
    ("warmup_stable_decay", {"num_decay_steps": 8, "warmup_type": "cosine", "min_lr_ratio": 0.05, "num_cycles": 1.5}),
]
LENGTHS = [(0, 50), (7, 50), (60, 50), (0, 12), (3, 12), (12, 12), (20, 12), (10, 57), (1, 1), (0, 1)]  # warm-up and all steps; some runs end in their warm-up


def rates(name, kwargs, warmup, total):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total, scheduler_specific_kwargs=kwargs)
    values = []
    for _ in range(total):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return values


def main():
    cases = [
        {"type": name, "kwargs": kwargs, "learningRate": RATE, "warmupSteps": warmup, "totalSteps": total, "rates": rates(name, kwargs, warmup, total)}
        for name, kwargs in CASES
        for warmup, total in LENGTHS
        # Its stable phase would be of negative length.
        if not (name == "warmup_stable_decay" and warmup + kwargs["num_decay_steps"] > total)
        # transformers divides by zero there.
        and not (name == "polynomial" and warmup == total)
    ]
    OUT.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
