"""TRL at the sizes of gpu_bench, a line of JSON for each: its chunked loss, and steps of its SFTTrainer.

trl_peers.py [--small]; --small takes sizes at which a CPU is done at once. Run by scripts/gpu/check.mjs; needs no network.
Without TRL it says so, and that is no failure.
"""

import json
import statistics
import sys
import tempfile
import time

GIB = 2**30


def say(name, **numbers):
    print(json.dumps({"name": name, **numbers}), flush=True)


try:
    import torch
    import transformers
    import trl
    from datasets import Dataset
except ImportError as error:
    say("TRL", missing="TRL not found" if error.name == "trl" else f"TRL not found: {error.name} is missing beside it")
    sys.exit(0)

SMALL = "--small" in sys.argv
GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"


def settle():
    if GPU:
        torch.cuda.synchronize()


def forget_peak():
    if GPU:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gib():
    return torch.cuda.max_memory_allocated() / GIB if GPU else 0


def milliseconds(work):
    """The median of five after two that are not counted."""
    times = []
    for turn in range(-2, 5):
        settle()
        since = time.perf_counter()
        work()
        settle()
        if turn >= 0:
            times.append(1e3 * (time.perf_counter() - since))
    return statistics.median(times)


def chunked_loss():
    """What SFTTrainer computes with loss_type="chunked_nll", its default."""
    from trl.trainer.sft_trainer import _chunked_cross_entropy_loss as chunked

    tokens, vocab, width = (8, 97, 16) if SMALL else (16384, 248320, 2048)
    hidden = torch.randn(1, tokens, width, dtype=torch.bfloat16, device=DEVICE, requires_grad=True)
    weight = torch.nn.Linear(width, vocab, bias=False, dtype=torch.bfloat16, device=DEVICE).weight
    labels = (torch.arange(tokens, device=DEVICE) * 7919 % vocab)[None]
    forget_peak()
    before = peak_gib()

    def work():
        hidden.grad = weight.grad = None
        out = chunked(hidden, weight, chunk_size=256, labels=labels)
        (out[0] if isinstance(out, tuple) else out).backward()

    say("TRL, chunked loss", ms=milliseconds(work), gib=peak_gib() - before)


def tokenizer():
    """Needed by the constructor and for its padding token alone: the rows are ids already."""
    from tokenizers import Tokenizer, models

    words = Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1}, unk_token="<pad>"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>")


class Watch(transformers.TrainerCallback):
    def __init__(self):
        self.times = []

    def on_step_begin(self, *_args, **_kwargs):
        settle()
        self.since = time.perf_counter()

    def on_step_end(self, *_args, **_kwargs):
        settle()
        self.times.append(1e3 * (time.perf_counter() - self.since))


def step(name, sizes, rows, length, **more):
    hidden, inner, layers, heads, kv_heads, vocab, tied = sizes
    config = transformers.LlamaConfig(
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        vocab_size=vocab,
        tie_word_embeddings=tied,
    )
    dtype = torch.bfloat16 if "peft_config" in more else torch.float32
    with torch.device(DEVICE):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    data = [{"input_ids": [(row * 31 + i * 7919) % vocab for i in range(length)]} for row in range(7 * rows)]
    watch = Watch()
    with tempfile.TemporaryDirectory() as out:
        trainer = trl.SFTTrainer(
            model=model,
            processing_class=tokenizer(),
            train_dataset=Dataset.from_list(data),
            callbacks=[watch],
            args=trl.SFTConfig(
                output_dir=out,
                dataset_kwargs={"skip_prepare_dataset": True},
                max_length=None,
                per_device_train_batch_size=rows,
                gradient_accumulation_steps=1,
                max_steps=7,
                learning_rate=1e-5,
                max_grad_norm=1.0,
                optim="adamw_torch_fused",
                bf16=True,
                gradient_checkpointing="peft_config" in more,
                use_cpu=not GPU,
                logging_strategy="no",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
            **more,
        )
        forget_peak()
        trainer.train()
    ms = statistics.median(watch.times[2:])
    say(name, ms=ms, tokensPerSecond=rows * length / ms * 1e3, gib=peak_gib())


def full_step():
    sizes = (32, 64, 2, 4, 2, 97, True) if SMALL else (2048, 8192, 16, 32, 8, 128256, True)
    step("TRL, 1 B, full step", sizes, 4, 16 if SMALL else 4096)


def lora_step():
    from peft import LoraConfig

    sizes = (32, 64, 2, 4, 2, 97, False) if SMALL else (4096, 14336, 32, 32, 8, 128256, False)
    adapter = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    step("TRL, 8 B, LoRA step", sizes, 1, 16 if SMALL else 2048, peft_config=adapter)


def main():
    failed = False
    for name, work in (("TRL, chunked loss", chunked_loss), ("TRL, 1 B, full step", full_step), ("TRL, 8 B, LoRA step", lora_step)):
        try:
            work()
        except Exception as error:  # one that fails is a line too, and the others go on
            failed = True
            say(name, failed=str(error).splitlines()[0] if str(error) else type(error).__name__)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
