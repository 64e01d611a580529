// One step of an optimizer, fused: each entry is read and written once.
#include "cuda/kernels.h"
#include "cuda/random.h"
#include "cuda/row.h"

namespace adaptive::cuda {
namespace {

constexpr int kThreads = 256;
/// Entries of a slot that one block steps through.
constexpr int64_t kSlotPiece = 4096;

/// The slots of one launch, as its argument: nothing is uploaded.
struct AdamSlots {
  AdamSlot slots[kAdamSlots];
  int firstBlock[kAdamSlots + 1];
  int count;
};

template <class W>
__global__ void __launch_bounds__(kThreads)
    adamwKernel(const __grid_constant__ AdamSlots all, AdamRates rates) {
  int index = 0;
  while (static_cast<int>(blockIdx.x) >= all.firstBlock[index + 1]) index++;
  const AdamSlot& slot = all.slots[index];
  W* weight = static_cast<W*>(slot.weight);
  const int64_t first = (int64_t{blockIdx.x} - all.firstBlock[index]) * kSlotPiece;
  const int64_t end = first + kSlotPiece < slot.count ? first + kSlotPiece : slot.count;
  for (int64_t i = first + threadIdx.x; i < end; i += kThreads) {
    const float g = slot.gradient[i] * rates.gradientScale;
    const float m1 = slot.moment1[i] = slot.moment1[i] * rates.beta1 + (1.f - rates.beta1) * g;
    const float m2 = slot.moment2[i] = slot.moment2[i] * rates.beta2 + (1.f - rates.beta2) * g * g;
    const float step = rates.stepSize * m1 / (sqrtf(m2) + rates.epsilon);
    const float stepped = toFloat(weight[i]) * rates.decay - step;
    if constexpr (sizeof(W) == 2) {
      weight[i] = roundedStochastically(stepped, slot.noise, i);
    } else {
      weight[i] = stepped;
    }
  }
}

// The 8-bit dynamic code (core/optim/dynamic_code.h) by arithmetic, as the CPU's kernel does it
// (core/ops/cpu/isa/optimizer_kernels.h has the derivation): decade i = 0 … 6 ends at 10^(i−6) and is cut
// into P·2^i fractions, P = 1 with a sign and 2 without.
__device__ __forceinline__ float decadeEnd(int i) {
  constexpr float kEnds[] = {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1.f};
  return kEnds[i];
}

/// 10^(i−6)·(0.9·y/2^i − 0.8) for y in [2^i, 2^(i+1)).
__device__ __forceinline__ float decodeFraction(float y) {
  float slope = 0.9f * 1e-6f, offset = -0.8f * 1e-6f;
#pragma unroll
  for (int i = 1; i < 7; i++) {
    if (y >= static_cast<float>(1 << i)) {
      slope = static_cast<float>(0.9 / (1 << i)) * decadeEnd(i);
      offset = -0.8f * decadeEnd(i);
    }
  }
  return fmaf(y, slope, offset);
}

/// The number of the code nearest to x in (0, 1), counted from the first of decade 0.
template <int P>
__device__ __forceinline__ float encodeFraction(float x) {
  float slope = static_cast<float>(1 / 0.9e-6), power = 1.f;
#pragma unroll
  for (int i = 1; i < 7; i++) {
    // Half way between the last value of a decade and the first of the next.
    if (x > decadeEnd(i - 1) * static_cast<float>(1 + 1.8 / (P << i))) {
      power = static_cast<float>(1 << i);
      slope = power / (0.9f * decadeEnd(i));
    }
  }
  const float y = fmaf(x, slope, power * static_cast<float>(0.8 / 0.9));
  // What lies between a decade's last value and its border is the last value's.
  return fminf(floorf(y * P), fmaf(power, 2.f * P, -1.f));
}

__device__ __forceinline__ float smallestOf(int p) { return static_cast<float>(1e-6 * (0.1 + 0.45 / p)); }
__device__ __forceinline__ float borderOfOne(int p) { return static_cast<float>(1 - 0.225 / (64 * p)); }

/// Codes with a sign: 127 is 0, 128 … 254 the positive values, 255 is 1, 126 … 0 the negative values.
__device__ __forceinline__ float decodeSigned(uint8_t code) {
  const float m = static_cast<float>(code) - 127.f, size = fabsf(m);
  const float value = size < 0.5f ? 0.f : size > 127.5f ? 1.f : decodeFraction(size + 0.5f);
  return m < 0.f ? -value : value;
}
__device__ __forceinline__ uint8_t encodeSigned(float x) {
  const float size = fabsf(x);
  float r = size <= smallestOf(1) / 2 ? 0.f : encodeFraction<1>(size);
  if (x > borderOfOne(1)) r = 128.f;
  return static_cast<uint8_t>(static_cast<int>(127.f + (x < 0.f ? -r : r)));
}

/// Codes without: 0 is 0, 1 … 254 the values, 255 is 1.
__device__ __forceinline__ float decodeUnsigned(uint8_t code) {
  if (code == 255) return 1.f;
  return code == 0 ? 0.f : decodeFraction((static_cast<float>(code) + 1.5f) * 0.5f);
}
__device__ __forceinline__ uint8_t encodeUnsigned(float x) {
  if (x > borderOfOne(2)) return 255;
  return x <= smallestOf(2) / 2 ? 0 : static_cast<uint8_t>(static_cast<int>(encodeFraction<2>(x) - 1.f));
}

__device__ __forceinline__ float inverse(float scale) { return scale > 0.f ? 1.f / scale : 0.f; }

/// A block to a block of moments, a thread to an entry.
template <class W>
__global__ void __launch_bounds__(kMomentBlock)
    adamw8bitKernel(W* weight, const float* gradient, uint8_t* codes1, float* scales1, uint8_t* codes2,
                    float* scales2, int64_t count, AdamRates rates, uint32_t noise) {
  const int64_t i = int64_t{blockIdx.x} * kMomentBlock + threadIdx.x;
  const float oldScale1 = scales1[blockIdx.x], oldScale2 = scales2[blockIdx.x];
  float m1 = 0.f, m2 = 0.f;
  if (i < count) {
    const float g = gradient[i] * rates.gradientScale;
    m1 = decodeSigned(codes1[i]) * oldScale1 * rates.beta1 + (1.f - rates.beta1) * g;
    m2 = decodeUnsigned(codes2[i]) * oldScale2 * rates.beta2 + (1.f - rates.beta2) * g * g;
    const float step = rates.stepSize * m1 / (sqrtf(m2) + rates.epsilon);
    const float stepped = toFloat(weight[i]) * rates.decay - step;
    if constexpr (sizeof(W) == 2) {
      weight[i] = roundedStochastically(stepped, noise, i);
    } else {
      weight[i] = stepped;
    }
  }
  const float scale1 = blockMax<kMomentBlock>(fabsf(m1)), scale2 = blockMax<kMomentBlock>(m2);
  if (threadIdx.x == 0) scales1[blockIdx.x] = scale1, scales2[blockIdx.x] = scale2;
  if (i >= count) return;
  codes1[i] = encodeSigned(m1 * inverse(scale1));
  codes2[i] = encodeUnsigned(m2 * inverse(scale2));
}

__global__ void __launch_bounds__(kMomentBlock)
    decodeMomentsKernel(const uint8_t* codes, const float* scales, float* values, int64_t count,
                        bool isSigned) {
  const int64_t i = int64_t{blockIdx.x} * kMomentBlock + threadIdx.x;
  if (i < count)
    values[i] = (isSigned ? decodeSigned(codes[i]) : decodeUnsigned(codes[i])) * scales[blockIdx.x];
}

__global__ void __launch_bounds__(kMomentBlock)
    encodeMomentsKernel(const float* values, uint8_t* codes, float* scales, int64_t count, bool isSigned) {
  const int64_t i = int64_t{blockIdx.x} * kMomentBlock + threadIdx.x;
  const float value = i < count ? values[i] : 0.f, scale = blockMax<kMomentBlock>(fabsf(value));
  if (threadIdx.x == 0) scales[blockIdx.x] = scale;
  if (i >= count) return;
  const float x = value * inverse(scale);
  codes[i] = isSigned ? encodeSigned(x) : encodeUnsigned(x);
}

__global__ void __launch_bounds__(kThreads)
    lionKernel(float* weight, const float* gradient, float* moment, int64_t count, LionRates rates) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const float g = gradient[i] * rates.gradientScale, m = moment[i];
  const float direction = rates.beta1 * m + (1.f - rates.beta1) * g;
  const float sign = direction > 0.f ? 1.f : direction < 0.f ? -1.f : 0.f;
  weight[i] = weight[i] * rates.decay - rates.learningRate * sign;
  moment[i] = rates.beta2 * m + (1.f - rates.beta2) * g;
}

template <class W>
void launchAdamw(const AdamSlots& slots, const AdamRates& rates, cudaStream_t stream) {
  LAUNCH(adamwKernel<W>, dim3(slots.firstBlock[slots.count]), dim3(kThreads), stream, slots, rates);
}

}  // namespace

