"""A plain PyTorch training loop with the adaptive loss and gradient accumulation, as a reference for the trainer.

A window of micro-batches is one optimizer step; each micro-batch's loss and gradient counts by its share of the
window's labelled tokens, and each moves alpha and beta once. The last window of an epoch may be short. Learning
rates come from the schedules of transformers, weight decay skips biases and norm weights, as in its Trainer.
With one micro-batch a window it first has to reproduce test/fixtures/end-to-end/llama, where that exists.

Run:  python scripts/oracles/end_to_end.py [--golden test/fixtures/end-to-end/llama] [--out test/fixtures/extra/end-to-end]
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

from adaptive_loss import Biases, adaptive_loss, shift_labels
from models import load, make, save

REPO = Path(__file__).resolve().parents[2]
IGNORED = -100
SETTINGS = {
    "batchSize": 2,
    "topK": 4,
    "epochs": 2,
    "learningRate": 0.005,
    "warmupSteps": 2,
    "lrScheduler": "cosine",
    "weightDecay": 0.1,
    "optimizer": "adamw",
    "betas": [0.9, 0.999],
    "eps": 1e-08,
    "maxGradNorm": 1.0,
    "gradientAccumulationSteps": 3,
    "shuffle": False,
    "noWeightDecayOn": "biases and norm weights (the Hugging Face Trainer rule)",
}


def rows_to_learn():
    """Fourteen rows of uneven length and uneven share of labels; the fifth has a single label."""
    generator = torch.Generator().manual_seed(5)
    styles = ["both", "ideas", "misc", "attention"]
    rows = []
    for i in range(14):
        length = int(torch.randint(8, 30, (1,), generator=generator))
        pattern = torch.randint(3, 97, (5,), generator=generator).tolist()
        ids = torch.randint(3, 97, (4,), generator=generator).tolist() + (pattern * 6)[: length - 4]
        prompt = length - 1 if i == 4 else 3 + i % 4
        rows.append({"inputIds": ids, "labels": [IGNORED] * prompt + ids[prompt:], "learningStyle": styles[i % 4]})
    return rows


def no_decay(name):
    return name.endswith("bias") or "norm" in name


def micro_batch(model, rows, settings, biases):
    """Loss (a graph), labelled tokens and the biases used; every row is run alone, so nothing is padded."""
    width = max(len(row["inputIds"]) for row in rows)
    labels = torch.full((len(rows), width), IGNORED)
    logits = []
    for i, row in enumerate(rows):
        ids = torch.tensor(row["inputIds"])
        labels[i, : len(ids)] = torch.tensor(row["labels"])
        out = model(ids[None]).logits[0]
        logits.append(torch.nn.functional.pad(out, (0, 0, 0, width - len(ids))))
    alpha, beta = biases.alpha.detach().double(), biases.beta.detach().double()
    styles = [row["learningStyle"] for row in rows]
    result = adaptive_loss(torch.stack(logits).double(), shift_labels(labels, ()), styles, settings["topK"], alpha, beta)
    biases.step(result["terms"])
    used = {"loss": result["loss"].item(), "alpha": alpha.item(), "beta": beta.item()}
    return result["loss"], result["stats"]["total_tokens"], used


def optimizer_step(model, window, settings, biases, optimizer):
    parts = [micro_batch(model, rows, settings, biases) for rows in window]
    total = sum(count for _, count, _ in parts)
    loss = sum(loss * (count / total) for loss, count, _ in parts)
    optimizer.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings["maxGradNorm"]).item()
    learning_rate = optimizer.param_groups[0]["lr"]
    optimizer.step()
    return {
        "loss": loss.item(),
        "alpha": parts[0][2]["alpha"],
        "beta": parts[0][2]["beta"],
        "gradNorm": norm,
        "learningRate": learning_rate,
        "labelledTokens": total,
        "microBatches": [{**used, "labelledTokens": count} for _, count, used in parts],
    }


def run(folder, rows, settings):
    """Trains the model of `folder`; returns the steps and the trained weights."""
    model = load(folder)
    size, accumulation = settings["batchSize"], settings["gradientAccumulationSteps"]
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    windows = [batches[i : i + accumulation] for i in range(0, len(batches), accumulation)] * settings["epochs"]
    named = list(model.named_parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for name, p in named if not no_decay(name)], "weight_decay": settings["weightDecay"]},
            {"params": [p for name, p in named if no_decay(name)], "weight_decay": 0.0},
        ],
        lr=settings["learningRate"],
        betas=settings["betas"],
        eps=settings["eps"],
    )
    schedule = transformers.get_scheduler(settings["lrScheduler"], optimizer, settings["warmupSteps"], len(windows))
    biases, steps = Biases(1.0, 1.0), []
    for window in windows:
        steps.append(optimizer_step(model, window, settings, biases, optimizer))
        schedule.step()
    return steps, {name: parameter.detach().contiguous() for name, parameter in named}


def verify(folder):
    known = json.loads((folder / "expected.json").read_text())
    steps, weights = run(folder, known["rows"], known)
    worst = 0.0
    for mine, theirs in zip(steps, known["steps"], strict=True):
        for key in ("loss", "alpha", "beta", "gradNorm", "learningRate"):
            worst = max(worst, abs(mine[key] - theirs[key]) / max(1.0, abs(theirs[key])))
    final = load_file(folder / "final.safetensors")
    worst = max(worst, *((weights[name] - final[name]).abs().max().item() for name in final))
    if worst > 1e-4:
        sys.exit(f"{folder}: the loop departs from the stored run by {worst}")
    print(f"{folder.name}: the stored run comes out again, largest difference {worst:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--golden", type=Path, default=REPO / "test/fixtures/end-to-end/llama")
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/extra/end-to-end")
    options = parser.parse_args()
    if options.golden.is_dir():
        verify(options.golden)
    folder = options.out / "llama-accumulation"
    save(make("llama", {"tie_word_embeddings": True}, 200), folder)
    rows = rows_to_learn()
    steps, weights = run(folder, rows, SETTINGS)
    save_file(weights, folder / "final.safetensors")
    record = {"rows": rows, **SETTINGS, "steps": steps, "transformers": transformers.__version__, "torch": torch.__version__}
    (folder / "expected.json").write_text(json.dumps(record, indent=1) + "\n")
    for i, step in enumerate(steps):
        print(f"step {i}: loss {step['loss']:.5f}, |grad| {step['gradNorm']:.4f}, alpha {step['alpha']:.5f}, {step['labelledTokens']} labels")


if __name__ == "__main__":
    main()
