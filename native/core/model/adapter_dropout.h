// Dropout of what an adapter sees of its input, drawn again from the key in backward.
#pragma once
#include "core/mixed.h"
#include "core/model/dropout_key.h"
#include "core/model/lora_adapter.h"
#include "core/ops/ops.h"

namespace adaptive {

/// What an adapter's dropout is drawn from; nothing without dropout.
inline DropoutKey dropoutOf(const LoraAdapter& adapter, const DropoutKey& key) {
  if (!key || adapter.dropout() == 0) return {};
  return mixed({*key, static_cast<uint64_t>(adapter.number())});
}

/// x, or its gradient, with some entries at 0 and the others divided by 1 − rate.
inline at::Tensor seen(const at::Tensor& x, const LoraAdapter& adapter, const DropoutKey& dropout) {
  return dropout ? ops::dropout(x, adapter.dropout(), *dropout) : x;
}

}  // namespace adaptive
