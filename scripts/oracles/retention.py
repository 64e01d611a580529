"""A plain PyTorch loop that holds a model to its base, in float64, as a reference for `retention`.

Cross-entropy over a window of micro-batches, plus weight * mean KL(base || model) over all tokens of the retained rows
on every `every`-th step; after each AdamW step w <- w - rate * d * (w - w_base) with d = pullToBase / sum of rates and no
weight decay. With an adapter (peft) the base is the model with the adapter off, and the pull shrinks B. Rows are run one
at a time, so nothing is padded.

Run:  python scripts/oracles/retention.py [--models test/fixtures/models] [--out test/fixtures/extra/retention]
"""

import argparse
import copy
import json
import os
from pathlib import Path

import peft
import torch
import transformers
from safetensors.torch import save_file

from models import load

REPO = Path(__file__).resolve().parents[2]
IGNORED = -100
SETTINGS = {
    "batchSize": 2,
    "gradientAccumulationSteps": 2,
    "epochs": 5,
    "learningRate": 0.004,
    "warmupSteps": 3,
    "weightDecay": 0.1,
    "maxGradNorm": 1.0,
    "weight": 0.7,
    "every": 1,
    "pullToBase": 2.5,
}
# name: base model, LoraConfig, other settings
CASES = {
    "llama": ("llama", None, {}),
    "gemma2": ("gemma2", None, {"every": 2}),
    "llama-lora": ("llama", {"r": 3, "lora_alpha": 6, "target_modules": ["q_proj", "v_proj", "down_proj"]}, {"learningRate": 0.03}),
}


def random_rows(count, vocab, seed):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randint(3, vocab, (int(torch.randint(5, 16, (1,), generator=generator)),), generator=generator).tolist()
        for _ in range(count)
    ]


def training_rows(vocab):
    rows = []
    for i, ids in enumerate(random_rows(14, vocab, 5)):
        prompt = 1 + i % 3
        rows.append({"inputIds": ids, "labels": [IGNORED] * prompt + ids[prompt:], "learningStyle": "both"})
    return rows


def cross_entropy(model, rows):
    """Sum over the labelled tokens, and how many they are."""
    total, count = 0.0, 0
    for row in rows:
        logits = model(torch.tensor([row["inputIds"]])).logits[0]
        labels = torch.tensor(row["labels"])[1:]
        total = total + torch.nn.functional.cross_entropy(logits[:-1], labels, ignore_index=IGNORED, reduction="sum")
        count += int((labels != IGNORED).sum())
    return total, count


def divergence(model, base_logs, rows):
    """Mean KL(base || model) over all tokens of the rows."""
    total, count = 0.0, 0
    for ids, base in zip(rows, base_logs, strict=True):
        logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        total = total + (base.exp() * (base - logs)).sum()
        count += len(ids)
    return total / count


def run(model, is_adapter, rows, retained, settings):
    with torch.no_grad():
        off = model.disable_adapter() if is_adapter else torch.no_grad()
        with off:
            base_logs = [model(torch.tensor([ids])).logits[0].log_softmax(-1) for ids in retained]
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    base = {name: torch.zeros_like(p) if "lora_B" in name else p.detach().clone() for name, p in trained if "lora_A" not in name}
    size, accumulation = settings["batchSize"], settings["gradientAccumulationSteps"]
    per_window = size * accumulation
    windows = [rows[i : i + per_window] for i in range(0, len(rows), per_window)] * settings["epochs"]
    optimizer = torch.optim.AdamW([p for _, p in trained], lr=settings["learningRate"], betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    schedule = transformers.get_scheduler("cosine", optimizer, settings["warmupSteps"], len(windows))
    rates = []
    for _ in windows:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    per_rate = settings["pullToBase"] / sum(rates)
    optimizer.state.clear()
    steps = []
    for index, window in enumerate(windows):
        optimizer.param_groups[0]["lr"] = rates[index]
        optimizer.zero_grad()
        total, count = cross_entropy(model, window)
        loss = total / count
        kl = divergence(model, base_logs, retained) if index % settings["every"] == 0 else None
        (loss if kl is None else loss + settings["weight"] * kl).backward()
        norm = torch.nn.utils.clip_grad_norm_([p for _, p in trained], settings["maxGradNorm"]).item()
        optimizer.step()
        with torch.no_grad():
            for name, p in trained:
                if name in base:
                    p -= rates[index] * per_rate * (p - base[name])
        steps.append({"loss": loss.item(), "gradNorm": norm, "learningRate": rates[index], "kl": None if kl is None else kl.item()})
    with torch.no_grad():
        forgetting = divergence(model, base_logs, retained).item()
    return steps, forgetting


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=REPO / "test/fixtures/models")
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/extra/retention")
    options = parser.parse_args()
    for name, (base, lora, changed) in CASES.items():
        settings = {**SETTINGS, **changed}
        folder = options.out / name
        folder.mkdir(parents=True, exist_ok=True)
        model = load(options.models / base)
        if lora is not None:
            torch.manual_seed(11)
            model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **lora))
            config = model.peft_config["default"]
            config.base_model_name_or_path = os.path.relpath(options.models / base, folder)
            model.save_pretrained(folder)
            (folder / "README.md").unlink(missing_ok=True)
            path = folder / "adapter_config.json"
            saved = json.loads(path.read_text())
            saved["target_modules"].sort()
            path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
        model = copy.deepcopy(model).double().train(False)
        vocab = model.config.vocab_size
        rows, retained = training_rows(vocab), random_rows(3, vocab, 6)
        steps, forgetting = run(model, lora is not None, rows, retained, settings)
        if lora is None:
            final = {key: p.detach().float().contiguous() for key, p in model.named_parameters()}
        else:
            final = {key: p.float().contiguous() for key, p in peft.get_peft_model_state_dict(model).items()}
        save_file(final, folder / "final.safetensors")
        record = {"base": base, "rows": rows, "retained": retained, **settings, "steps": steps, "forgetting": forgetting}
        record |= {"transformers": transformers.__version__, "torch": torch.__version__, "peft": peft.__version__}
        (folder / "expected.json").write_text(json.dumps(record, indent=1) + "\n")
        kls = [step["kl"] for step in steps if step["kl"] is not None]
        print(f"{name}: {len(steps)} steps, loss {steps[0]['loss']:.4f} to {steps[-1]['loss']:.4f}, KL {kls[0]:.1e} to {kls[-1]:.4f}")


if __name__ == "__main__":
    main()
