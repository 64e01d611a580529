// One read of each row of logits: logsumexp, first choice, entropy, mean, and the rank of the label.
#include "cuda/kernels.h"
#include "cuda/row.h"

namespace adaptive::cuda {
namespace {

constexpr int kThreads = 512, kWarps = kThreads / 32;

/// Of some entries of a row. The tail is Σ e^(z − max) without the first choice, so that a confident token
/// keeps its digits.
struct Partial {
  float max, tail, weighted;  ///< weighted: Σ (z − max)·e^(z − max)
  float deviation;            ///< Σ (z − label's)
  int first;                  ///< the index of max; −1: nothing was seen
  int greater;                ///< entries above the label's
  int nans;
};

__device__ __forceinline__ Partial nothing() { return {-INFINITY, 0.f, 0.f, 0.f, -1, 0, 0}; }

/// e^d and d·e^d, 0 at d = −∞.
struct Weighted {
  float e, product;
};
__device__ __forceinline__ Weighted weighted(float d) {
  const float e = expf(d);
  return {e, e > 0.f ? d * e : 0.f};
}

/// Moves a first choice d below the new one into the tail.
__device__ __forceinline__ void demote(Partial& p, float d) {
  const auto [f, df] = weighted(d);
  p.weighted = f * p.weighted + df * (p.tail + 1.f);
  p.tail = f * (p.tail + 1.f);
}

__device__ __forceinline__ void see(Partial& p, float z, int i, float labelLogit) {
  p.greater += z > labelLogit;
  p.nans += z != z;
  p.deviation += z - labelLogit;
  if (!(z > -INFINITY)) return;  // adds nothing, and has no difference to another −∞
  if (z > p.max || p.first < 0) {
    if (p.first >= 0) demote(p, p.max - z);
    p.max = z, p.first = i;
  } else {
    const auto [e, de] = weighted(z - p.max);
    p.tail += e, p.weighted += de;
  }
}

__device__ __forceinline__ Partial joined(const Partial& a, const Partial& b) {
  const bool aFirst =
      b.first < 0 || (a.first >= 0 && (a.max > b.max || (a.max == b.max && a.first < b.first)));
  Partial high = aFirst ? a : b, low = aFirst ? b : a;
  if (low.first >= 0) {
    demote(low, low.max - high.max);
    high.tail += low.tail, high.weighted += low.weighted;
  }
  high.deviation = a.deviation + b.deviation;
  high.greater = a.greater + b.greater;
  high.nans = a.nans + b.nans;
  return high;
}

__device__ __forceinline__ Partial acrossWarp(Partial p) {
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    p = joined(p, {__shfl_xor_sync(~0u, p.max, lanes), __shfl_xor_sync(~0u, p.tail, lanes),
                   __shfl_xor_sync(~0u, p.weighted, lanes), __shfl_xor_sync(~0u, p.deviation, lanes),
                   __shfl_xor_sync(~0u, p.first, lanes), __shfl_xor_sync(~0u, p.greater, lanes),
                   __shfl_xor_sync(~0u, p.nans, lanes)});
  }
  return p;
}

__device__ __forceinline__ void write(const Partial& p, float labelLogit, int64_t vocab, float* floats,
                                      int32_t* ints) {
  const bool finite = p.nans == 0 && p.max < INFINITY && p.max > -INFINITY;
  const float topNll = log1pf(p.tail), above = p.max - labelLogit;
  floats[0] = finite ? topNll + above : NAN;
  floats[1] = finite ? topNll : NAN;
  floats[2] = p.max;
  floats[3] = finite ? topNll - p.weighted / (1.f + p.tail) : NAN;
  floats[4] = finite ? topNll + (above - p.deviation / static_cast<float>(vocab)) : NAN;
  ints[0] = p.greater;
  ints[1] = p.nans > 0 ? -1 : p.first < 0 ? 0 : p.first;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    tokenStatisticsKernel(const T* __restrict__ logits, const int32_t* __restrict__ labels,
                          float* __restrict__ floats, int32_t* __restrict__ ints, int64_t vocab) {
  const int64_t token = blockIdx.x;
  const T* row = logits + token * vocab;
  const float labelLogit = toFloat(row[labels[token]]);
  Partial p = nothing();
  forRow<kThreads>(row, vocab, [&](int64_t i, float z) { see(p, z, static_cast<int>(i), labelLogit); });
  p = acrossWarp(p);
  SHARED(Partial, ofWarps, kWarps);
  if (threadIdx.x % 32 == 0) ofWarps[threadIdx.x / 32] = p;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  p = acrossWarp(threadIdx.x < kWarps ? ofWarps[threadIdx.x] : nothing());
  if (threadIdx.x == 0) write(p, labelLogit, vocab, floats + 5 * token, ints + 2 * token);
}

}  // namespace

template <class T>
void tokenStatistics(const T* logits, const int32_t* labels, float* floats, int32_t* ints, int64_t tokens,
                     int64_t vocab, cudaStream_t stream) {
  if (tokens == 0) return;
  LAUNCH(tokenStatisticsKernel<T>, dim3(tokens), dim3(kThreads), stream, logits, labels, floats, ints, vocab);
}

template void tokenStatistics(const float*, const int32_t*, float*, int32_t*, int64_t, int64_t, cudaStream_t);
template void tokenStatistics(const bfloat16*, const int32_t*, float*, int32_t*, int64_t, int64_t,
                              cudaStream_t);
template void tokenStatistics(const float16*, const int32_t*, float*, int32_t*, int64_t, int64_t,
                              cudaStream_t);

}  // namespace adaptive::cuda
