"""What Python's peft computes with LoRA and DoRA adapters on the golden models.

Each folder holds a saved PEFT adapter (base_model_name_or_path is relative to it) and the logits, the loss, every
gradient and the losses of five AdamW steps that peft on transformers (eager attention, float32, one row at a time)
gets from it. B and the magnitudes are random, so that an adapter left out shows in the logits.

Run:  python scripts/oracles/lora.py [--models test/fixtures/models] [--out test/fixtures/extra/lora] [--only name…]
"""

import argparse
import json
import os
import re
import shutil
from pathlib import Path

import peft
import peft.optimizers
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
    "llama-tables": ("llama", {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "embed_tokens", "lm_head"]}),
    "gemma2-embedding": ("gemma2", {"r": 3, "target_modules": ["embed_tokens", "v_proj"]}),
    "granite-head": ("granite", {"r": 3, "target_modules": ["lm_head", "o_proj"], "use_rslora": True}),
    "qwen2-head": ("qwen2", {"r": 3, "target_modules": ["lm_head", "q_proj"]}),
    "qwen2-tables-tied": ("qwen2", {"r": 3, "target_modules": ["q_proj", "embed_tokens", "lm_head"], "ensure_weight_tying": True}),
    "qwen2-saved-tied": ("qwen2", {"r": 3, "target_modules": ["q_proj"], "modules_to_save": ["lm_head"], "ensure_weight_tying": True}),
    "qwen2-tokens": ("qwen2", {"r": 3, "target_modules": ["q_proj"], "trainable_token_indices": [97, 4, 11, 0]}),
    "qwen2-tokens-apart": ("qwen2", {"r": 3, "target_modules": ["q_proj"], "trainable_token_indices": {"embed_tokens": [4, 11], "lm_head": [11, 40, 3]}}),
    "llama-tokens-head": ("llama", {"r": 3, "target_modules": ["q_proj", "lm_head"], "trainable_token_indices": [4, 11, 0]}),
    "gpt2-tokens": ("gpt2", {"r": 3, "target_modules": ["c_attn"], "trainable_token_indices": {"wte": [5, 9], "wpe": [0, 2]}, "fan_in_fan_out": True}),
    "gpt2-tables": ("gpt2", {"r": 3, "target_modules": ["wte", "wpe", "c_fc"], "fan_in_fan_out": True}),
    "qwen2-bias": ("qwen2", {"r": 3, "target_modules": ["q_proj", "down_proj"], "bias": "lora_only"}),
    "gpt2-bias": ("gpt2", {"r": 3, "target_modules": ["c_attn"], "bias": "all", "use_dora": True, "fan_in_fan_out": True}),
    "llama-parameters": ("llama", {"r": 3, "target_modules": ["v_proj"], "target_parameters": ["q_proj.weight", "1.mlp.down_proj.weight", "lm_head.weight"], "rank_pattern": {"q_proj.weight": 2}}),
    "gpt2-parameters": ("gpt2", {"r": 3, "target_modules": [], "target_parameters": ["c_attn.weight", "1.mlp.c_proj.weight"]}),
    "qwen3-regexp": ("qwen3", {"r": 3, "target_modules": r"(?i).*\.(?P<kind>SELF_ATTN)\.[QV]_(?:proj)", "rank_pattern": {r"(?i:Q_)(?P<end>proj)": 2}}),
    "llama-pissa": ("llama", {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "down_proj"], "init_lora_weights": "pissa"}),
    "gpt2-pissa": ("gpt2", {"r": 4, "target_modules": ["c_attn"], "init_lora_weights": "pissa", "use_rslora": True, "fan_in_fan_out": True}),
    "llama-olora": ("llama", {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "k_proj"], "init_lora_weights": "olora"}),
    "llama-decay": ("llama", {"r": 4, "target_modules": ["q_proj", "embed_tokens"]}),
    "mixtral-experts": ("../extra/models/mixtral", {"r": 3, "lora_alpha": 5, "target_modules": ["q_proj"], "target_parameters": ["experts.gate_up_proj", "0.mlp.experts.down_proj", "1.mlp.experts.down_proj"], "rank_pattern": {"1.mlp.experts.down_proj": 2}}),
    "qwen3moe-linear": ("../extra/models/qwen3moe", {"r": 2, "target_modules": "all-linear"}),
    "gptoss-experts": ("../extra/models/gptoss", {"r": 2, "target_modules": ["v_proj"], "target_parameters": ["gate_up_proj", "down_proj", "router.weight"], "bias": "all", "use_rslora": True}),
}
# Weight decay and LoRA+ of some, as the Hugging Face Trainer and peft.optimizers.create_loraplus_optimizer group them.
TRAINING = {
    "llama-decay": {"loraplus": {"ratio": 4, "embedding": 5e-4}, "weight_decay": 0.1},
    "gpt2-bias": {"weight_decay": 0.2},
    "llama-dora": {"weight_decay": 0.2},
    "qwen2-tokens": {"weight_decay": 0.1},
    "qwen2-bias": {"loraplus": {"ratio": 3, "embedding": 1e-3}, "weight_decay": 0.1},
}