void adamw(const AdamSlot* slots, int64_t count, bool bfloat16Weights, const AdamRates& rates,
           cudaStream_t stream) {
  for (int64_t first = 0; first < count; first += kAdamSlots) {
    AdamSlots batch{};
    for (int64_t i = first; i < count && i < first + kAdamSlots; i++) {
      batch.slots[batch.count] = slots[i];
      batch.firstBlock[batch.count + 1] =
          batch.firstBlock[batch.count] + static_cast<int>(blocksOf(slots[i].count, kSlotPiece));
      batch.count++;
    }
    if (batch.firstBlock[batch.count] == 0) continue;
    bfloat16Weights ? launchAdamw<bfloat16>(batch, rates, stream) : launchAdamw<float>(batch, rates, stream);
  }
}

template <class W>
void adamw8bit(W* weight, const float* gradient, uint8_t* codes1, float* scales1, uint8_t* codes2,
               float* scales2, int64_t count, const AdamRates& rates, uint32_t noise, cudaStream_t stream) {
  if (count == 0) return;
  LAUNCH(adamw8bitKernel<W>, dim3(blocksOf(count, kMomentBlock)), dim3(kMomentBlock), stream, weight,
         gradient, codes1, scales1, codes2, scales2, count, rates, noise);
}

void decodeMoments(const uint8_t* codes, const float* scales, float* values, int64_t count, bool isSigned,
                   cudaStream_t stream) {
  if (count == 0) return;
  LAUNCH(decodeMomentsKernel, dim3(blocksOf(count, kMomentBlock)), dim3(kMomentBlock), stream, codes, scales,
         values, count, isSigned);
}

void encodeMoments(const float* values, uint8_t* codes, float* scales, int64_t count, bool isSigned,
                   cudaStream_t stream) {
  if (count == 0) return;
  LAUNCH(encodeMomentsKernel, dim3(blocksOf(count, kMomentBlock)), dim3(kMomentBlock), stream, values, codes,
         scales, count, isSigned);
}

void lion(float* weight, const float* gradient, float* moment, int64_t count, const LionRates& rates,
          cudaStream_t stream) {
  if (count == 0) return;
  LAUNCH(lionKernel, dim3(blocksOf(count, kThreads)), dim3(kThreads), stream, weight, gradient, moment, count,
         rates);
}

template void adamw8bit(float*, const float*, uint8_t*, float*, uint8_t*, float*, int64_t, const AdamRates&,
                        uint32_t, cudaStream_t);
template void adamw8bit(bfloat16*, const float*, uint8_t*, float*, uint8_t*, float*, int64_t,
                        const AdamRates&, uint32_t, cudaStream_t);

}  // namespace adaptive::cuda
