// KL(base ‖ model) of each token over the whole vocabulary, and its gradient with respect to the model's
// logits.
#include "cuda/kernels.h"
#include "cuda/row.h"

namespace adaptive::cuda {
namespace {

constexpr int kThreads = 512;

/// (max(z), Σ e^(z − max)) of a row, by every thread.
struct Normaliser {
  float max;
  double sum;
};
template <class T>
__device__ Normaliser normaliser(const T* row, int64_t vocab) {
  float max = -INFINITY, sum = 0.f, lost = 0.f;
  forRow<kThreads>(row, vocab, [&](int64_t, float z) { max = z > max || z != z ? z : max; });
  max = blockMax<kThreads>(max);
  // Kahan's sum: a small divergence is made of the digits that a plain one loses, and float64 is slow here.
  forRow<kThreads>(row, vocab, [&](int64_t, float z) {
    const float term = expf(z - max) - lost, next = sum + term;
    lost = (next - sum) - term;
    sum = next;
  });
  return {max, blockSum<kThreads>(static_cast<double>(sum) - static_cast<double>(lost))};
}

/// e^d·d − e^d + 1, for e^d − 1. Σ p₀·d is Σ p·excess(d): no term is negative. Near 0 by its series, where
/// the digits of its parts cancel.
__device__ __forceinline__ float excess(float d, float grown) {
  if (fabsf(d) > 0.1f) return d + (d - 1.f) * grown;
  return d * d * (1.f / 2 + d * (1.f / 3 + d * (1.f / 8 + d * (1.f / 30 + d * (1.f / 144 + d / 840)))));
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    divergenceKernel(T* logits, const T* base, float* divergences, int64_t vocab, float weight, float cap) {
  T* row = logits + blockIdx.x * vocab;
  const T* baseRow = base + blockIdx.x * vocab;
  const Normaliser own = normaliser(row, vocab), other = normaliser(baseRow, vocab);
  // log p₀ − log p = (z₀ − z) − shift: the difference of neighbouring logits is exact, and that of the two
  // normalisers is formed in double.
  const float logSum = logf(static_cast<float>(own.sum)), inverseCap = cap > 0.f ? 1.f / cap : 0.f;
  const auto shift =
      static_cast<float>((static_cast<double>(other.max) - own.max) + log(other.sum / own.sum));
  float total = 0.f;
  for (int64_t i = threadIdx.x; i < vocab; i += kThreads) {
    const float z = toFloat(row[i]), d = (toFloat(baseRow[i]) - z) - shift;
    const float logP = (z - own.max) - logSum, p = expf(logP);
    float difference;  // p₀ − p
    if (d > 1.f) {
      const float p0 = expf(logP + d);
      difference = p0 - p;
      total += p0 * d - difference;
    } else {
      // As p·expm1(d) it keeps its digits near 0.
      const float grown = expm1f(d);
      difference = p * grown;
      total += p * excess(d, grown);
    }
    const float t = z * inverseCap;
    if (weight > 0.f) row[i] = fromFloat<T>(-weight * difference * (1.f - t * t));
  }
  total = blockSum<kThreads>(total);
  if (threadIdx.x == 0) divergences[blockIdx.x] = total;
}

}  // namespace

template <class T>
void divergence(T* logits, const T* base, float* divergences, int64_t tokens, int64_t vocab, float weight,
                float cap, cudaStream_t stream) {
  if (tokens == 0) return;
  LAUNCH(divergenceKernel<T>, dim3(tokens), dim3(kThreads), stream, logits, base, divergences, vocab, weight,
         cap);
}

template void divergence(float*, const float*, float*, int64_t, int64_t, float, float, cudaStream_t);
template void divergence(bfloat16*, const bfloat16*, float*, int64_t, int64_t, float, float, cudaStream_t);
template void divergence(float16*, const float16*, float*, int64_t, int64_t, float, float, cudaStream_t);

}  // namespace adaptive::cuda
