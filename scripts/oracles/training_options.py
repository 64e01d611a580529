"""Training with frozen weights, label smoothing, NEFTune, dropout and rates by layer, in float64 on transformers' models.

A plain PyTorch loop: rows one at a time (nothing is padded), cross-entropy or transformers' own LabelSmoother over a window
of micro-batches, AdamW. Noise and masks are those of the engine, whose numbers by counter are written down here a second
time: the masks go in where transformers calls dropout, the noise where its NEFTune hook adds it.

Run:  python scripts/oracles/training_options.py      writes test/fixtures/extra/training-options.json
"""

import fnmatch
import json
import math
import re
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.trainer_pt_utils import LabelSmoother

REPO = Path(__file__).resolve().parents[2]
IGNORED = -100
SEED = 42
BASE = {"batchSize": 2, "gradientAccumulationSteps": 2, "numEpochs": 2, "learningRate": 0.004, "weightDecay": 0.1, "maxGradNorm": 1.0}
LLAMA_FROZEN = ["model.embed_tokens", "model.layers.[0-9].input_layernorm", "model.layers.0", "model.layers.1.self_attn.k_proj", "*.1.mlp.up_proj.weight"]
# name: folder below test/fixtures, changes to config.json, arguments of the run
CASES = {
    "freeze-llama": ("models/llama", {}, {"freeze": LLAMA_FROZEN}),
    "freeze-head-alone-is-trained": ("models/llama", {}, {"unfrozenParameters": ["lm_head"]}),
    "freeze-gpt2-tied": ("models/gpt2", {}, {"freeze": ["transformer.wte", "transformer.wpe", "*.ln_1.*", "transformer.h.0.attn.c_attn.bias"]}),
    "freeze-qwen2-biases": ("models/qwen2", {}, {"freeze": ["*.bias", "*.q_proj.weight", "*.v_proj.weight"]}),
    "smoothing-llama": ("models/llama", {}, {"labelSmoothingFactor": 0.1}),
    "smoothing-llama-frozen-head": ("models/llama", {}, {"labelSmoothingFactor": 0.2, "freeze": ["lm_head"]}),
    "smoothing-gemma2-capped": ("models/gemma2", {}, {"labelSmoothingFactor": 0.1}),
    "smoothing-gemma2-capped-frozen-head": ("models/gemma2", {}, {"labelSmoothingFactor": 0.1, "freeze": ["model.embed_tokens"]}),
    "smoothing-granite-scaled-frozen-head": ("models/granite", {}, {"labelSmoothingFactor": 0.1, "freeze": ["lm_head"]}),
    "neftune-llama": ("models/llama", {}, {"neftuneNoiseAlpha": 15}),
    "neftune-gemma3-scaled-inside": ("models/gemma3", {}, {"neftuneNoiseAlpha": 5}),
    "neftune-granite-scaled-after": ("models/granite", {}, {"neftuneNoiseAlpha": 15}),
    "neftune-gpt2": ("models/gpt2", {}, {"neftuneNoiseAlpha": 15}),
    "dropout-gpt2": ("models/gpt2", {"attn_pdrop": 0.1, "resid_pdrop": 0.2, "embd_pdrop": 0.15}, {}),
    "dropout-llama": ("models/llama", {"attention_dropout": 0.3}, {}),
    "dropout-gemma2-capped": ("models/gemma2", {"attention_dropout": 0.2}, {}),
    "dropout-phi3": ("models/phi3", {"attention_dropout": 0.1, "resid_pdrop": 0.25, "embd_pdrop": 0.5}, {}),
    "rates-llama": (
        "models/llama",
        {},
        {"learningRateMultipliers": {"lm_head": 3, "*.q_proj": 0.25, "model.layers.0.*": 2}, "layerwiseLrDecay": 0.5},
    ),
    "everything-gpt2": (
        "models/gpt2",
        {"attn_pdrop": 0.1, "resid_pdrop": 0.1, "embd_pdrop": 0.1},
        {"freeze": ["transformer.h.0.*"], "labelSmoothingFactor": 0.1, "neftuneNoiseAlpha": 5, "layerwiseLrDecay": 0.8},
    ),
}

