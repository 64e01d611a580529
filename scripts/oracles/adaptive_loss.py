"""An independent oracle of the adaptive loss: PyTorch autograd in float64 on logits that are all there.

It follows docs/adaptive-loss.md and shares no code with the native engine or with the Python package the
loss comes from. It first has to reproduce the golden cases of test/fixtures/adaptive-loss, which that package
made, and only then writes the extra cases of test/fixtures/extra.

Run:  python scripts/oracles/adaptive_loss.py            verify, then write
      python scripts/oracles/adaptive_loss.py --check    verify, then compare with the files that are there
"""

import argparse
import json
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from adaptive_loss_cases import confidence_cases, extra_cases

REPO = Path(__file__).resolve().parents[2]
IGNORED = -100
TOLERANCE = 1e-12
FLOAT_KEYS = ("gradHidden", "gradWeight", "nll")
INTEGER_KEYS = ("shiftedLabels", "rank", "argmax")


def shift_labels(labels, demarcation):
    """Position t gets the label of t+1; labels before a row's last demarcation are dropped."""
    shifted = torch.full_like(labels, IGNORED)
    shifted[:, :-1] = labels[:, 1:]
    width = len(demarcation)
    for row in shifted if width else ():
        values = row.tolist()
        starts = [i for i in range(len(values) - width + 1) if values[i : i + width] == list(demarcation)]
        if starts:
            row[: starts[-1]] = IGNORED
    return shifted


def first_argmax(logits):
    """The lowest index that holds the maximum: torch.argmax does not promise which one it returns."""
    vocab = logits.shape[-1]
    index = torch.arange(vocab).expand_as(logits)
    return torch.where(logits == logits.amax(-1, keepdim=True), index, vocab).amin(-1)


def mean_over(values, mask):
    return values[mask].mean() if mask.any() else values.new_zeros(())


class Biases:
    """Alpha and beta: two float32 parameters of their own Adam, clamped after each step."""

    def __init__(self, alpha, beta):
        self.alpha = torch.tensor(alpha, dtype=torch.float32, requires_grad=True)
        self.beta = torch.tensor(beta, dtype=torch.float32, requires_grad=True)
        self.adam = torch.optim.Adam([self.alpha, self.beta], lr=0.001)

    def step(self, terms):
        attention, ideas, common = (terms[name].detach() for name in ("attention", "ideas", "common"))
        loss = self.beta * ((2 - self.alpha) * attention + self.alpha * ideas) + (2 - self.beta) * common
        if not math.isfinite(loss.item()):
            return
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        with torch.no_grad():
            self.alpha.clamp_(0.4, 1.7)
            self.beta.clamp_(0.4, 1.7)


def adaptive_loss(logits, labels, styles, top_k, alpha, beta, threshold=0.0, smoothing=0.0):
    """The loss of shifted `labels` [B,S] under float64 `logits` [B,S,V]; alpha and beta are constants.

    `smoothing`: the share of each label that is spread over the vocabulary.
    """
    labelled = labels != IGNORED
    target = labels.clamp(min=0)
    log_sum = logits.logsumexp(-1)
    z_label = logits.gather(-1, target[..., None])[..., 0]
    best = first_argmax(logits)
    z_best = logits.gather(-1, best[..., None])[..., 0]
    nll, top = log_sum - z_label, log_sum - z_best
    rank = (logits > z_label[..., None]).sum(-1)

    first = labelled & (best == target)
    correct = first & ((-nll).exp() >= threshold)
    wrong = labelled & ~correct
    outside = wrong & (rank >= top_k)
    in_ideas, in_attention = (
        torch.tensor([style in (name, "both") for style in styles])[:, None].expand_as(labels)
        for name in ("ideas", "attention")
    )

    plain, nll = nll, (1 - smoothing) * nll + smoothing * (log_sum - logits.mean(-1)) if smoothing else nll
    certain = mean_over(nll, correct) if correct.any() else mean_over(top, labelled)
    common = mean_over(nll, labelled)
    ideas = certain / 4 + (mean_over(nll, outside & in_ideas) if outside.any() else mean_over(top, labelled & in_ideas))
    attention = certain / 4 + (
        mean_over(nll, wrong & in_attention) if wrong.any() else mean_over(top, labelled & in_attention)
    )
    trained = int(((outside & in_ideas) | (wrong & in_attention)).sum())
    count = int(labelled.sum())
    factor = max(1, count) / max(1, count - trained)
    loss = (2 - beta) * (alpha * attention + (2 - alpha) * ideas) + beta * factor * common
    if count == 0:
        loss = logits.sum() * 0
    return {
        "loss": loss,
        "terms": {"self": certain, "common": common, "ideas": ideas, "attention": attention},
        "factor": factor,
        "nll": torch.where(labelled, plain, 0.0),
        "rank": torch.where(labelled, rank, -1),
        "argmax": best,
        "stats": {
            "total_tokens": count,
            "already_correct": int(correct.sum()),
            "in_top_k": int((labelled & (rank < top_k)).sum()),
            "outside_top_k": int((labelled & (rank >= top_k)).sum()),
            "training_mask": trained,
        },
    }


