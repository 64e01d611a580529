"""Fifty steps of each optimizer by PyTorch's and transformers' own code, on three small tensors.

Writes test/fixtures/extra/optimizers/: `run.txt` holds the weights to begin with and the gradients of every step,
`<optimizer>.txt` the weights after steps 1, 10, 20 and 50. Numbers only, in the order of TENSORS, one tensor a line.
Gradients of even steps are scaled, as clipping does. Run:  python scripts/oracles/optimizers.py
"""

import math
from pathlib import Path

import torch
from transformers.optimization import Adafactor

OUT = Path(__file__).resolve().parents[2] / "test/fixtures/extra/optimizers"
# Two tensors that the engine keeps fused in one matrix, and a bias.
TENSORS = {"q": (5, 12), "k": (3, 12), "bias": (7,)}
STEPS, KEPT = 50, (1, 10, 20, 50)
DECAY = 0.1
BETAS = (0.9, 0.99)


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of Chen et al. 2023, "Symbolic discovery of optimization algorithms", line by line."""

    def __init__(self, groups, lr):
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                c = BETAS[0] * m + (1 - BETAS[0]) * p.grad
                p -= group["lr"] * (c.sign() + group["weight_decay"] * p)
                m.copy_(BETAS[1] * m + (1 - BETAS[1]) * p.grad)


class AdEMAMix(torch.optim.Optimizer):
    """Algorithm 1 of Pagliardini et al. 2024, "The AdEMAMix optimizer", line by line and in float64."""

    ALPHA, BETA3 = 5.0, 0.9999

    def __init__(self, groups, lr, t_alpha, t_beta3):
        super().__init__(groups, {"lr": lr})
        self.t_alpha, self.t_beta3, self.t = t_alpha, t_beta3, 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        t, (beta1, beta2) = self.t, BETAS
        alpha, beta3 = self.ALPHA, self.BETA3
        if self.t_alpha:
            alpha = min(t * self.ALPHA / self.t_alpha, self.ALPHA)
        if self.t_beta3:
            part, ln1, ln3 = t / self.t_beta3, math.log(beta1), math.log(self.BETA3)
            beta3 = min(math.exp(ln1 * ln3 / ((1 - part) * ln3 + part * ln1)), self.BETA3)
        for group in self.param_groups:
            for p in group["params"]:
                w = self.state[p].setdefault("w", p.double().clone())
                m1, m2, nu = (self.state[p].setdefault(key, torch.zeros_like(w)) for key in ("m1", "m2", "nu"))
                g = p.grad.double()
                m1.copy_(beta1 * m1 + (1 - beta1) * g)
                m2.copy_(beta3 * m2 + (1 - beta3) * g)
                nu.copy_(beta2 * nu + (1 - beta2) * g**2)
                m1_hat, nu_hat = m1 / (1 - beta1**t), nu / (1 - beta2**t)
                w -= group["lr"] * ((m1_hat + alpha * m2) / (nu_hat.sqrt() + 1e-8) + group["weight_decay"] * w)
                p.copy_(w)


OPTIMIZERS = {
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=1e-8),
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.0),
    "sgd_momentum": lambda groups: torch.optim.SGD(groups, lr=0.0, momentum=0.9),
    "sgd_dampened": lambda groups: torch.optim.SGD(groups, lr=0.0, momentum=0.9, dampening=0.25),
    "sgd_nesterov": lambda groups: torch.optim.SGD(groups, lr=0.0, momentum=0.9, nesterov=True),
    "lion": lambda groups: Lion(groups, lr=0.0),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups, lr=0.0),
    "rmsprop_momentum": lambda groups: torch.optim.RMSprop(groups, lr=0.0, momentum=0.9),
    "rmsprop_centered": lambda groups: torch.optim.RMSprop(groups, lr=0.0, alpha=0.9, eps=1e-3, momentum=0.5, centered=True),
    "adagrad": lambda groups: torch.optim.Adagrad(groups, lr=0.0),
    "adagrad_decay": lambda groups: torch.optim.Adagrad(groups, lr=0.0, lr_decay=0.1, eps=1e-3),
    "ademamix": lambda groups: AdEMAMix(groups, 0.0, None, None),
    "ademamix_warmup": lambda groups: AdEMAMix(groups, 0.0, 30, 30),
    "ademamix_two_warmups": lambda groups: AdEMAMix(groups, 0.0, 12, 40),
    "adafactor": lambda groups: Adafactor(groups, lr=0.0, scale_parameter=False, relative_step=False),
}


def lines(tensors):
    return [" ".join(f"{value:.9g}" for value in t.flatten().tolist()) for t in tensors]


def rate_of(step):
    return 0.02 / (1 + step)


def main():
    torch.manual_seed(7)
    OUT.mkdir(parents=True, exist_ok=True)
    initial = [torch.randn(shape) for shape in TENSORS.values()]
    # Rows and columns of very different size, which is what adafactor's factors are for.
    gradients = [
        [torch.randn(shape) * torch.rand(shape[0]).pow(3).reshape(-1, *[1] * (len(shape) - 1)) * 3 for shape in TENSORS.values()]
        for _ in range(STEPS)
    ]
    (OUT / "run.txt").write_text("\n".join(lines(initial) + [line for step in gradients for line in lines(step)]) + "\n")
    for name, make in OPTIMIZERS.items():
        parameters = [torch.nn.Parameter(t.clone()) for t in initial]
        decayed = [p for p in parameters if p.dim() > 1]
        rest = [p for p in parameters if p.dim() == 1]
        optimizer = make([{"params": decayed, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0.0}])
        kept = []
        for step in range(STEPS):
            for parameter, gradient in zip(parameters, gradients[step]):
                parameter.grad = gradient * (0.25 if step % 2 else 1.0)
            for group in optimizer.param_groups:
                group["lr"] = rate_of(step)
            optimizer.step()
            if step + 1 in KEPT:
                kept += lines(p.detach() for p in parameters)
        (OUT / f"{name}.txt").write_text("\n".join(kept) + "\n")


if __name__ == "__main__":
    main()
