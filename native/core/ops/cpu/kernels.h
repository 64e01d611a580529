// The elementwise and reduction kernels of the CPU: plain pointers, one call per range of rows, no threads of
// their own (the caller splits the rows with at::parallel_for). Every function exists once per instruction
// set (DEFAULT, AVX2, AVX512); `kernels()` picks the table that libtorch itself runs with.
#pragma once
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

#include "core/activation.h"
#include "core/ops/optimizer_rates.h"

namespace adaptive::cpu {

/// What is known of one labelled token after the statistics pass.
struct TokenStatisticsRow {
  float nll;       ///< logsumexp(z) - z[label]
  float topNll;    ///< logsumexp(z) - max(z), as log1p of the tail: exact also when it is 1e-12
  float max;       ///< max(z)
  float entropy;   ///< of softmax(z), in nats
  float meanNll;   ///< logsumexp(z) - mean(z)
  int32_t rank;    ///< how many logits are greater than z[label]
  int32_t argmax;  ///< the first index of max(z); -1 when a logit is NaN
};

/// What ∂loss/∂z of one token is made of: (a+b)·softmax(z) − a·((1−ε)·onehot(label) + ε/vocab) −
/// b·onehot(argmax).
struct TokenGradientRow {
  float a;
  float b;
  float max;
  float topNll;
  int32_t label;
  int32_t argmax;
  float cap;        ///< > 0: z = cap·tanh(l/cap), and ∂loss/∂l is wanted
  float smoothing;  ///< ε
};

/// T is the type of activations: float, BFloat16 or Half. Residual stream, norm weights and statistics are
/// float.
template <class T>
struct Kernels {
  /// y[r] = x[r] · rstd[r] · (weight + offset); rstd[r] = 1/√(mean(x²)+eps). x is float.
  void (*rmsNormForward)(const float* x, const float* weight, T* y, float* rstd, int64_t rows, int64_t width,
                         float eps, float offset);
  /// dx[r] of the above (written), dWeight (added to; one buffer per caller).
  void (*rmsNormBackward)(const T* dy, const float* x, const float* weight, const float* rstd, float* dx,
                          float* dWeight, int64_t rows, int64_t width, float offset);
  /// The same for `groups` neighbouring pieces of `width` of each row; rows are `stride` apart in x and y,
  /// `rstdStride` apart in rstd.
  void (*headNormForward)(const T* x, const float* weight, T* y, float* rstd, int64_t rows, int64_t stride,
                          int64_t rstdStride, int64_t groups, int64_t width, float eps, float offset);
  /// grad: dy, turned into dx in place.
  void (*headNormBackward)(T* grad, const T* x, const float* weight, const float* rstd, float* dWeight,
                           int64_t rows, int64_t stride, int64_t rstdStride, int64_t groups, int64_t width,
                           float offset);
  /// Rotates, in place, the first `rotary` entries of each of `heads` heads of `headDim`; half-split pairs as
  /// Hugging Face. cos and sin are [rows, rotary/2]; sign −1 rotates back.
  void (*rotate)(T* x, const float* cos, const float* sin, int64_t rows, int64_t rowStride, int64_t heads,
                 int64_t headDim, int64_t rotary, float sign);
  /// The same for pairs of neighbours.
  void (*rotateInterleaved)(T* x, const float* cos, const float* sin, int64_t rows, int64_t rowStride,
                            int64_t heads, int64_t headDim, int64_t rotary, float sign);
  /// y = activation(gate) · up, where each row of gateUp is [gate | up].
  void (*gatedForward)(const T* gateUp, T* y, int64_t rows, int64_t width, Activation activation);
  void (*gatedBackward)(const T* dy, const T* gateUp, T* dGateUp, int64_t rows, int64_t width,
                        Activation activation);
  void (*tokenStatistics)(const T* logits, int64_t vocab, int32_t label, TokenStatisticsRow* out);
  /// The entropy of the softmax over the k largest logits of a row, k ≤ vocab; `largest` [k] is scratch. NaN
  /// when a logit is.
  float (*topKEntropy)(const T* logits, int64_t vocab, float* largest, int64_t k);
  /// The k largest logits of a row, k ≤ vocab, and their ids, greatest first, of equal ones the lower id
  /// first. A NaN is none of them; where too few are left the id is −1.
  void (*firstChoices)(const T* logits, int64_t vocab, float* largest, int32_t* ids, int64_t k);
  /// Turns one row of logits into its gradient, in place; into NaN where argmax is −1.
  void (*lossGradient)(T* logits, int64_t vocab, const TokenGradientRow& token);
  /// x = cap·tanh(x/cap), in place.
  void (*softCap)(T* x, int64_t count, float cap);
  /// KL(softmax(base) ‖ softmax(logits)) of a row, nats. With weight > 0, logits become
  /// weight·(softmax(logits) − softmax(base)), with cap > 0 times the slope of the cap.
  double (*divergence)(T* logits, const T* base, int64_t vocab, float weight, float cap);
  /// out = codes[c]·scales[e / blockSize] for entries e of [first, first + count), whose 4-bit codes c stand
  /// two to a byte, the first in the upper half. `codes` has 16 entries.
  void (*dequantize4bit)(const uint8_t* packed, int64_t first, const float* codes, const float* scales,
                         int64_t blockSize, T* out, int64_t count);
  /// out = value·scale/127.
  void (*dequantize8bit)(const int8_t* values, float scale, T* out, int64_t count);
  /// y[r][c] = x[r]·w[c], each added up in the same order whatever `rows` and `columns` are. x [rows, inner].
  void (*thinProduct)(const float* x, const T* w, int64_t wStride, T* y, int64_t yStride, int64_t rows,
                      int64_t columns, int64_t inner);
  /// One query of each of `group` heads, q [group, headDim], on some of the keys of the head that they share;
  /// keys and values are `stride` apart. → the largest score and the sum of the weights e^(score − max) of
  /// each head, and the sum of the values with these weights, out [group, headDim].
  void (*attendPart)(const T* q, const T* k, const T* v, int64_t stride, int64_t group, int64_t headDim,
                     int64_t keys, float scale, float cap, float* max, double* sum, float* out);
};

/// Softmax kernels of attention; scores are always float.
/// out [rows, columns] = a·b, or with `adds` out += a·b. Rows of a and entries of a row lie aRow and aInner
/// apart, rows of b [inner, columns] bRow, those of out outRow. Each sum runs from the first entry to the
/// last.
struct TileProduct {
  const float *a, *b;
  float* out;
  int64_t aRow, aInner, bRow, outRow, rows, inner, columns;
  bool adds;
};

struct AttentionKernels {
  void (*multiplyTile)(const TileProduct& product);
  /// Row i of scores holds `keys` raw products, of which it sees those below firstLast + i, and with a window
  /// only the last `window` of these (0: no bound), counted as if there were keys beyond `keys` and before 0.
  /// In place: e^(s − max) of s = scale·score (cap > 0: of cap·tanh(s/cap)) of what is seen, 0 elsewhere.
  /// max[i] and sum[i] are those of the keys so far (at first −∞ and 0), brought up to date; sums of earlier
  /// keys are to be multiplied with factor[i].
  void (*softmaxPart)(float* scores, float* max, double* sum, float* factor, int64_t rows, int64_t keys,
                      int64_t firstLast, int64_t window, float scale, float cap);
  /// e^(s − lse[i]): the softmax from the known logs of its sums (the recomputation of the backward pass).
  void (*softmaxFromLse)(float* scores, const float* lse, int64_t rows, int64_t keys, int64_t firstLast,
                         int64_t window, float scale, float cap);
  /// dScores = scale · p · (dP − delta[i]), written over dP; with a cap, times the slope of tanh.
  void (*softmaxBackward)(const float* p, float* dP, const float* delta, const float* lse, int64_t rows,
                          int64_t keys, float scale, float cap);
};

struct OptimizerKernels {
  /// One step on one block of at most kMomentBlock weights. Moments are codes of the dynamic data type
  /// (core/optim/dynamic_code.h) times their scale.
  void (*adam8bitBlock)(float* weight, const float* gradient, uint8_t* codes1, float* scale1, uint8_t* codes2,
                        float* scale2, int64_t count, const AdamRates& rates);
  /// At most kMomentBlock values from their codes, and back with the scale that they need.
  void (*decodeBlock)(const uint8_t* codes, float scale, float* values, int64_t count, bool isSigned);
  void (*encodeBlock)(const float* values, uint8_t* codes, float* scale, int64_t count, bool isSigned);
  /// weight = weight·decay − rate·sign(β₁·moment + (1−β₁)·gradient), then the moment moves by β₂.
  void (*lion)(float* weight, const float* gradient, float* moment, int64_t count, const LionRates& rates);
  /// Rounds up or down with the probability that makes the mean exact. The noise of an entry depends on `key`
  /// and its index alone, so no split over threads changes it.
  void (*roundStochastically)(const float* from, c10::BFloat16* to, int64_t count, uint32_t key,
                              int64_t firstIndex);
};

/// Random numbers that depend on `key` and the index of their entry alone, that of the first being `first`.
struct RandomKernels {
  /// Entries become 0 where 32 random bits are below `threshold`; the others are multiplied with `scale`.
  void (*dropout)(float* x, int64_t count, uint64_t key, int64_t first, uint32_t threshold, float scale);
  /// From 0 to less than 1, in steps of 2⁻²⁴.
  void (*uniform)(float* out, int64_t count, uint64_t key, int64_t first);
};

template <class T>
const Kernels<T>& kernels();
const OptimizerKernels& optimizerKernels();
const AttentionKernels& attentionKernels();
const RandomKernels& randomKernels();

}  // namespace adaptive::cpu
