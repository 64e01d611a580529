"""Trains adapters whose initialisation changes the base, follows a recipe that makes them of use elsewhere, and prints
the logits of the trained model: the proof that what the recipe saves computes the same.

Run:  python scripts/oracles/lora_changed_base.py BASE --init corda [--before CODE] --after CODE

CODE is Python with `model`, the peft model, and runs in the current folder, before and after the training.
"""

import argparse
import json

import peft
import torch
import transformers
from peft.tuners.lora.config import CordaConfig, LoraGAConfig
from peft.tuners.lora.corda import preprocess_corda
from peft.tuners.lora.loraga import preprocess_loraga

transformers.utils.logging.disable_progress_bar()
ROWS = torch.tensor([[1, 5, 9, 30, 2, 44, 7, 101, 63], [3, 8, 77, 12, 90, 41, 6, 25, 50]])


def adapted(path, init):
    base = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager")
    settings = {"corda": {"corda_config": CordaConfig(corda_method="kpm")}, "lora_ga": {"lora_ga_config": LoraGAConfig()}}
    config = peft.LoraConfig(
        task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=init, **settings.get(init, {})
    )
    if init == "corda":
        with torch.no_grad():
            preprocess_corda(base, config, run_model=lambda: [base(row[None]) for row in ROWS])
    if init == "lora_ga":
        preprocess_loraga(base, config, lambda: base(ROWS, labels=ROWS).loss.backward())
    model = peft.get_peft_model(base, config)
    if init == "eva":
        peft.initialize_lora_eva_weights(model, [{"input_ids": ROWS}] * 2)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base")
    parser.add_argument("--init", required=True)
    parser.add_argument("--before", default="")
    parser.add_argument("--after", required=True)
    options = parser.parse_args()
    torch.manual_seed(5)
    model = adapted(options.base, options.init)
    exec(options.before, {"model": model})
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(5):
        model(ROWS, labels=ROWS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        logits = model(ROWS[:1]).logits[0]
    exec(options.after, {"model": model})
    print(json.dumps({"row": ROWS[0].tolist(), "logits": logits.flatten().tolist()}))


if __name__ == "__main__":
    main()
