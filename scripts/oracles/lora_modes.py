"""Makes adapters with peft in every mode that it has, on tiny models with and without a tied head, and what peft computes
once it opens them again.

Each trained weight is moved at random before the adapter is saved, so that one that is left out shows in the logits.
modes.json beside the folders lists them: the base, the mode, and the logits of one row, or why peft could not make it.

Run:  python scripts/oracles/lora_modes.py --out FOLDER [--models test/fixtures] [--only name…]
"""

import argparse
import json
import os
import re
import warnings
from pathlib import Path

import peft
import torch
import transformers
from peft.tuners.lora import config as lora_config

from lora_changed_base import preprocess_corda, preprocess_loraga
from models import load

warnings.filterwarnings("ignore")
transformers.utils.logging.set_verbosity_error()
REPO = Path(__file__).resolve().parents[2]
ROW = torch.tensor([1, 5, 9, 30, 2, 44, 7, 41, 3])
SAMPLE = torch.tensor([[1, 5, 9, 30, 2, 44, 7, 11, 23], [3, 8, 7, 12, 20, 41, 6, 25, 50]])


def inits(target):
    for init in [True, False, "gaussian", "eva", "olora", "pissa", "pissa_niter_4", "corda", "loftq", "orthogonal", "mica", "lora_ga"]:
        yield f"init {init}", {"init_lora_weights": init, "target_modules": [target]}


