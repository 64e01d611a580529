"""DFT, EAFT and label smoothing by PyTorch autograd in float64 on logits that are all there: test/fixtures/extra/weighted-losses.

The inputs are those of a stored case of the adaptive loss. Run:  python scripts/oracles/weighted_losses.py
"""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers.trainer_pt_utils import LabelSmoother

from adaptive_loss import adaptive_loss, shift_labels

EXTRA = Path(__file__).resolve().parents[2] / "test/fixtures/extra"
CASE = "vocab_257"


def dft(logits, labels, _k):
    """Wu et al. 2025: the cross-entropy of each token times its probability, as a constant."""
    nll = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    return ((-nll).exp().detach() * nll).mean()


def eaft(logits, labels, k):
    """Diao et al. 2026: times the entropy of the renormalised top k over its maximum, as a constant."""
    nll = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    top = logits.detach().topk(min(k, logits.shape[-1]), dim=-1).values.log_softmax(-1)
    return (-(top.exp() * top).sum(-1) / math.log(k) * nll).mean()


SMOOTHING = 0.1


def smoothed(logits, labels):
    """The cross-entropy of each token with its label spread as transformers' LabelSmoother does."""
    smoother = LabelSmoother(SMOOTHING)
    return torch.stack([smoother({"logits": z[None]}, label[None]) for z, label in zip(logits, labels, strict=True)])


def main():
    case = next(c for c in json.loads((EXTRA / "adaptive-loss/index.json").read_text()) if c["name"] == CASE)
    given = load_file(EXTRA / f"adaptive-loss/{CASE}.safetensors")
    out, index = {}, {"case": CASE, "losses": []}
    for name, loss, k in (("dft", dft, 8), ("eaft", eaft, 2), ("eaft", eaft, 20)):
        hidden = given["s0.hidden"].double().requires_grad_()
        weight = given["weight"].double().requires_grad_()
        labels = given["s0.labels"][:, 1:]
        logits = (hidden @ weight.T)[:, :-1]
        value = loss(logits[labels != -100], labels[labels != -100], k)
        grads = torch.autograd.grad(value, [hidden, weight])
        key = f"{name}{k}"
        out[f"{key}.gradHidden"], out[f"{key}.gradWeight"] = (g.float().contiguous() for g in grads)
        index["losses"].append({"key": key, "loss": name, "topK": k, "value": value.item()})
    for name, k in (("ce", 8), ("dft", 8), ("eaft", 20), ("adaptive", 2)):
        hidden = given["s0.hidden"].double().requires_grad_()
        weight = given["weight"].double().requires_grad_()
        logits = hidden @ weight.T
        shifted = shift_labels(given["s0.labels"], [])
        z, labels = logits[shifted != -100], shifted[shifted != -100]
        nll = torch.nn.functional.cross_entropy(z, labels, reduction="none").detach()
        if name == "ce":
            value = LabelSmoother(SMOOTHING)({"logits": logits}, given["s0.labels"], shift_labels=True)
        elif name == "dft":
            value = ((-nll).exp() * smoothed(z, labels)).mean()
        elif name == "eaft":
            top = z.detach().topk(k, dim=-1).values.log_softmax(-1)
            value = (-(top.exp() * top).sum(-1) / math.log(k) * smoothed(z, labels)).mean()
        else:
            value = adaptive_loss(logits, shifted, ["both"] * len(shifted), k, 1.0, 1.0, smoothing=SMOOTHING)["loss"]
        grads = torch.autograd.grad(value, [hidden, weight])
        key = f"{name}{k}smoothed"
        out[f"{key}.gradHidden"], out[f"{key}.gradWeight"] = (g.float().contiguous() for g in grads)
        entry = {"key": key, "loss": name, "topK": k, "labelSmoothing": SMOOTHING, "value": value.item()}
        index["losses"].append(entry)
    folder = EXTRA / "weighted-losses"
    folder.mkdir(exist_ok=True)
    (folder / "index.json").write_text(json.dumps({**index, "demarkationIds": case["demarkationIds"]}, indent=1) + "\n")
    save_file(out, folder / "gradients.safetensors")
    assert not case["demarkationIds"]


if __name__ == "__main__":
    main()
