// The layers of a block as differentiable functions of the hidden states. Gradients of weights go straight to
// their Parameter; autograd carries only the gradients of activations.
#pragma once
#include <ATen/core/Tensor.h>

#include "core/model/parameter.h"

namespace adaptive {

/// Rows of the embedding for ids int64 [tokens] → float32 [tokens, hidden].
at::Tensor embed(Parameter& weight, const at::Tensor& ids);

/// y = x·weightᵀ (+ bias) in the dtype of the compute weights. x [tokens, in].
at::Tensor linear(const at::Tensor& x, Parameter& weight, Parameter* bias);

/// x float32 [tokens, hidden] → normalised, in `dtype`. RMSNorm, Zhang & Sennrich 2019.
at::Tensor rmsNorm(const at::Tensor& x, Parameter& weight, double eps, at::ScalarType dtype);

/// silu(gate)·up of [gate | up]. Shazeer 2020.
at::Tensor swiglu(const at::Tensor& gateUp);

struct AttentionShape {
  int64_t heads, kvHeads, headDim;
  double scale;
  int64_t window;  ///< 0: no bound
};

/// cos, sin [tokens, rotary/2] of the tokens' positions.
struct Rotation {
  at::Tensor cos, sin;
};

/// Rotary embedding, then causal attention within each row. Takes over qkv (it is rotated in place).
at::Tensor rotaryAttention(const at::Tensor& qkv, const Rotation& rotation, const at::Tensor& cuSeqlens,
                           const AttentionShape& shape);

}  // namespace adaptive
