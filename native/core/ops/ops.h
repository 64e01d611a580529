// The project's own tensor operators. Each is declared once as a libtorch operator (schema.cpp), so a device
// is a set of registrations (ops/cpu today) and no other file of core names one. None of them records a
// gradient: model/ and loss/ build the autograd functions on top.
#pragma once
#include <ATen/ATen.h>

#include "core/activation.h"
#include "core/ops/optimizer_rates.h"

namespace adaptive::ops {

using at::Tensor;

/// x [tokens, width] float32, weight [width] float32 → (y = x·rstd·(weight + offset) in `dtype`, rstd
/// [tokens] float32).
std::tuple<Tensor, Tensor> rmsNorm(const Tensor& x, const Tensor& weight, double eps, double offset,
                                   at::ScalarType dtype);
/// → dx float32; adds to dWeight when it is defined.
Tensor rmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd,
                       double offset, const std::optional<Tensor>& dWeight);

/// RMSNorm of the queries and the keys of qkv [tokens, (heads + 2·kvHeads)·headDim]; the values are copied. A
/// weight of headDim entries norms each head by itself, one of heads·headDim all heads as one. → (like qkv,
/// rstd float32 [tokens, norms of queries + norms of keys]).
std::tuple<Tensor, Tensor> headNorm(const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight,
                                    int64_t heads, int64_t kvHeads, double eps, double offset);
/// Turns the gradient of headNorm's output into that of qkv, in place; adds to the weights' gradients.
void headNormBackward_(Tensor dQkv, const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight,
                       const Tensor& rstd, int64_t heads, int64_t kvHeads, double offset,
                       const std::optional<Tensor>& dQWeight, const std::optional<Tensor>& dKWeight);

/// Rotates, in place, the first `heads` heads of each row of x [tokens, ≥ heads·headDim]; cos, sin [tokens,
/// rotary/2]. Entries i and i + rotary/2 turn together, or interleaved 2i and 2i + 1.
void rotate_(Tensor x, const Tensor& cos, const Tensor& sin, int64_t heads, int64_t headDim, bool interleaved,
             bool back);

/// table[ids[i]] += scale·rows[i] for every i in turn; table [entries, width] and rows [n, width] float32.
void addRows_(Tensor table, const Tensor& ids, const Tensor& rows, double scale);

/// gateUp [tokens, 2·width] → activation(gate)·up [tokens, width].
Tensor gatedActivation(const Tensor& gateUp, Activation activation);
Tensor gatedActivationBackward(const Tensor& dy, const Tensor& gateUp, Activation activation);

/// Causal attention of each row of a flat batch with itself.
/// qkv [tokens, (heads + 2·kvHeads)·headDim], already rotated; cuSeqlens int32 [rows + 1], where qkv is, the
/// longest row having `longest` tokens; a query sees itself and the window − 1 keys before it (0: all);
/// scores are scale·q·k, or c·tanh(scale·q·k/c) with softCap c > 0; the share `dropout` of the weights is
/// dropped, by key, head, query and place of the key in its row. → (out [tokens, heads·headDim], lse [heads,
/// tokens] float32).
std::tuple<Tensor, Tensor> attention(const Tensor& qkv, const Tensor& cuSeqlens, int64_t longest,
                                     int64_t heads, int64_t kvHeads, double scale, int64_t window,
                                     double softCap, double dropout = 0, uint64_t key = 0);
Tensor attentionBackward(const Tensor& dOut, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                         const Tensor& cuSeqlens, int64_t longest, int64_t heads, int64_t kvHeads,
                         double scale, int64_t window, double softCap, double dropout = 0, uint64_t key = 0);
