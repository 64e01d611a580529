"""Twenty steps of each optimizer by PyTorch's and transformers' own code, on three small tensors.

Writes test/fixtures/extra/optimizers/: `run.txt` holds the weights to begin with and the gradients of every step,
`<optimizer>.txt` the weights after steps 1, 10 and 20. Numbers only, in the order of TENSORS, one tensor a line.
Gradients of even steps are scaled, as clipping does. Run:  python scripts/oracles/optimizers.py
"""

from pathlib import Path

import torch
from transformers.optimization import Adafactor

OUT = Path(__file__).resolve().parents[2] / "test/fixtures/extra/optimizers"
# Two tensors that the engine keeps fused in one matrix, and a bias.
TENSORS = {"q": (5, 12), "k": (3, 12), "bias": (7,)}
STEPS, KEPT = 20, (1, 10, 20)
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


OPTIMIZERS = {
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=1e-8),
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.0),
    "sgd_momentum": lambda groups: torch.optim.SGD(groups, lr=0.0, momentum=0.9),
    "lion": lambda groups: Lion(groups, lr=0.0),
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