def adapted(base, options, seed):
    torch.manual_seed(seed)
    model = peft.get_peft_model(base, peft.LoraConfig(task_type="CAUSAL_LM", **options))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # In a weight that is stored [inputs, outputs], both are drawn.
            if "lora_B" in name or "lora_embedding_A" in name:
                if "init_lora_weights" in options:
                    parameter.add_(0.05 * torch.randn_like(parameter))
                else:
                    parameter.normal_(0, 0.1)
            elif "base_layer.bias" in name and parameter.requires_grad or name.endswith(".bias") and options.get("bias") == "all":
                parameter.add_(0.05 * torch.randn_like(parameter))
            elif "trainable_tokens_delta" in name:
                parameter.add_(0.05 * torch.randn_like(parameter))
            elif "magnitude" in name:
                parameter.mul_(1 + 0.2 * torch.randn_like(parameter))
            elif "modules_to_save" in name:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def own_name(name):
    """A parameter's name as it stands in adapter_model.safetensors, without the prefix."""
    name = name.replace(".experts.lora_", ".experts.down_proj.lora_").replace(".experts.base_layer.lora_", ".experts.gate_up_proj.lora_")
    name = name.replace(".modules_to_save.default", "").replace("lora_magnitude_vector.default.weight", "lora_magnitude_vector")
    return name.replace(".default", "").removeprefix("base_model.model.").replace(".base_layer.base_layer.", ".").replace(".base_layer.", ".").replace("model.language_model.", "model.")


def optimizer_of(model, options):
    settings = {"betas": OPTIMIZER["betas"], "eps": OPTIMIZER["eps"]}
    decay = options.get("weight_decay", 0)
    if "loraplus" in options:
        plus = options["loraplus"]
        return peft.optimizers.create_loraplus_optimizer(
            model, torch.optim.AdamW, lr=OPTIMIZER["lr"], loraplus_lr_ratio=plus["ratio"], loraplus_lr_embedding=plus["embedding"],
            loraplus_weight_decay=decay, **settings,
        )  # fmt: skip
    decayed = set(transformers.Trainer.get_decay_parameter_names(None, model))
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for name, p in trained if name in decayed], "weight_decay": decay},
        {"params": [p for name, p in trained if name not in decayed], "weight_decay": 0},
    ]
    return torch.optim.AdamW(groups, lr=OPTIMIZER["lr"], **settings)


def figures(model, rows, options):
    trained = {own_name(name): p for name, p in model.named_parameters() if p.requires_grad}
    with torch.no_grad():
        logits = torch.cat([model(row[None]).logits[0] for row in rows])
    loss = loss_of(model, rows)
    loss.backward()
    tensors = {"inputIds": torch.cat(rows), "logits": logits}
    tensors.update({f"grad.{name}": p.grad.clone().contiguous() for name, p in trained.items()})
    known = {"loss": loss.item(), "trainLosses": [], "gradNorms": []}
    optimizer = optimizer_of(model, options)
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
    parser.add_argument("--only", nargs="*", help="cases whose whole names one of these regular expressions matches")
    options = parser.parse_args()
    for seed, (name, (base, config)) in enumerate(CASES.items(), start=1):
        if options.only and not any(re.fullmatch(one, name) for one in options.only):
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
        # Training moves the merged base of pissa too: what is asked for is what a stored adapter computes.
        tensors, known = figures(model, rows, TRAINING.get(name, {}))
        # A table that is not trained itself is stored beside what is added to it, and a tied head twice.
        tables = {key for key in load_file(folder / "adapter_model.safetensors") if ".base_layer.weight" in key}
        stored = {own_name(key) for key in load_file(folder / "adapter_model.safetensors") if key not in tables}
        if name.endswith("saved-tied"):
            stored.discard("lm_head.weight")
        if stored != {key.removeprefix("grad.") for key in tensors if key.startswith("grad.")}:
            raise SystemExit(f"{name}: the names of what is trained and of what is saved differ")
        save_file(tensors, folder / "expected.safetensors")
        if name in TRAINING:
            known["training"] = TRAINING[name]
        about = {"base": base, "lengths": golden["lengths"], "optimizer": OPTIMIZER, "peft": peft.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
        (folder / "expected.json").write_text(json.dumps({**about, **known}, indent=1) + "\n")
        print(f"{name}: loss {known['loss']:.4f} -> {known['trainLosses'][-1]:.4f}, |grad| {known['gradNorms'][0]:.3f}")


if __name__ == "__main__":
    main()
