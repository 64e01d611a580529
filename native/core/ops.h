// The project's own tensor operators. Each is declared once as a libtorch operator (`adaptive_trainer::…`,
// ops.cpp), so a device is a set of registrations (cpu/register.cpp today) and no other file of core names
// one. None of them records a gradient: model/ and loss/ build the autograd functions on top.
#pragma once
#include <ATen/ATen.h>

namespace adaptive::ops {

using at::Tensor;

/// x [tokens, width] float32, weight [width] float32 → (y in `dtype`, rstd [tokens] float32).
std::tuple<Tensor, Tensor> rmsNorm(const Tensor& x, const Tensor& weight, double eps, at::ScalarType dtype);
/// → dx float32; adds to dWeight when it is defined.
Tensor rmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd,
                       const std::optional<Tensor>& dWeight);

/// Rotates, in place, the first `heads` heads of each row of x [tokens, ≥ heads·headDim]; cos, sin [tokens,
/// rotary/2].
void rotate_(Tensor x, const Tensor& cos, const Tensor& sin, int64_t heads, int64_t headDim, bool back);

/// gateUp [tokens, 2·width] → silu(gate)·up [tokens, width].
Tensor swiglu(const Tensor& gateUp);
Tensor swigluBackward(const Tensor& dy, const Tensor& gateUp);

/// Causal attention of each row of a flat batch with itself.
/// qkv [tokens, (heads + 2·kvHeads)·headDim], already rotated; cuSeqlens int64 [rows + 1] on the CPU; window
/// 0 = no bound. → (out [tokens, heads·headDim], lse [heads, tokens] float32).
std::tuple<Tensor, Tensor> attention(const Tensor& qkv, const Tensor& cuSeqlens, int64_t heads,
                                     int64_t kvHeads, double scale, int64_t window);
Tensor attentionBackward(const Tensor& dOut, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                         const Tensor& cuSeqlens, int64_t heads, int64_t kvHeads, double scale,
                         int64_t window);
/// Attention of the last q.size(0) positions of a cache of k.size(0): q [n, heads, headDim], k and v [keys,
/// kvHeads, headDim].
Tensor attentionCached(const Tensor& q, const Tensor& k, const Tensor& v, double scale, int64_t window);

/// logits [n, vocab], labels int32 [n] → float32 [n, 4] (nll, topNll, max, entropy) and int32 [n, 2] (rank,
/// argmax).
std::tuple<Tensor, Tensor> tokenStatistics(const Tensor& logits, const Tensor& labels);
/// logits [n, vocab] → float32 [n]: the entropy, in nats, of the softmax over the k largest logits of each
/// row alone (all of them when the vocabulary is smaller).
Tensor topKEntropy(const Tensor& logits, int64_t k);
/// In place: (a+b)·softmax(z) − a·onehot(label) − b·onehot(argmax), from the statistics above and weights [n,
/// 2] (a, b).
void lossGradient_(Tensor logits, const Tensor& labels, const Tensor& floats, const Tensor& ints,
                   const Tensor& weights);

}  // namespace adaptive::ops