/// Attention of the last q.size(0) positions of a cache of k.size(0): q [n, heads, headDim], k and v [keys,
/// kvHeads, headDim]; → as attention.
std::tuple<Tensor, Tensor> attentionCached(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                           int64_t window, double softCap);
/// The next token of several rows, each with a cache of its own: q [rows, heads, headDim], k[r] and v[r]
/// [keys, kvHeads, headDim], the token's own last. → (out [rows, heads·headDim], lse [heads, rows]). What
/// comes out of a row does not depend on the others.
std::tuple<Tensor, Tensor> attendNext(const Tensor& q, at::TensorList k, at::TensorList v, double scale,
                                      int64_t window, double softCap);
/// a·weightᵀ for few rows of a, a [n, k] and weight [m, k] of one type, rows of weight contiguous. What comes
/// out of a row does not depend on the others.
Tensor thinProduct(const Tensor& a, const Tensor& weight);

/// out float32 [n, m] = beta·out + scale·a·b, a [n, k] and b [k, m] of one type of 16 bits. Where a device
/// has no such product, a·b is rounded to their type first.
void floatProduct_(Tensor out, const Tensor& a, const Tensor& b, double beta, double scale);
/// Bytes that tensors can still take where this one is.
int64_t freeBytes(const Tensor& like);
/// Of a device with memory of its own, in bytes: what it has, and what tensors of this process take of it now
/// and have taken at most. Zeros where tensors lie in main memory.
struct DeviceMemory {
  int64_t total = 0, held = 0, peak = 0;
};
DeviceMemory deviceMemory(const Tensor& like);
/// uint8 [bytes] in the host's memory, such that copies between it and where `like` is need not wait for each
/// other (pinned, where that is a thing).
Tensor hostBytes(const Tensor& like, int64_t bytes);
/// The same for what stays: exactly so many bytes, where hostBytes() may take up to twice as many and keep
/// them for its next caller. Errors: c10::OutOfMemoryError where the system pins no more.
Tensor pinnedBytes(const Tensor& like, int64_t bytes);

/// x with the share `rate` of its entries at 0 and the others divided by 1 − rate. What is dropped depends on
/// `key` and the index of an entry alone: the same call turns the gradient of the result into that of x.
Tensor dropout(const Tensor& x, double rate, uint64_t key);
/// Numbers from 0 to less than 1, float32, as many as `like` has; each depends on `key` and its index alone.
Tensor uniform(const Tensor& like, uint64_t key);

/// logits [n, vocab], labels int32 [n] → float32 [n, 5] (nll, topNll, max, entropy, the mean nll of the
/// vocabulary) and int32 [n, 2] (rank, argmax).
std::tuple<Tensor, Tensor> tokenStatistics(const Tensor& logits, const Tensor& labels);
/// x = cap·tanh(x/cap), in place; x contiguous.
void softCap_(Tensor x, double cap);
/// logits [n, vocab] → float32 [n]: the entropy, in nats, of the softmax over the k largest logits of each
/// row alone (all of them when the vocabulary is smaller).
Tensor topKEntropy(const Tensor& logits, int64_t k);
/// logits [n, vocab], 1 ≤ k ≤ vocab → float32 [n, k], the largest logits of each row, greatest first, and
/// int32 [n, k], their ids; of equal ones the lower id comes first. A NaN is none of them: −∞ and −1 where
/// too few are left.
std::tuple<Tensor, Tensor> firstChoices(const Tensor& logits, int64_t k);
/// In place: (a+b)·softmax(z) − a·((1−ε)·onehot(label) + ε/vocab) − b·onehot(argmax), from the statistics
/// above, weights [n, 2] (a, b) and ε `smoothing`. With cap > 0, z were capped by softCap_ and the gradient
/// is that of the logits before.
void lossGradient_(Tensor logits, const Tensor& labels, const Tensor& floats, const Tensor& ints,
                   const Tensor& weights, double cap, double smoothing = 0);
/// Whether logits of hidden states like these are formed in float32 though those have 16 bits: rounded to
/// them, logits change first choices and ranks. If so, the four that follow make the gradient.
bool formsFloatLogits(const Tensor& hidden);
/// lossGradient_ of float32 logits into a tensor of 16 bits.
void lossGradientInto_(Tensor gradient, const Tensor& logits, const Tensor& labels, const Tensor& floats,
                       const Tensor& ints, const Tensor& weights, double cap, double smoothing);
