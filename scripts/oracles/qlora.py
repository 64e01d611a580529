"""What bitsandbytes, transformers and peft compute with adapters on quantised bases.

Each folder holds `base` (the weights of a golden model) and `quantized` (the checkpoint that transformers makes of it with
bitsandbytes); the folder itself is a saved PEFT adapter on that, with the logits, the loss, every gradient and the losses
of 20 AdamW steps in float32. Needs bitsandbytes and accelerate.

Run:  python scripts/oracles/qlora.py [--models test/fixtures/models] [--out test/fixtures/extra/qlora] [--only name]
"""

import argparse
import json
import os
import shutil
from pathlib import Path

# Compiled, its operators are no other, only slower to begin.
os.environ["TORCHDYNAMO_DISABLE"] = "1"

import bitsandbytes  # noqa: E402
import peft  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from lora import adapted, own_name  # noqa: E402
from models import OPTIMIZER, loss_of  # noqa: E402

REPO = Path(__file__).resolve().parents[2]
STEPS = 20
NF4 = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": torch.float32}
# name: golden model, BitsAndBytesConfig, LoraConfig
CASES = {
    "llama-nf4": ("llama", NF4, {"r": 4, "target_modules": "all-linear"}),
    "qwen2-nf4-plain": ("qwen2", {**NF4, "bnb_4bit_use_double_quant": False, "llm_int8_skip_modules": ["lm_head", "k_proj", "model.layers.1.mlp"]}, {"r": 4, "target_modules": ["q_proj", "v_proj", "down_proj"], "use_dora": True}),
    "gpt2-fp4": ("gpt2", {**NF4, "bnb_4bit_quant_type": "fp4"}, {"r": 4, "target_modules": ["c_attn", "c_proj"]}),
    "phi3-int8": ("phi3", {"load_in_8bit": True}, {"r": 4, "target_modules": ["qkv_proj", "down_proj"]}),
}


def opened(folder, config=None):
    options = {} if config is None else {"quantization_config": transformers.BitsAndBytesConfig(**config)}
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", device_map="cpu", **options)


def rounded(model):
    """The model with weights that bfloat16 holds, so that the sum of the scales is exact, whatever its order. They stay float32:
    in backward, and for DoRA's norms, bitsandbytes and peft round to the type of the base."""
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16().float()
    return model


def figures(model, rows):
    trained = {own_name(name): p for name, p in model.named_parameters() if p.requires_grad}
    # 8-bit products round activations too where no gradient is wanted.
    logits = torch.cat([model(row[None]).logits[0] for row in rows]).detach()
    loss = loss_of(model, rows)
    loss.backward()
    tensors = {"inputIds": torch.cat(rows), "logits": logits}
    tensors.update({f"grad.{name}": p.grad.clone() for name, p in trained.items()})
    known = {"loss": loss.item(), "trainLosses": [], "gradNorms": []}
    optimizer = torch.optim.AdamW(trained.values(), lr=OPTIMIZER["lr"], betas=OPTIMIZER["betas"], eps=OPTIMIZER["eps"], weight_decay=0)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model, rows)
        loss.backward()
        known["trainLosses"].append(loss.item())
        known["gradNorms"].append(torch.nn.utils.clip_grad_norm_(trained.values(), OPTIMIZER["maxGradNorm"]).item())
        optimizer.step()
    known["trainLosses"].append(loss_of(model, rows).item())
    return tensors, known


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=REPO / "test/fixtures/models")
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/extra/qlora")
    parser.add_argument("--only", help="cases whose names contain this")
    options = parser.parse_args()
    for seed, (name, (golden, bits, config)) in enumerate(CASES.items(), start=1):
        if options.only and options.only not in name:
            continue
        source, folder = options.models / golden, options.out / name
        about = json.loads((source / "expected.json").read_text())
        rows = list(load_file(source / "expected.safetensors")["inputIds"].split(about["lengths"]))
        shutil.rmtree(folder, ignore_errors=True)
        rounded(opened(source)).save_pretrained(folder / "base")
        opened(folder / "base", bits).save_pretrained(folder / "quantized")
        base = opened(folder / "quantized")
        with torch.no_grad():
            logits = base.train()(rows[0][None]).logits[0] if "load_in_8bit" in bits else base.eval()(rows[0][None]).logits[0]
        model = adapted(base, config, seed)
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        path = folder / "adapter_config.json"
        saved = json.loads(path.read_text())
        saved["base_model_name_or_path"] = "./quantized"
        if isinstance(saved["target_modules"], list):
            saved["target_modules"].sort()
        path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
        tensors, known = figures(model.train(), rows)
        save_file({**tensors, "baseLogits": logits.detach()}, folder / "expected.safetensors")
        versions = {"bitsandbytes": bitsandbytes.__version__, "peft": peft.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
        what = {"lengths": about["lengths"], "bits": {key: str(value) if key.endswith("dtype") else value for key, value in bits.items()}, "optimizer": OPTIMIZER, **versions}
        (folder / "expected.json").write_text(json.dumps({**what, **known}, indent=1) + "\n")
        print(f"{name}: loss {known['loss']:.4f} -> {known['trainLosses'][-1]:.4f}, |grad| {known['gradNorms'][0]:.3f}")


if __name__ == "__main__":
    main()
