// The activations of feed-forward layers. The numbers go through operator schemas: append, never reorder.
#pragma once
#include <cstdint>

namespace adaptive {

enum class Activation : int64_t {
  Silu = 0,
  GeluTanh = 1,  ///< gelu_pytorch_tanh and gelu_new: x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
  Gelu = 2,      ///< x/2·(1 + erf(x/√2))
  Relu = 3,
  /// Of gpt-oss, gated alone: (up + 1)·gate·σ(1.702·gate), gate at most 7, up from −7 to 7, their columns by
  /// turns.
  ClampedSwiglu = 4,
};

}  // namespace adaptive