/// kept [n, vocab], of 16 bits, = e^(z − max) of float32 logits, 0 at label and first choice, with cap > 0
/// times its slope: what the gradient can be made of without another pass over the vocabulary.
void keepNumerators_(Tensor kept, const Tensor& logits, const Tensor& labels, const Tensor& floats,
                     const Tensor& ints, double cap);
/// float32 [n, 3]: what the kept numerators of each token, its label and its first choice count with in the
/// gradient, without smoothing.
Tensor numeratorScales(const Tensor& labels, const Tensor& floats, const Tensor& ints, const Tensor& weights,
                       double cap);
/// gradient·weight, of the type of weight [vocab, width], for product float32 [n, width] = kept·weight.
Tensor fromNumerators(const Tensor& product, const Tensor& weight, const Tensor& scales, const Tensor& labels,
                      const Tensor& ints);
/// KL(softmax(z₀) ‖ softmax(z)) of each row, in nats, float32 [n]; logits z and base z₀ [n, vocab] of one
/// type. With weight > 0, z becomes weight·(softmax(z) − softmax(z₀)) in place, which is exactly 0 where z =
/// z₀. With cap > 0, both were capped by softCap_ and the gradient is that of the logits before.
Tensor divergence_(Tensor logits, const Tensor& base, double weight, double cap);

/// One step of AdamW on each of a list of weights, float32 or bfloat16 (rounded stochastically with the
/// noise of the same place); gradients and moments float32; all contiguous and of as many entries.
void adamw_(at::TensorList weights, at::TensorList gradients, at::TensorList moments1,
            at::TensorList moments2, const AdamStep& step, at::IntArrayRef noises);
/// One step of AdamW with both moments in codes of the dynamic data type (core/optim/dynamic_code.h), one
/// scale float32 [blocks] for each kMomentBlock of them. weight float32 or bfloat16, rounded stochastically
/// with `noise`; gradient float32; codes uint8; all contiguous and of as many entries.
void adamw8bit_(Tensor weight, const Tensor& gradient, Tensor codes1, Tensor scales1, Tensor codes2,
                Tensor scales2, const AdamRates& rates, uint32_t noise);
/// Moments out of codes uint8 [n] of the dynamic data type and scales float32 [blocks] → float32 [n].
Tensor decodeMoments(const Tensor& codes, const Tensor& scales, bool isSigned);
/// The reverse: scales are the largest sizes of their blocks, codes the nearest.
void encodeMoments_(const Tensor& values, Tensor codes, Tensor scales, bool isSigned);
/// One step of Lion on as many entries of weight, gradient and moment, float32 and contiguous.
void lion_(Tensor weight, const Tensor& gradient, Tensor moment, const LionRates& rates);
/// out [r, c] = the entries of a quantised matrix [rows, columns] from (firstRow, firstColumn) on; out
/// float32, bfloat16 or float16, contiguous. With `codes` float32 [16], `packed` holds 4-bit codes, two to a
/// byte, and entry e of the flat matrix is codes[c]·scales[e / blockSize]; without, it is int8 [rows,
/// columns] and an entry is value·scales[row]/127.
void dequantize_(Tensor out, const Tensor& packed, const std::optional<Tensor>& codes, const Tensor& scales,
                 int64_t blockSize, int64_t columns, int64_t firstRow, int64_t firstColumn);
/// Rounds float32 entries into bfloat16 ones, up or down with the probability that makes the mean exact. The
/// noise of an entry depends on `key` and its index alone, that of the first being `firstIndex`: no split
/// changes it.
void roundStochastically_(Tensor to, const Tensor& from, uint32_t key, int64_t firstIndex);

}  // namespace adaptive::ops
