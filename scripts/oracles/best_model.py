"""What the Hugging Face Trainer does with evaluations whose results are foretold: which step's weights it ends with, which
checkpoints are left, when it stops early, and what its last trainer_state.json says.

Run:  python scripts/oracles/best_model.py [--out test/fixtures/extra/best-model.json]
"""

import argparse
import json
import random
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import EarlyStoppingCallback, Trainer, TrainingArguments

REPO = Path(__file__).resolve().parents[2]


class Counter(torch.nn.Module):
    """A model whose one weight is the number of steps it was trained for."""

    def __init__(self):
        super().__init__()
        self.steps = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x, labels=None):
        return {"loss": -self.steps + 0 * x.sum()}


class Foretold(Trainer):
    values = ()

    def evaluate(self, *_args, **_kwargs):
        step = self.state.global_step
        metrics = {f"eval_{self.args.metric_for_best_model or 'loss'}": self.values[step - 1]}
        self.evaluated.append(step)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save_checkpoint(self, *args, **kwargs):
        self.saved.append(self.state.global_step)
        return super()._save_checkpoint(*args, **kwargs)


def run(case):
    with tempfile.TemporaryDirectory() as out:
        args = TrainingArguments(
            out, per_device_train_batch_size=1, learning_rate=1.0, lr_scheduler_type="constant", optim="sgd", max_grad_norm=0,
            max_steps=len(case["values"]), report_to="none", use_cpu=True, disable_tqdm=True, logging_strategy="no", **case["args"],
        )
        rows = [{"x": torch.zeros(1)} for _ in range(case.get("stepsPerEpoch", 100))]
        callbacks = []
        if "patience" in case:
            callbacks = [EarlyStoppingCallback(case["patience"], case.get("threshold", 0.0))]
        trainer = Foretold(Counter(), args, train_dataset=rows, eval_dataset=rows, callbacks=callbacks)
        trainer.values, trainer.evaluated, trainer.saved = case["values"], [], []
        trainer.train()
        left = sorted(int(path.name.split("-")[1]) for path in Path(out).glob("checkpoint-*"))
        state = trainer.state
        best = state.best_model_checkpoint
        stopping = next((c for c in trainer.callback_handler.callbacks if isinstance(c, EarlyStoppingCallback)), None)
        return {
            "steps": state.global_step,
            "evaluated": trainer.evaluated,
            "saved": trainer.saved,
            "left": left,
            "finalModel": int(trainer.model.steps.item()),
            "bestStep": state.best_global_step,
            "bestMetric": state.best_metric,
            "bestCheckpoint": None if best is None else Path(best).name,
            "withoutImprovement": stopping and stopping.early_stopping_patience_counter,
        }


def cases():
    steps = {"eval_strategy": "steps", "save_strategy": "steps", "eval_steps": 1, "save_steps": 1}
    every_two = {**steps, "eval_steps": 2, "save_steps": 2}
    epoch = {"eval_strategy": "epoch", "save_strategy": "epoch"}
    best = {"load_best_model_at_end": True}
    valley = [5.0, 4.0, 3.0, 3.5, 3.2, 3.9, 4.1]
    random.seed(3)
    noise = [round(random.uniform(1, 4), 3) for _ in range(12)]
    yield "the best is in the middle", {"values": valley, "args": {**steps, **best}}
    yield "limit 1", {"values": valley, "args": {**steps, **best, "save_total_limit": 1}}
    yield "limit 2", {"values": valley, "args": {**steps, **best, "save_total_limit": 2}}
    yield "limit 3", {"values": noise, "args": {**steps, **best, "save_total_limit": 3}}
    yield "every two steps, an odd end", {"values": valley, "args": {**every_two, **best, "save_total_limit": 2}}
    yield "the last step alone is the best, and is evaluated for it", {
        "values": [5.0, 4.0, 4.5, 4.4, 3.0],
        "args": {**every_two, **best},
    }
    yield "by epoch", {"values": noise, "stepsPerEpoch": 3, "args": {**epoch, **best, "save_total_limit": 2}}
    yield "greater is better", {
        "values": [0.1, 0.4, 0.3, 0.5, 0.2],
        "args": {**steps, **best, "metric_for_best_model": "token_accuracy", "save_total_limit": 2},
    }
    yield "equals", {"values": [2.0, 1.0, 1.0, 2.0], "args": {**steps, **best}}
    yield "saved when better", {"values": noise, "args": {**steps, **best, "save_strategy": "best"}}
    yield "saved when better, limit 1", {
        "values": noise,
        "args": {**steps, **best, "save_strategy": "best", "save_total_limit": 1},
    }
    yield "saved when better, by epoch", {
        "values": noise,
        "stepsPerEpoch": 2,
        "args": {"eval_strategy": "epoch", **best, "save_strategy": "best", "save_total_limit": 2},
    }
    for patience in (1, 2, 3):
        yield f"patience {patience}", {"values": [*valley, *valley], "patience": patience, "args": {**steps, **best}}
    yield "patience 2, threshold 0.3", {
        "values": [5.0, 4.8, 4.6, 4.2, 4.1, 4.0, 3.9, 3.0],
        "patience": 2,
        "threshold": 0.3,
        "args": {**steps, **best, "save_total_limit": 1},
    }
    yield "small gains one after the other are not enough", {
        "values": [5.0, 4.9, 4.8, 4.7, 4.6, 4.5],
        "patience": 3,
        "threshold": 0.15,
        "args": {**steps, **best},
    }
    yield "patience by epoch", {"values": noise, "stepsPerEpoch": 2, "patience": 2, "args": {**epoch, **best}}
    yield "patience between two saves", {
        "values": [5.0, 4.0, 4.5, 4.6, 4.7, 4.8, 4.9, 5.0],
        "patience": 3,
        "args": {**steps, **best, "eval_steps": 1, "save_steps": 2},
    }
    yield "patience 2 and values that are not finite", {
        "values": [3.0, float("nan"), 2.0, float("nan"), float("nan"), 1.0],
        "patience": 2,
        "args": {**steps, **best},
    }
    yield "patience without the best model", {
        "values": valley,
        "patience": 2,
        "args": {"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "no", "metric_for_best_model": "loss"},
    }
    for i in range(4):
        values = [round(random.uniform(1, 3), 2) for _ in range(10)]
        yield f"by chance {i}", {
            "values": values,
            "patience": 2 + i,
            "threshold": 0.1 * i,
            "args": {**steps, **best, "save_total_limit": 1 + i % 3},
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/extra/best-model.json")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    record = [{"name": name, **case, "expected": run(case)} for name, case in cases()]
    # JSON has no NaN.
    text = json.dumps({"transformers": transformers.__version__, "cases": record}).replace("NaN", "null")
    options.out.write_text(json.dumps(json.loads(text), indent=1) + "\n")


if __name__ == "__main__":
    main()
