// The layers of a block as differentiable functions of the hidden states. Gradients of weights go straight to
// their Parameter; autograd carries only the gradients of activations.
#pragma once
#include <ATen/core/Tensor.h>

#include "core/activation.h"
#include "core/model/dropout_key.h"
#include "core/model/parameter.h"
#include "core/model/table_adapter.h"

namespace adaptive {

/// Rows of the embedding for ids int64 [tokens], times `scale` → float32 [tokens, hidden]. The row
/// `paddingId` gathers no gradient (−1: every row does).
/// `adapter`: what is added to the rows.
at::Tensor embed(Parameter& weight, const at::Tensor& ids, double scale = 1, int64_t paddingId = -1,
                 const TableAdapter* adapter = nullptr);

struct NormShape {
  double eps;
  double offset;  ///< RMSNorm multiplies with weight + offset
};

/// x float32 [tokens, hidden] → normalised, in `dtype`. RMSNorm, Zhang & Sennrich 2019.
at::Tensor rmsNorm(const at::Tensor& x, Parameter& weight, const NormShape& shape, at::ScalarType dtype);

/// The same around the mean, and with a bias; either may be null. LayerNorm, Ba et al. 2016.
at::Tensor layerNorm(const at::Tensor& x, Parameter* weight, Parameter* bias, double eps,
                     at::ScalarType dtype);

/// activation(gate)·up of [gate | up]. Shazeer 2020.
at::Tensor gatedActivation(const at::Tensor& gateUp, Activation activation);

/// activation(x).
at::Tensor activated(const at::Tensor& x, Activation activation);

struct AttentionShape {
  int64_t heads, kvHeads, headDim;
  double scale;
  int64_t window;  ///< 0: no bound
  double softCap;  ///< 0: none
};

/// RMSNorm of queries and keys, each head by itself or all as one (by the length of the weights).
at::Tensor headNorm(const at::Tensor& qkv, Parameter& qWeight, Parameter& kWeight,
                    const AttentionShape& heads, const NormShape& shape);

/// LayerNorm of x [tokens, heads·headDim], each head by itself. A weight (and bias) of headDim entries serves
/// all heads, a longer one has those of each head in turn. → in the type of x.
at::Tensor headLayerNorm(const at::Tensor& x, int64_t headDim, Parameter& weight, Parameter* bias,
                         double eps);

/// cos, sin [tokens, rotary/2] of the tokens' positions; undefined where nothing is rotated.
struct Rotation {
  at::Tensor cos, sin;
  bool interleaved = false;  ///< neighbouring entries turn together, not those half of the rotary apart
};

/// Where the rows of a flat batch begin.
struct RowOffsets {
  at::Tensor cuSeqlens;  ///< int32 [rows + 1], on the device that computes
  int64_t longest;       ///< tokens of the longest row
};

/// Rotary embedding, then causal attention within each row. Takes over qkv (it is rotated in place). `sinks`
/// [heads]: what a key of no value scores, which every query of a head sees; null: none. With a `key`, the
/// share `dropout` of the attention's weights is dropped.
at::Tensor rotaryAttention(const at::Tensor& qkv, const Rotation& rotation, const RowOffsets& rows,
                           const AttentionShape& shape, Parameter* sinks = nullptr, double dropout = 0,
                           const DropoutKey& key = {});

/// The attention of ops::attentionCached, with sinks.
at::Tensor attentionCached(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const AttentionShape& shape, const Parameter* sinks);
/// The attention of ops::attendNext, with sinks.
at::Tensor attendNext(const at::Tensor& q, at::TensorList k, at::TensorList v, const AttentionShape& shape,
                      const Parameter* sinks);

/// x with the share `rate` of its entries at 0 and the others divided by 1 − rate; x itself without a key.
at::Tensor dropped(const at::Tensor& x, double rate, const DropoutKey& key);

}  // namespace adaptive
