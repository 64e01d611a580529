"""When the Hugging Face Trainer logs and evaluates, and the learning rate of each step.

Run:  python scripts/oracles/trainer_flow.py [--out test/fixtures/extra/trainer-flow.json]
"""

import argparse
import json
import random
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import TrainerCallback, TrainingArguments

from best_model import REPO, Counter, Foretold


class Watch(TrainerCallback):
    def __init__(self):
        self.rates, self.logged = [], []

    def on_pre_optimizer_step(self, args, state, control, optimizer=None, **kwargs):
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.logged.append(state.global_step)


def run(case):
    with tempfile.TemporaryDirectory() as out:
        args = TrainingArguments(
            out, per_device_train_batch_size=1, learning_rate=0.5, optim="sgd", max_grad_norm=0, max_steps=case["steps"],
            report_to="none", use_cpu=True, disable_tqdm=True, save_strategy="no", **case["args"],
        )
        rows = [{"x": torch.zeros(1)} for _ in range(case.get("stepsPerEpoch", 100))]
        watch = Watch()
        trainer = Foretold(Counter(), args, train_dataset=rows, eval_dataset=rows, callbacks=[watch])
        trainer.values, trainer.evaluated, trainer.saved = case.get("values", [1.0] * case["steps"]), [], []
        trainer.train()
        return {"rates": watch.rates, "logged": watch.logged, "evaluated": trainer.evaluated}


def cases():
    none = {"eval_strategy": "no", "logging_steps": 100}
    for total, warmup in [(10, 0.3), (10, 0.25), (7, 0.1), (23, 0.03), (12, 0.999), (9, 0.0), (10, 3)]:
        for scheduler in ("linear", "cosine"):
            yield {"steps": total, "args": {**none, "warmup_steps": warmup, "lr_scheduler_type": scheduler}}
    constant = {"lr_scheduler_type": "constant"}
    for every, first in [(4, True), (4, False), (1, True), (3, True)]:
        yield {"steps": 12, "args": {**constant, "eval_strategy": "no", "logging_steps": every, "logging_first_step": first}}
    for delay in (0, 3, 4, 5, 100):
        yield {"steps": 12, "args": {**constant, "logging_steps": 100, "eval_strategy": "steps", "eval_steps": 2, "eval_delay": delay}}
    for delay in (0, 1, 1.5, 2):
        epoch = {"eval_strategy": "epoch", "eval_delay": delay, "logging_steps": 100}
        yield {"steps": 12, "stepsPerEpoch": 3, "args": {**constant, **epoch}}
    random.seed(5)
    plateau = {"lr_scheduler_type": "reduce_lr_on_plateau", "logging_steps": 100, "eval_strategy": "steps", "eval_steps": 1}
    falling = [round(3 / (1 + i / 3) + random.uniform(0, 0.6), 3) for i in range(24)]
    for kwargs in (
        {},
        {"patience": 0},
        {"patience": 1, "factor": 0.5},
        {"patience": 1, "factor": 0.5, "cooldown": 2},
        {"patience": 0, "factor": 0.3, "min_lr": 0.02},
        {"patience": 1, "factor": 0.5, "threshold": 0.2, "threshold_mode": "abs"},
        {"patience": 1, "factor": 0.5, "threshold": 0.1},
        {"patience": 1, "factor": 0.5, "mode": "max"},
        {"patience": 0, "factor": 0.9, "eps": 0.04},
    ):
        yield {"steps": 24, "values": falling, "args": {**plateau, "lr_scheduler_kwargs": kwargs}}
    every_three = {**plateau, "eval_steps": 3, "eval_on_start": True, "lr_scheduler_kwargs": {"patience": 1, "factor": 0.5}}
    yield {"steps": 24, "values": falling, "args": every_three}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/extra/trainer-flow.json")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    record = [{**case, "expected": run(case)} for case in cases()]
    options.out.write_text("[\n" + ",\n".join(json.dumps(case) for case in record) + "\n]\n")


if __name__ == "__main__":
    main()