def run_case(case, tensors):
    """Every step of a case: the index entry and the tensors that it should have."""
    weight = tensors["weight"].double().requires_grad_()
    biases = Biases(case["alphaInitial"], case["betaInitial"])
    steps, out = [], {}
    for i, given in enumerate(case["steps"]):
        hidden = tensors[f"s{i}.hidden"].double().requires_grad_()
        labels = shift_labels(tensors[f"s{i}.labels"], case["demarkationIds"])
        # Stored in float32, used in float64: the terms of the loss are not rounded to float32 on the way.
        alpha, beta = biases.alpha.detach().double(), biases.beta.detach().double()
        result = adaptive_loss(
            hidden @ weight.T, labels, given["styles"], case["topK"], alpha, beta, case.get("confidence", 0.0)
        )
        grads = torch.autograd.grad(result["loss"], [hidden, weight])
        if result["stats"]["total_tokens"]:
            biases.step(result["terms"])
        steps.append(
            {
                "styles": given["styles"],
                "loss": result["loss"].item(),
                "alphaUsed": alpha.item(),
                "betaUsed": beta.item(),
                "alphaAfter": biases.alpha.item(),
                "betaAfter": biases.beta.item(),
                "stats": {
                    **result["stats"],
                    "attention_bias_alpha": alpha.item(),
                    "coherence_bias_beta": beta.item(),
                },
                "terms": {name: term.item() for name, term in result["terms"].items()},
                "factor": result["factor"],
            }
        )
        values = dict(zip(FLOAT_KEYS, (*grads, result["nll"].detach())))
        values.update(shiftedLabels=labels, rank=result["rank"], argmax=result["argmax"])
        out.update({f"s{i}.{key}": value.contiguous() for key, value in values.items()})
    return steps, out


def differences(case, steps, out, tensors):
    """Every way in which the computed case departs from the stored one."""
    faults = []
    for i, (mine, theirs) in enumerate(zip(steps, case["steps"])):
        where = f"{case['name']} step {i}"
        for key in ("loss", "alphaUsed", "betaUsed", "alphaAfter", "betaAfter"):
            if abs(mine[key] - theirs[key]) > TOLERANCE * max(1.0, abs(theirs[key])):
                faults.append(f"{where} {key}: {mine[key]!r} against {theirs[key]!r}")
        faults += [
            f"{where} {key}: {mine['stats'][key]} against {value}"
            for key, value in theirs["stats"].items()
            if abs(mine["stats"][key] - value) > TOLERANCE
        ]
        for key in FLOAT_KEYS:
            gap = (out[f"s{i}.{key}"] - tensors[f"s{i}.{key}"]).abs().max().item()
            if not gap <= TOLERANCE * max(1.0, tensors[f"s{i}.{key}"].abs().max().item()):
                faults.append(f"{where} {key}: largest difference {gap}")
        faults += [
            f"{where} {key} differs"
            for key in INTEGER_KEYS
            if not torch.equal(out[f"s{i}.{key}"], tensors[f"s{i}.{key}"])
        ]
    return faults


def verify(folder):
    faults, steps = [], 0
    cases = json.loads((folder / "index.json").read_text())
    for case in cases:
        tensors = load_file(folder / f"{case['name']}.safetensors")
        faults += differences(case, *run_case(case, tensors), tensors)
        steps += len(case["steps"])
    if faults:
        sys.exit("The oracle departs from " + str(folder) + ":\n  " + "\n  ".join(faults))
    print(f"{folder.relative_to(REPO) if folder.is_relative_to(REPO) else folder}: {len(cases)} cases, {steps} steps agree")


def write(folder, cases):
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for case, tensors in cases:
        steps, out = run_case(case, tensors)
        index.append({**case, "steps": steps})
        save_file({**tensors, **out}, folder / f"{case['name']}.safetensors")
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")
    verify(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--golden", type=Path, default=REPO / "test/fixtures/adaptive-loss")
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/extra")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the files in --out")
    options = parser.parse_args()
    verify(options.golden)
    for name, cases in (("adaptive-loss", extra_cases), ("adaptive-loss-confidence", confidence_cases)):
        if options.check:
            verify(options.out / name)
        else:
            write(options.out / name, cases())


if __name__ == "__main__":
    main()
