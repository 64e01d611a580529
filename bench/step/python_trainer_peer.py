"""The Python package adaptive_trainer as a peer of the step benchmark: its trainer, its collator, its loss.

Started by step.bench.ts with the folder of the package on PYTHONPATH; the protocol is that of trl_peer.py. Rows are padded as its
DataProcessor pads them, to the longest length that it takes. wandb, which it imports and which is off here, may be absent.
"""

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import types

import torch
import transformers
from datasets import Dataset
from torch.utils.data import SequentialSampler
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

from trl_peer import Gate, peak_bytes, say

assert Trainer  # it looks for wandb as it is imported, so before there is a stand-in
if importlib.util.find_spec("wandb") is None:
    sys.modules["wandb"] = types.ModuleType("wandb")
from adaptive_trainer import AdaptiveTrainer, CustomDataCollator

if getattr(sys.modules["wandb"], "__spec__", None) is None:
    del sys.modules["wandb"]

STYLES = ("ideas", "attention", "both", "misc")


class FixedOrder(AdaptiveTrainer):
    def _get_train_sampler(self, *_args, **_kwargs):
        return SequentialSampler(self.train_dataset)


def main():
    parser = argparse.ArgumentParser()
    for name in ("model", "tokenizer", "rows", "out", "checkpointing"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("threads", "steps", "batch-size"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    with open(options.rows) as file:
        rows = json.load(file)

    def padded(row, index):
        ids, missing = row["inputIds"], options.length - len(row["inputIds"])
        return {
            "input_ids": [tokenizer.pad_token_id] * missing + ids,
            "attention_mask": [0] * missing + [1] * len(ids),
            "learning_style": STYLES[index % 4],
        }

    trainer = FixedOrder(
        model=AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32),
        args=TrainingArguments(
            output_dir=options.out,
            per_device_train_batch_size=options.batch_size,
            gradient_accumulation_steps=1,
            max_steps=options.steps,
            learning_rate=options.learning_rate,
            lr_scheduler_type="constant",
            weight_decay=0.01,
            optim="adamw_torch_fused",
            bf16=options.bf16,
            gradient_checkpointing=options.checkpointing == "true",
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
        ),
        train_dataset=Dataset.from_list([padded(row, i) for i, row in enumerate(rows)]),
        data_collator=CustomDataCollator(tokenizer=tokenizer, mlm=False),
        stats_save_path=os.path.join(tempfile.mkdtemp(), "stats.json"),
        callbacks=[Gate()],
    )
    say(
        ready=True,
        versions={"transformers": transformers.__version__, "torch": torch.__version__},
        threads=torch.get_num_threads(),
        dtype="bf16" if options.bf16 else "fp32",
        instructions=torch.backends.cpu.get_cpu_capability(),
    )
    trainer.train()
    say(block=True, peakBytes=peak_bytes())


if __name__ == "__main__":
    main()
