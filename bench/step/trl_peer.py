"""TRL's SFTTrainer as a peer of the step benchmark: it trains when told to and reports every step.

Started by step.bench.ts. Reads one JSON object a line from stdin ({"run": n} or {"stop": true}); each line it
writes that begins with "@bench " is one JSON object for the benchmark.
"""

import argparse
import json
import os
import sys
import time

import torch
import transformers
import trl
from datasets import Dataset
from torch.utils.data import SequentialSampler
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer


def say(**message):
    print("@bench " + json.dumps(message), flush=True)


def peak_bytes():
    """The most memory this process ever held, of which Linux keeps the record."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


class Gate(TrainerCallback):
    """Lets a step begin only while steps are ordered; the time spent waiting belongs to no step."""

    def __init__(self):
        self.ordered = 0
        self.since = None

    def on_step_begin(self, args, state, control, **_):
        if self.ordered == 0:
            if state.global_step:
                say(block=True, peakBytes=peak_bytes())
            order = json.loads(sys.stdin.readline() or '{"stop": true}')
            if "run" not in order:
                # The model is of no use to anyone; leave without the trainer's closing work.
                sys.stdout.flush()
                os._exit(0)
            self.ordered = order["run"]
            self.since = time.perf_counter()

    def on_log(self, args, state, control, logs=None, **_):
        if logs and "loss" in logs:
            now = time.perf_counter()
            say(step=state.global_step, seconds=now - self.since, loss=float(logs["loss"]), gradNorm=float(logs["grad_norm"]))
            self.since = now
            self.ordered -= 1


def in_order(trainer):
    """The trainer class, with the rows as they come."""

    class FixedOrder(trainer):
        def _get_train_sampler(self, *_args, **_kwargs):
            return SequentialSampler(self.train_dataset)

    return FixedOrder


def parsed(parser):
    """The options that every peer has, beside its own. Takes the threads that are asked for."""
    for name in ("model", "tokenizer", "rows", "out"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("threads", "steps", "batch-size"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--checkpointing", choices=("true", "false"), default="true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


def rows_of(options):
    with open(options.rows) as file:
        return json.load(file)


def arguments(options):
    """Those of TrainingArguments that every trainer is given."""
    return {
        "output_dir": options.out,
        "per_device_train_batch_size": options.batch_size,
        "gradient_accumulation_steps": 1,
        "max_steps": options.steps,
        "learning_rate": options.learning_rate,
        "lr_scheduler_type": "constant",
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "optim": "adamw_torch_fused",
        "bf16": options.bf16,
        "fp16": False,
        "gradient_checkpointing": options.checkpointing == "true",
        "use_cpu": True,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": 1,
    }


def train(trainer, options, **versions):
    say(
        ready=True,
        versions={**versions, "transformers": transformers.__version__, "torch": torch.__version__},
        threads=torch.get_num_threads(),
        dtype="bf16" if options.bf16 else "fp32",
        instructions=torch.backends.cpu.get_cpu_capability(),
    )
    trainer.train()
    say(block=True, peakBytes=peak_bytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loss", required=True)
    options = parsed(parser)
    data = [{"input_ids": row["inputIds"], "labels": row["labels"]} for row in rows_of(options)]
    trainer = in_order(SFTTrainer)(
        model=AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32),
        # Needed by the constructor and for its padding token only: the rows are token ids already.
        processing_class=AutoTokenizer.from_pretrained(options.tokenizer),
        train_dataset=Dataset.from_list(data),
        callbacks=[Gate()],
        args=SFTConfig(
            **arguments(options),
            loss_type=options.loss,
            dataset_kwargs={"skip_prepare_dataset": True},
            max_length=None,
        ),
    )
    train(trainer, options, trl=trl.__version__)


if __name__ == "__main__":
    main()
