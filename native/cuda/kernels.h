// The kernels of the CUDA backend: plain pointers into device memory, contiguous unless a stride is given.
// Each function makes its launches on `stream` and returns; none allocates, synchronises or calls libtorch. T
// is the type of activations: float, bfloat16 or float16. Results do not depend on the order in which threads
// run.
#pragma once
#include "core/activation.h"
#include "core/ops/optimizer_rates.h"
#include "cuda/device.h"

namespace adaptive::cuda {

// ---- loss
// -----------------------------------------------------------------------------------------------------

/// logits [tokens, vocab] → floats [tokens, 5] (nll, topNll, max, entropy, the mean nll of the vocabulary)
/// and ints [tokens, 2] (rank, argmax; −1 beside a NaN).
template <class T>
void tokenStatistics(const T* logits, const int32_t* labels, float* floats, int32_t* ints, int64_t tokens,
                     int64_t vocab, cudaStream_t stream);

/// What the tokens' gradients are made of: the statistics above, and weights [tokens, 2] (a, b).
struct TokenGradients {
  const int32_t* labels;
  const float* floats;
  const int32_t* ints;
  const float* weights;
  float cap;        ///< > 0: logits were capped by softCap, and the gradient is that of those before
  float smoothing;  ///< ε
};

/// (a+b)·softmax(z) − a·((1−ε)·onehot(label) + ε/vocab) − b·onehot(argmax) in place of the logits.
template <class T>
void lossGradient(T* logits, const TokenGradients& of, int64_t tokens, int64_t vocab, cudaStream_t stream);
/// The same of float32 logits into a type of 16 bits.
template <class T>
void lossGradientInto(T* gradient, const float* logits, const TokenGradients& of, int64_t tokens,
                      int64_t vocab, cudaStream_t stream);

/// What is kept of a chunk of logits, so that no pass over the vocabulary remains once the weights are known:
/// e^(z − max), 0 at the label and at the first choice, with a cap times its slope.
template <class T>
void keepNumerators(T* kept, const float* logits, const int32_t* labels, const float* floats,
                    const int32_t* ints, float cap, int64_t tokens, int64_t vocab, cudaStream_t stream);
/// What the kept numerators of each token, its label and its first choice count with, [tokens, 3]: the
/// gradient is s·kept + onLabel·onehot(label) + onTop·onehot(argmax). No smoothing.
void numeratorScales(float* scales, const TokenGradients& of, int64_t tokens, cudaStream_t stream);
/// gradient = s·product + onLabel·weight[label] + onTop·weight[argmax], for product float32 [tokens, width] =
/// kept · weight [vocab, width].
template <class T>
void hiddenFromNumerators(T* gradient, const float* product, const T* weight, const float* scales,
                          const int32_t* labels, const int32_t* ints, int64_t tokens, int64_t width,
                          cudaStream_t stream);

/// x = cap·tanh(x/cap), in place.
template <class T>
void softCap(T* x, int64_t count, float cap, cudaStream_t stream);

/// The entropy, in nats, of the softmax over the k largest logits of each row.
template <class T>
void topKEntropy(const T* logits, float* entropies, int64_t tokens, int64_t vocab, int64_t k,
                 cudaStream_t stream);
/// The k largest logits of each row, k ≤ vocab, greatest first, of equal ones the lower id first. A NaN is
/// none: −∞ and −1 where too few are left.
template <class T>
void firstChoices(const T* logits, float* largest, int32_t* ids, int64_t tokens, int64_t vocab, int64_t k,
                  cudaStream_t stream);

/// KL(softmax(base) ‖ softmax(logits)) of each row. With weight > 0 the logits become weight·(softmax(logits)
/// − softmax(base)), with a cap times its slope.
template <class T>
void divergence(T* logits, const T* base, float* divergences, int64_t tokens, int64_t vocab, float weight,
                float cap, cudaStream_t stream);

// ---- layers
// ---------------------------------------------------------------------------------------------------

/// Pieces of rows that are normed by themselves: `groups` of `width` entries each, rows `stride` apart; their
/// rstd stand `rstdStride` apart.
struct NormShape {
  int64_t rows, groups, width, stride, rstdStride;
  float offset;  ///< y = x·rstd·(weight + offset)
};

/// X and Y are float and T, or T both (queries and keys).
template <class X, class Y>
void rmsNorm(const X* x, const float* weight, Y* y, float* rstd, const NormShape& shape, float eps,
             cudaStream_t stream);
/// Floats that rmsNormBackward works in for the gradient of the weight.
int64_t normScratch(const NormShape& shape);
/// dx, which may be dy itself where the types agree; dWeight, null or added to, with `scratch` of
/// normScratch().
template <class G, class X, class D>
void rmsNormBackward(const G* dy, const X* x, const float* weight, const float* rstd, D* dx, float* dWeight,
                     float* scratch, const NormShape& shape, cudaStream_t stream);

/// Rotates, in place, `heads` heads of `headDim` in each of `rows` rows, `stride` apart. cos and sin [rows,
/// half]: entries i and i + half turn together, or interleaved 2i and 2i + 1. sign −1 rotates back.
template <class T>
void rotate(T* x, const float* cos, const float* sin, int64_t rows, int64_t stride, int64_t heads,
            int64_t headDim, int64_t half, bool interleaved, float sign, cudaStream_t stream);

/// Rows of gateUp are [gate | up], of width entries each: y = activation(gate)·up.
template <class T>
void gatedActivation(const T* gateUp, T* y, int64_t rows, int64_t width, Activation activation,
                     cudaStream_t stream);
template <class T>
void gatedActivationBackward(const T* dy, const T* gateUp, T* dGateUp, int64_t rows, int64_t width,
                             Activation activation, cudaStream_t stream);

/// One head after the other of [tokens, heads, headDim]; a token's entries of a head lie together.
template <class T>
struct Heads {
  T* data;
  int64_t tokenStride, headStride;
};

constexpr int kLargestHeadDim = 256;

/// What attention is over. A row's query i sees its keys up to offset + i, the last `window` of them (0:
/// all).
struct AttentionShape {
  const int32_t* cuSeqlens;  ///< [rows + 1], where the rows start; null: one row, with `offset` more keys
  int64_t rows, longest;     ///< longest: queries of the longest row, or more
  int64_t queries;           ///< of all rows
  int64_t offset;            ///< keys of a cache before the first query
  int heads, kvHeads, headDim;
  float scale;
  int64_t window;
  float softCap;     ///< > 0: scores are cap·tanh(score/cap)
  uint32_t dropped;  ///< dropout as DropoutRate; 0: none
  float keptScale;
  uint64_t key;
};

/// → out, and lse [heads, queries].
template <class T>
void attention(Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<T> out, float* lse,
               const AttentionShape& shape, cudaStream_t stream);
/// The gradients of rows without a cache; delta [heads, queries] is scratch.
template <class T>
void attentionBackward(Heads<const T> dOut, Heads<const T> q, Heads<const T> k, Heads<const T> v,
                       Heads<const T> out, const float* lse, float* delta, Heads<T> dQ, Heads<T> dK,
                       Heads<T> dV, const AttentionShape& shape, cudaStream_t stream);

/// gradient[id] += scale·row for every row of dy [rows, width] with this id, in the order of the rows. `ids`
/// are sorted, `order` says which row each belongs to; `skipped` is left out. With `scales`, row r counts
/// with scales[r·scaleStride] too.
template <class T>
void addRows(float* gradient, const int64_t* ids, const int64_t* order, const T* dy, const float* scales,
             int64_t scaleStride, float scale, int64_t skipped, int64_t rows, int64_t width,
             cudaStream_t stream);

/// Entries become 0 where 32 random bits of `key` and their index are below `threshold`; the others are
/// multiplied with `scale`.
template <class T>
void dropout(const T* x, T* y, int64_t count, uint64_t key, uint32_t threshold, float scale,
             cudaStream_t stream);
/// From 0 to less than 1, in steps of 2⁻²⁴.
void uniform(float* out, int64_t count, uint64_t key, cudaStream_t stream);

/// Rows [firstRow, firstRow + rows) and columns [firstColumn, firstColumn + width) of a quantised matrix.
/// With `codes` [16], 4-bit codes stand two to a byte, the first in the upper half, and entry e is
/// codes[c]·scales[e / blockSize]; without, 8-bit values and entry = value·scales[row]/127.
template <class T>
void dequantize(T* out, const uint8_t* packed, const float* codes, const float* scales, int64_t blockSize,
                int64_t columns, int64_t firstRow, int64_t firstColumn, int64_t rows, int64_t width,
                cudaStream_t stream);

// ---- optimizers
// -----------------------------------------------------------------------------------------------

/// One weight of an optimizer's step. The weight is float32, or bfloat16 rounded stochastically with `noise`.
struct AdamSlot {
  void* weight;
  const float* gradient;
  float* moment1;
  float* moment2;
  int64_t count;
  uint32_t noise;
};

/// One step of AdamW on every slot, a launch for each kAdamSlots of them.
constexpr int kAdamSlots = 64;
void adamw(const AdamSlot* slots, int64_t count, bool bfloat16Weights, const AdamRates& rates,
           cudaStream_t stream);

/// One step of AdamW with moments in 8-bit codes, W float or bfloat16 (rounded stochastically with `noise`).
template <class W>
void adamw8bit(W* weight, const float* gradient, uint8_t* codes1, float* scales1, uint8_t* codes2,
               float* scales2, int64_t count, const AdamRates& rates, uint32_t noise, cudaStream_t stream);
void decodeMoments(const uint8_t* codes, const float* scales, float* values, int64_t count, bool isSigned,
                   cudaStream_t stream);
void encodeMoments(const float* values, uint8_t* codes, float* scales, int64_t count, bool isSigned,
                   cudaStream_t stream);

void lion(float* weight, const float* gradient, float* moment, int64_t count, const LionRates& rates,
          cudaStream_t stream);

/// Rounds up or down with the probability that makes the mean exact; the noise of entry i depends on `key`
/// and firstIndex + i alone.
void roundStochastically(const float* from, bfloat16* to, int64_t count, uint32_t key, int64_t firstIndex,
                         cudaStream_t stream);

}  // namespace adaptive::cuda
