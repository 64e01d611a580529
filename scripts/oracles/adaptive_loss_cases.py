"""The inputs of the extra adaptive-loss cases: shapes, styles and label patterns that a kernel gets wrong first."""

import torch

IGNORED = -100
ALL_STYLES = ["misc", "ideas", "attention", "both"]
# float32 logits must order like float64 ones, or rank and argmax of a case would be a coin toss.
SMALLEST_GAP = 3e-5


def _unambiguous(hidden, weight, labels):
    """True if no logit is so near to a label's logit, or the second best to the best, that rounding decides."""
    logits = hidden.double() @ weight.double().T
    target = torch.full_like(labels, IGNORED)
    target[:, :-1] = labels[:, 1:]
    z_label = logits.gather(-1, target.clamp(min=0)[..., None])
    gaps = (logits - z_label).abs().scatter(-1, target.clamp(min=0)[..., None], float("inf")).amin(-1)
    top = logits.topk(2, dim=-1).values
    return bool((gaps[target != IGNORED] > SMALLEST_GAP).all() and (top[..., 0] - top[..., 1] > SMALLEST_GAP).all())


def _hidden(generator, weight, labels, right, scale):
    """States of which a share `right` (one, or one per row) points at the next label and the rest nowhere."""
    batch, seq = labels.shape
    noise = torch.randn(batch, seq, weight.shape[1], generator=generator)
    following = torch.cat([labels[:, 1:], labels[:, :1]], 1)
    aimed = weight[following.clamp(min=0)]
    aimed = aimed / aimed.norm(dim=-1, keepdim=True) * weight.shape[1] ** 0.5
    chosen = (torch.rand(batch, seq, generator=generator) < torch.tensor(right).reshape(-1, 1)) & (following != IGNORED)
    return (torch.where(chosen[..., None], aimed * 1.5 + noise * 0.5, noise) * scale).float()


def _prompt_masked(ids, lengths):
    labels = ids.clone()
    for row, length in zip(labels, lengths):
        row[:length] = IGNORED
    return labels