def settings(a, b, down, head, table, layers):
    """Modes of LoraConfig; a and b are attention's projections, down one of the feed-forward."""
    yield from inits(a)
    yield "rslora", {"use_rslora": True, "target_modules": [a, down]}
    yield "dora", {"use_dora": True, "target_modules": [a, down]}
    yield "dora rslora pissa", {"use_dora": True, "use_rslora": True, "target_modules": [a], "init_lora_weights": "pissa"}
    for bias in ["none", "all", "lora_only"]:
        yield f"bias {bias}", {"bias": bias, "target_modules": [a, down]}
        yield f"bias {bias} dora", {"bias": bias, "use_dora": True, "target_modules": [a]}
    yield "saves head", {"target_modules": [a], "modules_to_save": [head]}
    yield "saves both", {"target_modules": [a], "modules_to_save": [head, table]}
    yield "saves a projection", {"target_modules": [a], "modules_to_save": [down]}
    for module in [head, table]:
        yield f"targets {module}", {"target_modules": [a, module]}
        yield f"dora on {module}", {"target_modules": [a, module], "use_dora": True}
        yield f"rslora on {module}", {"target_modules": [a, module], "use_rslora": True}
        yield f"pissa on {module}", {"target_modules": [a, module], "init_lora_weights": "pissa"}
        yield f"olora on {module}", {"target_modules": [a, module], "init_lora_weights": "olora"}
    yield "targets both", {"target_modules": [a, head, table]}
    for tying in [{"modules_to_save": [head]}, {"modules_to_save": [table]}, {"modules_to_save": [head, table]}]:
        yield f"tied {tying}", {"target_modules": [a], "ensure_weight_tying": True, **tying}
    for targets in [[a, head], [a, table], [a, head, table]]:
        yield f"tied {targets}", {"target_modules": targets, "ensure_weight_tying": True}
    yield "tied tokens", {"target_modules": [a], "ensure_weight_tying": True, "trainable_token_indices": [3, 5]}
    yield "tied saves and tokens", {"target_modules": [a], "ensure_weight_tying": True, "modules_to_save": [head], "trainable_token_indices": [3, 5]}
    yield "tokens", {"target_modules": [a], "trainable_token_indices": [44, 3, 5]}
    yield "tokens by name", {"target_modules": [a], "trainable_token_indices": {table: [3, 44]}}
    yield "tokens of both", {"target_modules": [a], "trainable_token_indices": {table: [3, 44], head: [3, 44]}}
    yield "tokens apart", {"target_modules": [a], "trainable_token_indices": {table: [3], head: [44, 5]}}
    yield "tokens and head", {"target_modules": [a, head], "trainable_token_indices": [3, 44]}
    yield "tokens dora", {"target_modules": [a], "trainable_token_indices": [3, 44], "use_dora": True}
    yield "ranks", {"target_modules": [a, down], "rank_pattern": {a: 5, rf".*\.1\..*{down}": 1}, "alpha_pattern": {f"^.*{down}": 3}}
    yield "layers", {"target_modules": [a, down], "layers_to_transform": [1], "layers_pattern": layers}
    yield "one layer", {"target_modules": [a], "layers_to_transform": 1}
    yield "excluded", {"target_modules": [a, down], "exclude_modules": [f"{layers}.0.{'attn' if layers == 'h' else 'self_attn'}.{a}"]}
    yield "excluded by expression", {"target_modules": [a, down], "exclude_modules": rf".*\.0\..*{a}"}
    yield "excluded of all", {"target_modules": "all-linear", "exclude_modules": [a]}
    yield "expression", {"target_modules": rf".*\.1\.(?:\w+)\.({a}|{down})$"}
    yield "expression of Python", {"target_modules": rf"(?i).*\.(?P<block>[01])\.\w+\.({a.upper()})\Z"}
    yield "all-linear", {"target_modules": "all-linear"}
    yield "all-linear dora", {"target_modules": "all-linear", "use_dora": True, "use_rslora": True}
    yield "parameters", {"target_modules": [], "target_parameters": [f"{a}.weight"]}
    yield "parameters beside modules", {"target_modules": [b], "target_parameters": [f"0.{'attn' if layers == 'h' else 'self_attn'}.{a}.weight"]}
    yield "parameters of tables", {"target_modules": [a], "target_parameters": [f"{table}.weight"]}
    yield "parameters of the head", {"target_modules": [a], "target_parameters": [f"{head}.weight"]}
    yield "parameters pissa", {"target_modules": [], "target_parameters": [f"{down}.weight"], "init_lora_weights": "pissa"}
    yield "lora_bias", {"target_modules": [a], "lora_bias": True}
    yield "replicated layers", {"target_modules": [a], "layer_replication": [[0, 2], [1, 2]]}
    yield "alora", {"target_modules": [a], "alora_invocation_tokens": [5, 9]}
    yield "qalora", {"target_modules": [a], "use_qalora": True, "qalora_group_size": 4}
    yield "megatron", {"target_modules": [a], "megatron_config": {"x": 1}}
    yield "arrow", {"target_modules": [a], "arrow_config": peft.ArrowConfig(top_k=1)}
    yield "bdlora", {"target_modules": [a], "use_bdlora": {"target_modules_bd_a": [a], "nblocks": 2}}
    for key, kind in [("kasa_config", "KasaConfig"), ("velora_config", "VeloraConfig"), ("monteclora_config", "MonteCLoraConfig")]:
        if hasattr(lora_config, kind):
            yield key, {"target_modules": [a], key: getattr(lora_config, kind)()}
    yield "dropout", {"target_modules": [a], "lora_dropout": 0.5, "use_dora": True}


def of_experts():
    both = ["experts.gate_up_proj", "experts.down_proj"]
    yield "both", {"target_modules": ["q_proj"], "target_parameters": both}
    yield "gate and up", {"target_modules": [], "target_parameters": ["gate_up_proj"]}
    yield "down", {"target_modules": [], "target_parameters": ["down_proj"], "rank_pattern": {".*down_proj": 3}}
    yield "rslora", {"target_modules": [], "target_parameters": both, "use_rslora": True, "init_lora_weights": "gaussian"}
    yield "router", {"target_modules": [], "target_parameters": ["mlp.gate.weight", "mlp.router.weight"]}
    yield "biases", {"target_modules": [], "target_parameters": both, "bias": "all"}
    yield "of experts", {"target_modules": [], "target_parameters": ["gate_up_proj_bias"]}
    yield "all-linear", {"target_modules": "all-linear"}
    yield "former names", {"target_modules": ["gate_proj", "up_proj", "down_proj", "w1", "w2", "w3"]}
    yield "expression", {"target_modules": r".*\.(q_proj|down_proj)"}
    yield "whole router", {"target_modules": ["q_proj"], "modules_to_save": ["gate", "router"]}
    yield "whole experts", {"target_modules": ["q_proj"], "modules_to_save": ["experts"]}
    yield "orthogonal", {"target_modules": [], "target_parameters": both, "init_lora_weights": "orthogonal"}


