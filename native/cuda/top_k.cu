// The largest logits of each row: the entropy of the softmax over them, and themselves.
#include "cuda/kernels.h"
#include "cuda/row.h"

namespace adaptive::cuda {
namespace {

constexpr int kThreads = 512, kBins = 256;

/// Bits that are ordered as the floats are.
__device__ __forceinline__ uint32_t keyOf(float value) {
  const uint32_t bits = __float_as_uint(value);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float valueOf(uint32_t key) {
  return __uint_as_float(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

/// The k-th largest key of a row: eight bits more of it are known after each of four reads. By every thread;
/// *above is how many keys are greater.
template <class T>
__device__ uint32_t kthLargest(const T* row, int64_t vocab, int64_t k, int64_t* above) {
  SHARED(int, bins, kBins);
  SHARED(int, chosen, 2);
  uint32_t prefix = 0, known = 0;
  *above = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int i = threadIdx.x; i < kBins; i += kThreads) bins[i] = 0;
    __syncthreads();
    forRow<kThreads>(row, vocab, [&](int64_t, float z) {
      const uint32_t key = keyOf(z);
      if ((key & known) == prefix) atomicAdd(&bins[key >> shift & 255], 1);
    });
    __syncthreads();
    if (threadIdx.x == 0) {
      int64_t greater = *above;
      int bin = kBins - 1;
      while (greater + bins[bin] < k) greater += bins[bin--];
      chosen[0] = bin, chosen[1] = static_cast<int>(greater);
    }
    __syncthreads();
    prefix |= static_cast<uint32_t>(chosen[0]) << shift;
    known |= 255u << shift;
    *above = chosen[1];
    __syncthreads();
  }
  return prefix;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    topKEntropyKernel(const T* __restrict__ logits, float* __restrict__ entropies, int64_t vocab, int64_t k) {
  const T* row = logits + blockIdx.x * vocab;
  float max = -INFINITY;
  forRow<kThreads>(row, vocab, [&](int64_t, float z) { max = z > max || z != z ? z : max; });
  max = blockMax<kThreads>(max);
  if (!(max < INFINITY && max > -INFINITY)) {  // the same for every thread
    if (threadIdx.x == 0) entropies[blockIdx.x] = NAN;
    return;
  }
  int64_t above;
  const uint32_t last = kthLargest(row, vocab, k, &above);
  // With d = z − max: H = log Σeᵈ − Σ d·eᵈ / Σeᵈ.
  float total = 0.f, weighted = 0.f;
  const auto add = [&](float z, float times) {
    const float d = z - max, e = expf(d) * times;
    total += e;
    if (e > 0.f) weighted += d * e;
  };
  forRow<kThreads>(row, vocab, [&](int64_t, float z) {
    if (keyOf(z) > last) add(z, 1.f);
  });
  // Equal ones share the places that are left.
  if (threadIdx.x == 0) add(valueOf(last), static_cast<float>(k - above));
  total = blockSum<kThreads>(total);
  weighted = blockSum<kThreads>(weighted);
  if (threadIdx.x == 0) entropies[blockIdx.x] = logf(total) - weighted / total;
}

struct Choice {
  float value;
  int id;  ///< −1: none
};

/// Which of two comes first: the greater, of equal ones the lower id.
__device__ __forceinline__ Choice better(const Choice& a, const Choice& b) {
  if (b.id < 0) return a;
  if (a.id < 0) return b;
  return b.value > a.value || (b.value == a.value && b.id < a.id) ? b : a;
}

__device__ __forceinline__ Choice bestOfBlock(Choice choice) {
  const auto acrossWarp = [](Choice own) {
    for (int lanes = 16; lanes > 0; lanes /= 2)
      own = better(own, {__shfl_xor_sync(~0u, own.value, lanes), __shfl_xor_sync(~0u, own.id, lanes)});
    return own;
  };
  choice = acrossWarp(choice);
  SHARED(Choice, ofWarps, kThreads / 32);
  __syncthreads();
  if (threadIdx.x % 32 == 0) ofWarps[threadIdx.x / 32] = choice;
  __syncthreads();
  choice = ofWarps[0];
  for (int warp = 1; warp < kThreads / 32; warp++) choice = better(choice, ofWarps[warp]);
  return choice;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    firstChoicesKernel(const T* __restrict__ logits, float* __restrict__ largest, int32_t* __restrict__ ids,
                       int64_t vocab, int64_t k) {
  const T* row = logits + blockIdx.x * vocab;
  Choice last = {INFINITY, -1};
  for (int64_t place = 0; place < k; place++) {
    Choice best = {-INFINITY, -1};
    forRow<kThreads>(row, vocab, [&](int64_t i, float z) {
      const int id = static_cast<int>(i);
      const bool isNext = z < last.value || (z == last.value && id > last.id);
      if (isNext && z > -INFINITY) best = better(best, {z, id});
    });
    last = bestOfBlock(best);
    if (threadIdx.x == 0) {
      largest[blockIdx.x * k + place] = last.id < 0 ? -INFINITY : last.value;
      ids[blockIdx.x * k + place] = last.id;
    }
    if (last.id < 0) last = {-INFINITY, INT32_MAX};  // nothing is left
  }
}

}  // namespace

template <class T>
void topKEntropy(const T* logits, float* entropies, int64_t tokens, int64_t vocab, int64_t k,
                 cudaStream_t stream) {
  if (tokens == 0) return;
  LAUNCH(topKEntropyKernel<T>, dim3(tokens), dim3(kThreads), stream, logits, entropies, vocab,
         k < vocab ? k : vocab);
}

template <class T>
void firstChoices(const T* logits, float* largest, int32_t* ids, int64_t tokens, int64_t vocab, int64_t k,
                  cudaStream_t stream) {
  if (tokens == 0) return;
  LAUNCH(firstChoicesKernel<T>, dim3(tokens), dim3(kThreads), stream, logits, largest, ids, vocab, k);
}

#define FOR_TYPE(T)                                                                     \
  template void topKEntropy(const T*, float*, int64_t, int64_t, int64_t, cudaStream_t); \
  template void firstChoices(const T*, float*, int32_t*, int64_t, int64_t, int64_t, cudaStream_t);
FOR_TYPE(float)
FOR_TYPE(bfloat16)
FOR_TYPE(float16)

}  // namespace adaptive::cuda
