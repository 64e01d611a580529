"""The Python package adaptive_trainer as a peer of the step benchmark: its trainer, its collator, its loss.

Started by step.bench.ts with the folder of the package on PYTHONPATH; the protocol is that of trl_peer.py. Rows are padded as its
DataProcessor pads them, to the longest length that it takes. wandb, which it imports and which is off here, may be absent.
"""

import argparse
import importlib.util
import os
import sys
import tempfile
import types

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

from trl_peer import Gate, arguments, in_order, parsed, rows_of, train

assert Trainer  # it looks for wandb as it is imported, so before there is a stand-in
if importlib.util.find_spec("wandb") is None:
    sys.modules["wandb"] = types.ModuleType("wandb")
from adaptive_trainer import AdaptiveTrainer, CustomDataCollator

if getattr(sys.modules["wandb"], "__spec__", None) is None:
    del sys.modules["wandb"]

STYLES = ("ideas", "attention", "both", "misc")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--length", type=int, default=512)
    options = parsed(parser)
    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token

    def padded(row, index):
        ids, missing = row["inputIds"], options.length - len(row["inputIds"])
        return {
            "input_ids": [tokenizer.pad_token_id] * missing + ids,
            "attention_mask": [0] * missing + [1] * len(ids),
            "learning_style": STYLES[index % 4],
        }

    trainer = in_order(AdaptiveTrainer)(
        model=AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32),
        args=TrainingArguments(**arguments(options), remove_unused_columns=False),
        train_dataset=Dataset.from_list([padded(row, i) for i, row in enumerate(rows_of(options))]),
        data_collator=CustomDataCollator(tokenizer=tokenizer, mlm=False),
        stats_save_path=os.path.join(tempfile.mkdtemp(), "stats.json"),
        callbacks=[Gate()],
    )
    train(trainer, options)


if __name__ == "__main__":
    main()
