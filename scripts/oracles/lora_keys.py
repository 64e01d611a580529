"""What peft makes of every key of adapter_config.json when it opens an adapter: left out, null, odd, every way to initialise.

Writes test/fixtures/extra/lora-keys/: one adapter of the tiny llama (adapter_model.safetensors, adapter_config.json), the
fields of peft's LoraConfig, and per changed configuration either a few logits that PeftModel.from_pretrained then
computes on the same weights, or why it refuses. An adapter that lacks a weight counts as refused.

Run:  python scripts/oracles/lora_keys.py [--out test/fixtures/extra/lora-keys]
"""

import argparse
import dataclasses
import json
import shutil
import tempfile
import warnings
from pathlib import Path

import peft
import torch
import transformers

from config_keys import REMOVE, write
from models import load

REPO = Path(__file__).resolve().parents[2]
ROW = [1, 5, 9, 30, 2, 44, 7, 101, 63]
PICKS = [(8, 0), (8, 17), (8, 60), (4, 0), (4, 17), (4, 60)]
SUB = {"eva_config": {"rho": 2.0, "tau": 0.99}, "corda_config": {"corda_method": "kpm"}, "loftq_config": {"loftq_bits": 4, "loftq_iter": 1}}
INITS = [True, False, "gaussian", "eva", "olora", "OLoRA", "pissa", "pissa_niter_4", "corda", "loftq", "orthogonal", "mica", "lora_ga", "nonsense", "", 1]
# Values of a key beside null and none at all.
VALUES = {
    "init_lora_weights": INITS,
    "r": [4, 2, 0, -1, "4", 4.0],
    "lora_alpha": [1, 16, 2.5, 0, -3, "8"],
    "lora_dropout": [0.5, 1.0, 2.0, -1],
    "fan_in_fan_out": [True, False],
    "bias": ["all", "lora_only", "none", "x"],
    "use_rslora": [True, False],
    "use_dora": [True, False],
    "use_qalora": [True, False],
    "qalora_group_size": [2, 0],
    "lora_bias": [True, False],
    "target_modules": ["all-linear", ["q_proj"], ["q_proj", "v_proj"], ["v_proj", "q_proj", "x_proj"], ".*(q|v)_proj", ".*\\.0\\.self_attn\\.(q|v)_proj", [], ""],
    "exclude_modules": [[], ["q_proj"], ["k_proj"], ".*k_proj", ""],
    "modules_to_save": [[], ["lm_head"], ["x"]],
    "layers_to_transform": [[0, 1], [1], 0, [], [7]],
    "layers_pattern": ["layers", "h", ["layers"], "", []],
    "rank_pattern": [{}, {"q_proj": 4}, {"q_proj": 2}, {"x": 3}],
    "alpha_pattern": [{}, {"q_proj": 3}, {"layers.1.self_attn.v_proj": 2}, {".*q_proj": 5}, {"x": 3}],
    "task_type": ["CAUSAL_LM", "SEQ_CLS", "FEATURE_EXTRACTION", "x"],
    "peft_type": ["LORA", "ADALORA", "LOHA", "x"],
    "inference_mode": [True, False],
    "ensure_weight_tying": [True, False],
    "trainable_token_indices": [[], [3], {}, {"embed_tokens": [3]}],
    "target_parameters": [[], ["q_proj.weight"]],
    "alora_invocation_tokens": [[], [5, 9]],
    "layer_replication": [[], [[0, 2]], [[0, 2], [1, 2]]],
    "megatron_config": [{}, {"x": 1}],
    "megatron_core": ["megatron.core", "x"],
    "use_bdlora": [False, {}, {"target_modules_bd_a": ["q_proj"], "nblocks": 2}],
    "arrow_config": [{}, {"arrow_top_k": 2}],
    "kasa_config": [{}, {"beta": 0.1}],
    "velora_config": [{}, {"num_groups": 2}],
    "monteclora_config": [{}, {"monteclora_n": 4}],
    "lora_ga_config": [{}, {"direction": "ArB2r"}],
    "eva_config": [{}, SUB["eva_config"]],
    "corda_config": [{}, SUB["corda_config"]],
    "loftq_config": [{}, SUB["loftq_config"]],
    "runtime_config": [{}, {"ephemeral_gpu_offload": False}],
    "auto_mapping": [{}, {"base_model_class": "LlamaForCausalLM", "parent_library": "transformers"}],
    "peft_version": ["0.1.0", "9.0.0"],
    "revision": ["x"],
    "use_a_key_of_later": [True, 3, "x", {"y": 1}],
}
TOGETHER = [
    {"init_lora_weights": "eva", "eva_config": SUB["eva_config"]},
    {"init_lora_weights": "corda", "corda_config": SUB["corda_config"]},
    {"init_lora_weights": "loftq", "loftq_config": SUB["loftq_config"]},
    {"init_lora_weights": "lora_ga", "lora_ga_config": {"direction": "ArB2r"}},
    {"init_lora_weights": "pissa", "lora_alpha": 16, "use_rslora": True},
    {"init_lora_weights": "olora", "alpha_pattern": {"q_proj": 3}},
    {"init_lora_weights": "gaussian", "use_rslora": True},
    {"layers_to_transform": [0, 1], "layers_pattern": "layers"},
    {"layers_to_transform": [0, 1], "layers_pattern": ["layers"]},
    {"layers_to_transform": [0, 1], "layers_pattern": "h"},
    {"layers_to_transform": [0, 1], "layers_pattern": ""},
    {"use_rslora": True, "rank_pattern": {"q_proj": 4}, "alpha_pattern": {"q_proj": 3}},
]