MASK = (1 << 64) - 1


def mixed(*numbers):
    """native/core/mixed.h"""
    x = 0
    for number in numbers:
        x = (x + number + 0x9E3779B97F4A7C15) & MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        x ^= x >> 31
    return x


def bits(key, indices):
    """native/core/ops/cpu/isa/random_kernels.h"""

    def scattered(x):
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
        return x ^ (x >> np.uint32(16))

    with np.errstate(over="ignore"):
        start = indices.astype(np.uint32) * np.uint32(0x9E3779B9) + np.uint32(key & 0xFFFFFFFF)
        return scattered(scattered(start) ^ np.uint32(key >> 32))


def site(key, number, layer=0):
    """native/core/model/dropout_key.h"""
    return mixed(key, number << 32, layer)


EMBEDDING, NOISE, ATTENTION, ATTENTION_OUTPUT, FEED_FORWARD = range(1, 6)


def kept(key, rate, indices):
    return torch.from_numpy((bits(key, indices) >= np.uint32(round(rate * 2**32))).astype(np.float64) / (1 - rate))


class Randomness:
    """What is drawn in one row that begins at token `offset` of its micro-batch."""

    def __init__(self, key, offset, is_gpt2):
        self.key, self.offset, self.is_gpt2 = key, offset, is_gpt2
        self.attentions = self.others = 0

    def dropout(self, x, p=0.5, training=True, inplace=False):
        if x.dim() == 4:
            layer, self.attentions = self.attentions, self.attentions + 1
            return x if p == 0 else x * self.attention_mask(x.shape, p, site(self.key, ATTENTION, layer))
        call, self.others = self.others, self.others + 1
        if self.is_gpt2:
            call -= 1
        if p == 0:
            return x
        key = site(self.key, EMBEDDING) if call < 0 else site(self.key, (ATTENTION_OUTPUT, FEED_FORWARD)[call % 2], call // 2)
        return x * kept(key, p, self.flat(x.shape)).reshape(x.shape)

    def flat(self, shape):
        _, length, width = shape
        return np.arange(self.offset * width, (self.offset + length) * width, dtype=np.uint64)

    def attention_mask(self, shape, p, key):
        _, heads, queries, keys = shape
        places = np.arange(keys, dtype=np.uint64)
        rows = [kept(mixed(key, head, self.offset + query), p, places) for head in range(heads) for query in range(queries)]
        return torch.stack(rows).reshape(1, heads, queries, keys)

    def noise(self, shape, alpha):
        _, length, width = shape
        uniform = (bits(site(self.key, NOISE), self.flat(shape)) >> np.uint32(8)).astype(np.float64) * 2.0**-24
        return torch.from_numpy((2 * uniform - 1) * alpha / math.sqrt(length * width)).reshape(shape)


def fits(pattern, name):
    parts = name.split(".")
    return any(fnmatch.fnmatchcase(".".join(parts[:i]), pattern) for i in range(1, len(parts) + 1))


def multiplier_of(name, args, layers):
    chosen = next((m for p, m in args.get("learningRateMultipliers", {}).items() if fits(p, name)), 1.0)
    layer = re.search(r"\.(\d+)\.", name)
    above = layers - int(layer[1]) if layer else layers + 1 if re.search(r"embed_tokens|wte|wpe", name) else 0
    return chosen * args.get("layerwiseLrDecay", 1.0) ** above


def training_rows(vocab):
    generator = torch.Generator().manual_seed(5)
    rows = []
    for i in range(12):
        length = int(torch.randint(4, 15, (1,), generator=generator))
        ids = torch.randint(3, vocab, (length,), generator=generator).tolist()
        prompt = 1 + i % 3
        rows.append({"inputIds": ids, "labels": [IGNORED] * prompt + ids[prompt:], "learningStyle": "both"})
    return rows


def windows_of(rows, settings):
    """The rows of each optimizer step of a run."""
    size = settings["batchSize"] * settings["gradientAccumulationSteps"]
    return [rows[i : i + size] for i in range(0, len(rows), size)] * settings["numEpochs"]


def moved_by(parameters, before):
    """How far each parameter has come, and some of its values."""
    return {
        n: {
            "norm": (p.detach() - before[n]).norm().item(),
            "largest": (p.detach() - before[n]).abs().max().item(),
            "values": [round(v, 9) for v in p.detach().flatten()[:: max(1, p.numel() // 7)][:7].tolist()],
        }
        for n, p in parameters.items()
    }


def row_loss(model, row, args, randomness):
    """The loss summed over the row's labelled tokens."""
    hooks = []
    if alpha := args.get("neftuneNoiseAlpha"):
        add = lambda _module, _input, output: output + randomness.noise(output.shape, alpha)  # noqa: E731
        hooks.append(model.get_input_embeddings().register_forward_hook(add))
    plain, torch.nn.functional.dropout = torch.nn.functional.dropout, randomness.dropout
    try:
        output = model(torch.tensor([row["inputIds"]]))
    finally:
        torch.nn.functional.dropout = plain
        for hook in hooks:
            hook.remove()
    labels = torch.tensor([row["labels"]])
    count = int((labels[:, 1:] != IGNORED).sum())
    if smoothing := args.get("labelSmoothingFactor"):
        return LabelSmoother(smoothing)(output, labels, shift_labels=True) * count, count
    logits = output.logits[0, :-1]
    return torch.nn.functional.cross_entropy(logits, labels[0, 1:], ignore_index=IGNORED, reduction="sum"), count


def run(name, folder, changes, args):
    model = AutoModelForCausalLM.from_pretrained(
        REPO / "test/fixtures" / folder, attn_implementation="eager", dtype=torch.float64, **changes
    ).train()
    layers, is_gpt2 = model.config.num_hidden_layers, model.config.model_type == "gpt2"
    names = dict(model.named_parameters())
    if "unfrozenParameters" in args:
        frozen = [n for n in names if not any(fits(p, n) for p in args["unfrozenParameters"])]
    else:
        frozen = [n for n in names if any(fits(p, n) for p in args.get("freeze", []))]
    for n in frozen:
        names[n].requires_grad_(False)
    trained = {n: p for n, p in names.items() if p.requires_grad}
    before = {n: p.detach().clone() for n, p in trained.items()}
    settings = {**BASE, **args}
    groups = [
        {
            "params": [p],
            "lr": settings["learningRate"] * multiplier_of(n, args, layers),
            "weight_decay": settings["weightDecay"] if p.dim() > 1 else 0.0,
        }
        for n, p in trained.items()
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)
    rows, size = training_rows(model.config.vocab_size), settings["batchSize"]
    steps = []
    for step, window in enumerate(windows_of(rows, settings), start=1):
        optimizer.zero_grad()
        total, count = 0.0, 0
        for micro, first in enumerate(range(0, len(window), size)):
            key, offset = mixed(SEED, step, micro), 0
            for row in window[first : first + size]:
                loss, labelled = row_loss(model, row, args, Randomness(key, offset, is_gpt2))
                total, count, offset = total + loss, count + labelled, offset + len(row["inputIds"])
        (total / count).backward()
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), settings["maxGradNorm"]).item()
        optimizer.step()
        steps.append({"loss": total.item() / count, "gradNorm": norm})
    return {"name": name, "model": folder, "config": changes, "args": settings, "rows": rows, "frozen": frozen, "steps": steps, "moved": moved_by(trained, before)}


def main():
    cases = [run(name, *case) for name, case in CASES.items()]
    path = REPO / "test/fixtures/extra/training-options.json"
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
