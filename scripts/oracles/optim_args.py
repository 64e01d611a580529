"""Training with `optim_args`, by the optimizers that transformers' own Trainer makes of them, in float64.

A plain PyTorch loop over the rows of training_options.py; the optimizer with its groups is Trainer.create_optimizer's.
bitsandbytes needs a GPU: AdEMAMix is written down here after its paper, with the settings that transformers hands over.

Run:  python scripts/oracles/optim_args.py [--cases <json> --out <json>]
      without them: its own cases, into test/fixtures/extra/optim-args.json
"""

import argparse
import json
import math
import sys
import tempfile
import types
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments, trainer_optimizer

from training_options import REPO, moved_by, training_rows, windows_of

BASE = {"batchSize": 2, "gradientAccumulationSteps": 2, "numEpochs": 2, "weightDecay": 0.1, "maxGradNorm": 1.0}
# name: optimizer, learning rate, optim_args
CASES = {
    "sgd-momentum": ("sgd", 0.3, "momentum=0.9"),
    "sgd-dampened": ("sgd", 0.3, "momentum=0.8, dampening=0.3"),
    "sgd-nesterov": ("sgd", 0.3, "momentum=0.9,nesterov=Yes"),
    "sgd-decay-without-effect": ("sgd", 0.3, "momentum=0.5,weight_decay=0.9,nesterov=no"),
    "adagrad": ("adagrad", 0.01, "lr_decay=0.2,eps=1e-4"),
    "adagrad-eps": ("adagrad", 0.01, "eps=.01"),
    "rmsprop": ("rmsprop", 0.001, "alpha=0.9,eps=1e-4"),
    "rmsprop-centered": ("rmsprop", 0.001, "alpha=0.8,eps=1e-3,momentum=0.5,centered=true"),
    "ademamix": ("ademamix", 0.004, "beta1=0.8,beta2=0.95,beta3=0.99,alpha=3,eps=1e-6"),
    "ademamix-warmups": ("paged_ademamix_32bit", 0.004, "beta3=0.98,alpha=8,t_alpha=4,t_beta3=5"),
}


class AdEMAMix(torch.optim.Optimizer):
    """Algorithm 1 of Pagliardini et al. 2024, with the arguments of bitsandbytes.optim.AdEMAMix."""

    def __init__(self, params, lr, betas, alpha, eps, t_alpha=None, t_beta3=None, optim_bits=32, is_paged=False):
        super().__init__(params, {"lr": lr})
        self.of, self.t = (betas, alpha, eps, t_alpha, t_beta3), 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        t, ((beta1, beta2, last3), last, eps, t_alpha, t_beta3) = self.t, self.of
        alpha = min(t * last / t_alpha, last) if t_alpha else last
        beta3 = last3
        if t_beta3 and t < t_beta3:
            part, ln1, ln3 = t / t_beta3, math.log(beta1), math.log(last3)
            beta3 = math.exp(ln1 * ln3 / ((1 - part) * ln3 + part * ln1))
        for group in self.param_groups:
            for p in group["params"]:
                m1, m2, nu = (self.state[p].setdefault(key, torch.zeros_like(p)) for key in ("m1", "m2", "nu"))
                m1.mul_(beta1).add_(p.grad, alpha=1 - beta1)
                m2.mul_(beta3).add_(p.grad, alpha=1 - beta3)
                nu.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                denominator = (nu / (1 - beta2**t)).sqrt() + eps
                p -= group["lr"] * ((m1 / (1 - beta1**t) + alpha * m2) / denominator + group["weight_decay"] * p)


def without_bitsandbytes():
    module, optim = types.ModuleType("bitsandbytes"), types.ModuleType("bitsandbytes.optim")
    optim.AdEMAMix, optim.AdamW, optim.Lion, optim.RMSprop = AdEMAMix, None, None, None
    sys.modules.update({"bitsandbytes": module, "bitsandbytes.optim": optim})
    trainer_optimizer.is_bitsandbytes_available = lambda: True


def optimizer_of(model, optimizer, rate, optim_args):
    with tempfile.TemporaryDirectory() as out:
        args = TrainingArguments(
            out, optim=optimizer, optim_args=optim_args, learning_rate=rate, weight_decay=BASE["weightDecay"],
            report_to="none", use_cpu=True, disable_tqdm=True,
        )  # fmt: skip
        return Trainer(model, args).create_optimizer()


def run(name, optimizer, rate, optim_args):
    path = REPO / "test/fixtures/models/llama"
    model = AutoModelForCausalLM.from_pretrained(path, attn_implementation="eager", dtype=torch.float64).train()
    names = dict(model.named_parameters())
    before = {n: p.detach().clone() for n, p in names.items()}
    made = optimizer_of(model, optimizer, rate, optim_args)
    steps = []
    for window in windows_of(training_rows(model.config.vocab_size), BASE):
        made.zero_grad()
        total, count = 0.0, 0
        for row in window:
            labels = torch.tensor(row["labels"][1:])
            logits = model(torch.tensor([row["inputIds"]])).logits[0, :-1]
            total = total + torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
            count += int((labels != -100).sum())
        (total / count).backward()
        norm = torch.nn.utils.clip_grad_norm_(names.values(), BASE["maxGradNorm"]).item()
        made.step()
        steps.append({"loss": total.item() / count, "gradNorm": norm})
    return {"name": name, "args": {**BASE, "optimizer": optimizer, "learningRate": rate, "optimArgs": optim_args}, "steps": steps, "moved": moved_by(names, before)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", help='{"name": ["sgd", 0.3, "momentum=0.9"]}')
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/extra/optim-args.json")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    without_bitsandbytes()
    cases = json.loads(options.cases) if options.cases else CASES
    rows = training_rows(json.loads((REPO / "test/fixtures/models/llama/config.json").read_text())["vocab_size"])
    record = [json.dumps(run(name, *case)) for name, case in cases.items()]
    options.out.write_text('{"rows": ' + json.dumps(rows) + ', "cases": [\n' + ",\n".join(record) + "\n]}\n")


if __name__ == "__main__":
    main()