def cases():
    for field in sorted({field.name for field in dataclasses.fields(peft.LoraConfig)} | set(VALUES)):
        if field in ("base_model_name_or_path",):
            continue
        yield {field: REMOVE}
        yield {field: None}
        for value in VALUES.get(field, [True, "x"]):
            yield {field: value}
    yield from TOGETHER


def computed(base, folder):
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            torch.manual_seed(0)
            model = peft.PeftModel.from_pretrained(load(base), folder).eval()
        lacking = [str(one.message) for one in told if "missing adapter keys" in str(one.message)]
        if lacking:
            return "weights: " + lacking[0][:50]
        with torch.no_grad():
            logits = model(torch.tensor([ROW])).logits[0]
        if not torch.isfinite(logits).all():
            return "logits that are not finite"
        return [float(f"{logits[t, v].item():.6g}") for t, v in PICKS]
    except Exception as error:  # noqa: BLE001: whatever it is, peft refuses
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}".replace(str(folder), "")[:70]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/extra/lora-keys")
    options = parser.parse_args()
    transformers.utils.logging.set_verbosity(transformers.utils.logging.CRITICAL)
    base = REPO / "test/fixtures/models/llama"
    shutil.rmtree(options.out, ignore_errors=True)
    torch.manual_seed(7)
    model = peft.get_peft_model(load(base), peft.LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.2)
    model.save_pretrained(options.out)
    (options.out / "README.md").unlink(missing_ok=True)
    path = options.out / "adapter_config.json"
    config = {**json.loads(path.read_text()), "base_model_name_or_path": "../../models/llama"}
    config["target_modules"].sort()
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copy(options.out / "adapter_model.safetensors", folder)

        def result(edits):
            changed = {key: value for key, value in {**config, **edits}.items() if value != REMOVE}
            (folder / "adapter_config.json").write_text(json.dumps(changed))
            return computed(base, folder)

        unchanged = result({})
        known = [(edits, result(edits)) for edits in cases()]
    fields = sorted(field.name for field in dataclasses.fields(peft.LoraConfig))
    write(options.out / "cases.json", {"peft": peft.__version__, "fields": fields, "row": ROW, "picks": PICKS}, unchanged, known)
    for edits, one in known:
        print(json.dumps(edits), "same" if one == unchanged else one)


if __name__ == "__main__":
    main()