LLAMA = ("q_proj", "v_proj", "down_proj", "lm_head", "embed_tokens", "layers")
GPT2 = ("c_attn", "c_fc", "mlp.c_proj", "lm_head", "wte", "h")
BASES = {
    "models/llama": settings(*LLAMA),
    "models/qwen2": settings(*LLAMA),
    "models/gpt2": settings(*GPT2),
    "extra/models/mixtral": of_experts(),
    "extra/models/qwen2moe": of_experts(),
    "extra/models/qwen3moe": of_experts(),
    "extra/models/gptoss": of_experts(),
}


def other_methods():
    few = {"num_virtual_tokens": 3}
    given = {"PREFIX_TUNING": few, "PROMPT_TUNING": few, "P_TUNING": {**few, "encoder_hidden_size": 8}, "ADALORA": {"total_step": 10}}
    for kind, config in peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING.items():
        name = getattr(kind, "value", str(kind))
        if name != "LORA":
            yield name, config, given.get(name, {})


def lora(base, options):
    init = options.get("init_lora_weights")
    more = {
        "corda": lambda: {"corda_config": lora_config.CordaConfig(corda_method="kpm")},
        "lora_ga": lambda: {"lora_ga_config": lora_config.LoraGAConfig()},
        "loftq": lambda: {"loftq_config": lora_config.LoftQConfig(loftq_bits=4)},
    }.get(init, dict)()
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=3, **options, **more)
    if init == "corda":
        with torch.no_grad():
            preprocess_corda(base, config, run_model=lambda: [base(row[None]) for row in SAMPLE])
    if init == "lora_ga":
        preprocess_loraga(base, config, lambda: base(SAMPLE, labels=SAMPLE).loss.backward())
    model = peft.get_peft_model(base, config)
    if init == "eva":
        peft.initialize_lora_eva_weights(model, [{"input_ids": SAMPLE}] * 2)
    return model


def other(base, config, options):
    try:
        return peft.get_peft_model(base, config(task_type="CAUSAL_LM", **options))
    except ValueError:
        return peft.get_peft_model(base, config(task_type="CAUSAL_LM", target_modules=["q_proj"], **options))


def made(base, folder, make):
    """The logits of an adapter that was made, moved, saved and opened again."""
    torch.manual_seed(7)
    model = make(load(base))
    with torch.no_grad():
        for parameter in {id(p): p for p in model.parameters() if p.requires_grad}.values():
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    path = folder / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = str(base)
    path.write_text(json.dumps(saved))
    opened = peft.PeftModel.from_pretrained(load(base), folder).eval()
    with torch.no_grad():
        return opened(ROW[None]).logits[0].flatten().tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=REPO / "test/fixtures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="modes whose names match one of these regular expressions")
    options = parser.parse_args()
    jobs = [(base, name, values, lambda model, v=values: lora(model, v)) for base, modes in BASES.items() for name, values in modes]
    jobs += [("models/llama", f"type {name}", {"peft_type": name}, lambda m, c=config, v=values: other(m, c, v)) for name, config, values in other_methods()]
    found = []
    for number, (base, name, values, make) in enumerate(jobs):
        whole = f"{base} {name}"
        if options.only and not any(re.search(one, whole) for one in options.only):
            continue
        folder = options.out / str(number)
        record = {"name": whole, "keys": sorted(values), "dir": str(folder)}
        try:
            record["logits"] = made((options.models / base).resolve(), folder, make)
        except Exception as error:  # peft's refusals are of every class
            record["error"] = f"{type(error).__name__}: {str(error)[:300]}"
        found.append(record)
    os.makedirs(options.out, exist_ok=True)
    (options.out / "modes.json").write_text(json.dumps({"row": ROW.tolist(), "modes": found}))


if __name__ == "__main__":
    main()