def _case(name, seed, *, vocab, hidden, seq, top_k, styles, labels=None, right=0.5, scale=1.0, demarcation=(), **more):
    """One case: `styles` has a list per step, `labels(step, ids)` turns random ids into that step's labels."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(vocab, hidden, generator=generator)
    tensors, steps = {"weight": weight}, []
    for i, row_styles in enumerate(styles):
        while True:
            ids = torch.randint(0, vocab, (len(row_styles), seq), generator=generator)
            if labels is None:
                step_labels = _prompt_masked(ids, torch.randint(1, seq // 2, (len(row_styles),), generator=generator))
            else:
                step_labels = labels(i, ids)
            states = _hidden(generator, weight, step_labels, right, scale)
            if _unambiguous(states, weight, step_labels):
                break
        tensors[f"s{i}.hidden"], tensors[f"s{i}.labels"] = states, step_labels
        steps.append({"styles": row_styles})
    case = {
        "name": name,
        "topK": top_k,
        "batch": len(styles[0]),
        "seq": seq,
        "hidden": hidden,
        "vocab": vocab,
        "demarkationIds": list(demarcation),
        "alphaInitial": more.pop("alpha", 1.0),
        "betaInitial": more.pop("beta", 1.0),
        **more,
        "steps": steps,
    }
    return case, tensors


def _some_rows_silent(step, ids):
    """Step 0: two silent rows of four; step 1: no label at all; step 2: one label in the whole batch."""
    labels = ids.clone()
    labels[:, :4] = IGNORED
    if step == 0:
        labels[1] = labels[3] = IGNORED
    elif step == 1:
        labels[:] = IGNORED
    elif step == 2:
        labels[:] = IGNORED
        labels[2, 5] = ids[2, 5]
    return labels


def _scattered(_step, ids):
    """Labels with holes in them, one at the first position (which the shift drops) and one at the last."""
    labels = ids.clone()
    labels[:, 1::3] = IGNORED
    return labels


def _demarcated(step, ids):
    """Marker 5,2,5: absent; once; twice; overlapping itself; cut at the end; at the very start; masked away."""
    mark = torch.tensor([5, 2, 5])
    labels = ids.where(ids != 5, torch.tensor(3))
    labels[1, 6:9] = mark
    labels[2, 4:7] = labels[2, 11:14] = mark
    labels[3, 6:11] = torch.tensor([5, 2, 5, 2, 5])
    labels[4, -2:] = mark[:2]
    labels[5, :3] = mark
    labels[6, 6:9] = mark
    labels[6, 7] = IGNORED
    if step == 1:
        labels[1, -3:] = mark
        labels[0, :10] = IGNORED
    return labels


def _ends_marked(_step, ids):
    labels = ids.where(ids != 7, torch.tensor(8))
    labels[0, 9] = 7
    labels[1, 3] = labels[1, 12] = 7
    labels[2, -1] = 7
    return labels


def _ties():
    """Weights and states on a grid of eighths: float32 sums are exact, so equal rows tie to the last bit."""
    generator = torch.Generator().manual_seed(77)
    vocab, width, seq = 31, 16, 14
    weight = torch.randint(-8, 9, (vocab, width), generator=generator) / 8
    weight[9], weight[30], weight[18] = weight[4], weight[4], weight[17]
    tensors, steps = {"weight": weight.float()}, []
    for i, styles in enumerate((["both", "ideas", "attention"], ["misc", "both", "both"])):
        ids = torch.randint(0, vocab, (3, seq), generator=generator)
        ids[:, 3::2] = torch.tensor([4, 9, 30, 17, 18, 4])
        hidden = torch.randint(-16, 17, (3, seq, width), generator=generator) / 8
        # Every other state points at a duplicated row: its copies tie for the first place, and the label is one of them.
        hidden[:, 2:-1:2] = weight[ids[:, 3::2]] * 2
        labels = ids.clone()
        labels[:, :2] = IGNORED
        tensors[f"s{i}.hidden"], tensors[f"s{i}.labels"] = hidden.float(), labels
        steps.append({"styles": styles})
    shape = {"batch": 3, "seq": seq, "hidden": width, "vocab": vocab}
    case = {"name": "tied_logits", "topK": 2, **shape, "demarkationIds": [], "alphaInitial": 1.0, "betaInitial": 1.0}
    return {**case, "steps": steps}, tensors


def extra_cases():
    mixed = [ALL_STYLES, ["both", "misc", "ideas", "attention"], ["attention"] * 2 + ["ideas"] * 2]
    nine = (ALL_STYLES * 3)[:9]
    yield _case("vocab_13", 1, vocab=13, hidden=8, seq=11, top_k=3, styles=mixed)
    yield _case("vocab_257", 2, vocab=257, hidden=16, seq=9, top_k=8, styles=mixed[:2])
    yield _case("vocab_1031", 3, vocab=1031, hidden=6, seq=7, top_k=20, styles=[["both", "ideas"]] * 2)
    yield _case("one_row", 4, vocab=50, hidden=20, seq=13, top_k=4, styles=[["both"], ["ideas"], ["misc"], ["attention"]])
    yield _case("rows_without_labels", 5, vocab=41, hidden=16, seq=10, top_k=4, labels=_some_rows_silent, styles=[ALL_STYLES] * 4)
    yield _case("nine_styles", 6, vocab=67, hidden=16, seq=12, top_k=5, styles=[nine, nine[::-1]])
    yield _case("scattered_labels", 7, vocab=45, hidden=17, seq=15, top_k=2, labels=_scattered, styles=mixed)
    yield _ties()
    yield _case("top_k_whole_vocab", 8, vocab=29, hidden=16, seq=10, top_k=29, styles=mixed[:2])
    # Logits reach about +-80: exp overflows float32 unless the maximum is taken out first.
    yield _case("large_logits", 10, vocab=53, hidden=32, seq=10, top_k=4, scale=6.0, right=0.6, styles=mixed[:2])
    yield _case("demarcation_awkward", 11, vocab=37, hidden=16, seq=16, top_k=4, labels=_demarcated, demarcation=(5, 2, 5), styles=[(ALL_STYLES * 2)[:7]] * 2)
    yield _case("demarcation_one_id", 12, vocab=37, hidden=16, seq=16, top_k=4, labels=_ends_marked, demarcation=(7,), styles=[["ideas", "both", "attention"]])
    yield _case("clamped_biases", 13, vocab=43, hidden=16, seq=12, top_k=2, alpha=1.7, beta=0.4, styles=[["attention", "attention", "misc"]] * 3)
    # The ideas rows are all right: outside top-k is not empty, but holds none of theirs.
    yield _case("only_misc_is_wrong", 14, vocab=37, hidden=24, seq=12, top_k=3, right=(1.0, 0.2), styles=[["both", "misc"]] * 2)


def confidence_cases():
    """A right answer counts as correct only from probability `confidence` on."""
    mixed = [ALL_STYLES, ["both", "misc", "ideas", "attention"]]
    yield _case("half_sure", 21, vocab=61, hidden=20, seq=12, top_k=4, right=0.7, scale=0.45, confidence=0.5, styles=mixed)
    yield _case("never_sure", 22, vocab=61, hidden=20, seq=12, top_k=4, right=0.7, scale=0.45, confidence=1.0, styles=mixed)
