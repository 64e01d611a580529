"""generate() of transformers for decode.bench.ts: reads {"dtype", "prompts"} a line, answers {"seconds", "tokens"}."""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.set_verbosity_error()
folder, new_tokens, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
models = {
    name: AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, name)).eval()
    for name in ("float32", "bfloat16")
}
for model in models.values():
    model.generation_config.eos_token_id = None
print(json.dumps({"seconds": 0, "tokens": []}), flush=True)

for line in sys.stdin:
    order = json.loads(line)
    longest = max(len(prompt) for prompt in order["prompts"])
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in order["prompts"]])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in order["prompts"]])
    begin = time.perf_counter()
    with torch.inference_mode():
        out = models[order["dtype"]].generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=new_tokens,
            min_new_tokens=new_tokens,
            do_sample=False,
            pad_token_id=0,
        )
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "tokens": out[:, longest:].tolist()}), flush=True)
