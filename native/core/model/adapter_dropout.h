// Dropout of what an adapter sees of its input, drawn again from the key in backward.
#pragma once
#include <ATen/ATen.h>

#include "core/model/dropout_key.h"
#include "core/model/lora_adapter.h"
#include "core/random.h"

namespace adaptive {

/// Entries of x that an adapter does not see; undefined without dropout.
inline at::Tensor droppedBy(const LoraAdapter& adapter, const at::Tensor& x, const DropoutKey& key) {
  if (!key || adapter.dropout() == 0) return {};
  at::Generator generator = generatorFor(x, mixed({*key, static_cast<uint64_t>(adapter.number())}));
  return at::empty(x.sizes(), x.options().dtype(at::kBool)).bernoulli_(adapter.dropout(), generator);
}

inline at::Tensor seen(const at::Tensor& x, const at::Tensor& dropped) {
  return dropped.defined() ? x.masked_fill(dropped, 0) : x;
}

/// What the survivors of dropout are multiplied with.
inline double upscale(const LoraAdapter& adapter, const at::Tensor& dropped) {
  return dropped.defined() ? 1 / (1 - adapter.dropout()) : 1;
}

}  // namespace adaptive
