"""What Python's peft computes with LoRA and DoRA adapters on the golden models.

Each folder holds a saved PEFT adapter (base_model_name_or_path is relative to it) and the logits, the loss, every
gradient and the losses of five AdamW steps that peft on transformers (eager attention, float32, one row at a time)
gets from it. B and the magnitudes are random, so that an adapter left out shows in the logits.

Run:  python scripts/oracles/lora.py [--models test/fixtures/models] [--out test/fixtures/extra/lora] [--only name]
"""

import argparse
import json
import os
import shutil
from pathlib import Path

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

from models import OPTIMIZER, load, loss_of

REPO = Path(__file__).resolve().parents[2]
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
# name: base model, LoraConfig
CASES = {
    "llama": ("llama", {"r": 4, "lora_alpha": 16}),
    "llama-rslora": (
        "llama-3.2",
        {
            "r": 4,
            "lora_alpha": 6,
            "target_modules": "all-linear",
            "use_rslora": True,
            "rank_pattern": {"v_proj": 2, r"layers\.0\.mlp\..*": 3},
            "alpha_pattern": {"layers.1.self_attn.q_proj": 9},
        },
    ),
    "qwen2-saved": ("qwen2", {"r": 4, "target_modules": ATTENTION, "modules_to_save": ["lm_head", "embed_tokens"]}),
    "qwen2-norms": ("qwen2", {"r": 2, "target_modules": r".*\.1\..*_proj", "modules_to_save": ["norm"]}),
    "qwen3-layers": ("qwen3", {"r": 3, "target_modules": ["q_proj", "down_proj"], "layers_to_transform": [1], "exclude_modules": ["k_proj"]}),
    "phi3": ("phi3", {"r": 4, "target_modules": ["qkv_proj", "gate_up_proj"]}),
    "gemma2": ("gemma2", {"r": 4, "target_modules": "all-linear"}),
    "gemma3": ("gemma3", {"r": 4, "target_modules": ["q_proj", "k_proj", "gate_proj"]}),
    "granite": ("granite", {"r": 4, "target_modules": ["up_proj", "v_proj"]}),
    "gpt2": ("gpt2", {"r": 4, "target_modules": ["c_attn", "c_fc", "c_proj"], "fan_in_fan_out": True}),
    "phi": ("../extra/models/phi", {"r": 4, "target_modules": "all-linear"}),
    "gptneox-dora": ("../extra/models/gptneox", {"r": 4, "use_dora": True, "target_modules": ["query_key_value", "dense", "dense_4h_to_h"]}),
    "cohere-saved": ("../extra/models/cohere-qk-norm", {"r": 4, "target_modules": "all-linear", "modules_to_save": ["lm_head"]}),
    "gemma3-whole": ("../extra/models/gemma3-whole", {"r": 4, "target_modules": r".*language_model\..*\.(q_proj|down_proj)"}),
    "llama-dora": ("llama", {"r": 4, "target_modules": "all-linear", "use_dora": True}),
    "qwen2-dora": ("qwen2", {"r": 4, "target_modules": ATTENTION, "use_dora": True, "use_rslora": True}),
    "gpt2-dora": ("gpt2", {"r": 4, "target_modules": ["c_attn", "c_proj"], "use_dora": True, "fan_in_fan_out": True}),
}


def adapted(base, options, seed):
    torch.manual_seed(seed)
    model = peft.get_peft_model(base, peft.LoraConfig(task_type="CAUSAL_LM", **options))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.1)
            elif "magnitude" in name:
                parameter.mul_(1 + 0.2 * torch.randn_like(parameter))
            elif "modules_to_save" in name:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def own_name(name):
    """A parameter's name as it stands in adapter_model.safetensors, without the prefix."""
    name = name.replace(".modules_to_save.default", "").replace("lora_magnitude_vector.default.weight", "lora_magnitude_vector")
    return name.replace(".default", "").removeprefix("base_model.model.").replace("model.language_model.", "model.")


def figures(model, rows):
    trained = {own_name(name): p for name, p in model.named_parameters() if p.requires_grad}
    with torch.no_grad():
        logits = torch.cat([model(row[None]).logits[0] for row in rows])
    loss = loss_of(model, rows)
    loss.backward()
    tensors = {"inputIds": torch.cat(rows), "logits": logits}
    tensors.update({f"grad.{name}": p.grad.clone() for name, p in trained.items()})
    known = {"loss": loss.item(), "trainLosses": [], "gradNorms": []}
    optimizer = torch.optim.AdamW(trained.values(), lr=OPTIMIZER["lr"], betas=OPTIMIZER["betas"], eps=OPTIMIZER["eps"], weight_decay=0)
    for _ in range(5):
        optimizer.zero_grad()
        loss = loss_of(model, rows)
        loss.backward()
        known["trainLosses"].append(loss.item())
        known["gradNorms"].append(torch.nn.utils.clip_grad_norm_(trained.values(), OPTIMIZER["maxGradNorm"]).item())
        optimizer.step()
    with torch.no_grad():
        known["trainLosses"].append(loss_of(model, rows).item())
    return tensors, known


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=REPO / "test/fixtures/models")
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/extra/lora")
    parser.add_argument("--only", nargs="*", help="cases of these names")
    options = parser.parse_args()
    for seed, (name, (base, config)) in enumerate(CASES.items(), start=1):
        if options.only and name not in options.only:
            continue
        source, folder = options.models / base, options.out / name
        golden = json.loads((source / "expected.json").read_text())
        rows = list(load_file(source / "expected.safetensors")["inputIds"].split(golden["lengths"]))
        shutil.rmtree(folder, ignore_errors=True)
        model = adapted(load(source), config, seed)
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        path = folder / "adapter_config.json"
        saved = json.loads(path.read_text())
        saved["base_model_name_or_path"] = os.path.relpath(source, folder)
        for key in ("target_modules", "modules_to_save"):
            if isinstance(saved[key], list):
                saved[key].sort()
        path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
        tensors, known = figures(model, rows)
        stored = {own_name(key) for key in load_file(folder / "adapter_model.safetensors")}
        if stored != {key.removeprefix("grad.") for key in tensors if key.startswith("grad.")}:
            raise SystemExit(f"{name}: the names of what is trained and of what is saved differ")
        save_file(tensors, folder / "expected.safetensors")
        about = {"base": base, "lengths": golden["lengths"], "optimizer": OPTIMIZER, "peft": peft.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
        (folder / "expected.json").write_text(json.dumps({**about, **known}, indent=1) + "\n")
        print(f"{name}: loss {known['loss']:.4f} -> {known['trainLosses'][-1]:.4f}, |grad| {known['gradNorms'][0]:.3f}")


if __name__ == "__main__":
    main()
