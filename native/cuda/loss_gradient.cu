// From statistics and weights to the gradient of the loss: in place of the logits, or by way of kept
// numerators.
#include "cuda/kernels.h"
#include "cuda/row.h"

namespace adaptive::cuda {
namespace {

constexpr int kThreads = 512, kElementThreads = 256;

/// One token's gradient, z → ∂loss/∂z.
struct TokenGradient {
  float a, b, max, topNll, nll, spread, cap, smoothing;
  int label, argmax;

  __device__ TokenGradient(const TokenGradients& of, int64_t token, int64_t vocab)
      : a(of.weights[2 * token]),
        b(of.weights[2 * token + 1]),
        max(of.floats[5 * token + 2]),
        topNll(of.floats[5 * token + 1]),
        nll(of.floats[5 * token]),
        spread(a * of.smoothing / static_cast<float>(vocab)),
        cap(of.cap),
        smoothing(of.smoothing),
        label(of.labels[token]),
        argmax(of.ints[2 * token + 1]) {}

  /// ∂z/∂l of z = cap·tanh(l/cap).
  __device__ float slope(float z) const {
    const float t = z / cap;
    return cap > 0.f ? 1.f - t * t : 1.f;
  }
  /// softmax − 1 at the first choice: exact when the token is (nearly) certain.
  __device__ float missing() const { return expm1f(-topNll); }

  __device__ float operator()(int64_t i, float z) const {
    // A NaN among the logits leaves no first choice, and no gradient.
    if (argmax < 0) return NAN;
    float gradient;
    if (i == argmax && i == label) {
      gradient = (a + b) * missing() + (a * smoothing - spread);
    } else if (i == argmax) {
      gradient = a * expf(-topNll) + b * missing() - spread;
    } else {
      // Subtracting the two parts of logsumexp one after the other keeps the precision of a tiny topNll.
      gradient = (a + b) * expf((z - max) - topNll) - spread;
      if (i == label) gradient -= a * (1.f - smoothing);
    }
    return gradient * slope(z);
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads) lossGradientKernel(T* logits, TokenGradients of, int64_t vocab) {
  const TokenGradient gradient(of, blockIdx.x, vocab);
  changeRow<kThreads>(logits + blockIdx.x * vocab, vocab, gradient);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    lossGradientIntoKernel(T* __restrict__ out, const float* __restrict__ logits, TokenGradients of,
                           int64_t vocab) {
  const TokenGradient gradient(of, blockIdx.x, vocab);
  T* row = out + blockIdx.x * vocab;
  forRow<kThreads>(logits + blockIdx.x * vocab, vocab,
                   [&](int64_t i, float z) { row[i] = fromFloat<T>(gradient(i, z)); });
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    keepNumeratorsKernel(T* __restrict__ kept, const float* __restrict__ logits,
                         const int32_t* __restrict__ labels, const float* __restrict__ floats,
                         const int32_t* __restrict__ ints, float cap, int64_t vocab) {
  const int64_t token = blockIdx.x;
  const int label = labels[token], argmax = ints[2 * token + 1];
  const float max = floats[5 * token + 2];
  T* row = kept + token * vocab;
  forRow<kThreads>(logits + token * vocab, vocab, [&](int64_t i, float z) {
    const float t = cap > 0.f ? z / cap : 0.f;
    row[i] = fromFloat<T>(i == label || i == argmax ? 0.f : expf(z - max) * (1.f - t * t));
  });
}

__global__ void numeratorScalesKernel(float* scales, TokenGradients of, int64_t tokens) {
  const int64_t token = int64_t{blockIdx.x} * kElementThreads + threadIdx.x;
  if (token >= tokens) return;
  const TokenGradient g(of, token, 1);
  float* out = scales + 3 * token;
  if (g.argmax < 0) {
    out[0] = out[1] = out[2] = NAN;
    return;
  }
  out[0] = (g.a + g.b) * expf(-g.topNll);
  if (g.label == g.argmax) {
    out[1] = 0.f;
    out[2] = (g.a + g.b) * g.missing() * g.slope(g.max);
  } else {
    out[1] = ((g.a + g.b) * expf(-g.nll) - g.a) * g.slope(g.max - (g.nll - g.topNll));
    out[2] = (g.a * expf(-g.topNll) + g.b * g.missing()) * g.slope(g.max);
  }
}

template <class T>
__global__ void hiddenFromNumeratorsKernel(T* gradient, const float* product, const T* weight,
                                           const float* scales, const int32_t* labels, const int32_t* ints,
                                           int64_t count, int64_t width) {
  const int64_t i = int64_t{blockIdx.x} * kElementThreads + threadIdx.x;
  if (i >= count) return;
  const int64_t token = i / width, column = i % width, argmax = ints[2 * token + 1];
  const float* scale = scales + 3 * token;
  // Without a first choice there is no row to read, and the scales are NaN.
  const float top = argmax < 0 ? 0.f : toFloat(weight[argmax * width + column]);
  gradient[i] = fromFloat<T>(scale[0] * product[i] +
                             scale[1] * toFloat(weight[labels[token] * width + column]) + scale[2] * top);
}

template <class T>
__global__ void softCapKernel(T* x, int64_t count, float cap) {
  const int64_t i = int64_t{blockIdx.x} * kElementThreads + threadIdx.x;
  if (i < count) x[i] = fromFloat<T>(cap * tanhf(toFloat(x[i]) / cap));
}

}  // namespace

template <class T>
void lossGradient(T* logits, const TokenGradients& of, int64_t tokens, int64_t vocab, cudaStream_t stream) {
  if (tokens == 0) return;
  LAUNCH(lossGradientKernel<T>, dim3(tokens), dim3(kThreads), stream, logits, of, vocab);
}

template <class T>
void lossGradientInto(T* gradient, const float* logits, const TokenGradients& of, int64_t tokens,
                      int64_t vocab, cudaStream_t stream) {
  if (tokens == 0) return;
  LAUNCH(lossGradientIntoKernel<T>, dim3(tokens), dim3(kThreads), stream, gradient, logits, of, vocab);
}

template <class T>
void keepNumerators(T* kept, const float* logits, const int32_t* labels, const float* floats,
                    const int32_t* ints, float cap, int64_t tokens, int64_t vocab, cudaStream_t stream) {
  if (tokens == 0) return;
  LAUNCH(keepNumeratorsKernel<T>, dim3(tokens), dim3(kThreads), stream, kept, logits, labels, floats, ints,
         cap, vocab);
}

void numeratorScales(float* scales, const TokenGradients& of, int64_t tokens, cudaStream_t stream) {
  if (tokens == 0) return;
  LAUNCH(numeratorScalesKernel, dim3(blocksOf(tokens, kElementThreads)), dim3(kElementThreads), stream,
         scales, of, tokens);
}

template <class T>
void hiddenFromNumerators(T* gradient, const float* product, const T* weight, const float* scales,
                          const int32_t* labels, const int32_t* ints, int64_t tokens, int64_t width,
                          cudaStream_t stream) {
  const int64_t count = tokens * width;
  if (count == 0) return;
  LAUNCH(hiddenFromNumeratorsKernel<T>, dim3(blocksOf(count, kElementThreads)), dim3(kElementThreads), stream,
         gradient, product, weight, scales, labels, ints, count, width);
}

template <class T>
void softCap(T* x, int64_t count, float cap, cudaStream_t stream) {
  if (count == 0) return;
  LAUNCH(softCapKernel<T>, dim3(blocksOf(count, kElementThreads)), dim3(kElementThreads), stream, x, count,
         cap);
}

#define FOR_TYPE(T)                                                                            \
  template void lossGradient(T*, const TokenGradients&, int64_t, int64_t, cudaStream_t);       \
  template void hiddenFromNumerators(T*, const float*, const T*, const float*, const int32_t*, \
                                     const int32_t*, int64_t, int64_t, cudaStream_t);          \
  template void softCap(T*, int64_t, float, cudaStream_t);
#define FOR_HALF_TYPE(T)                                                                                   \
  template void lossGradientInto(T*, const float*, const TokenGradients&, int64_t, int64_t, cudaStream_t); \
  template void keepNumerators(T*, const float*, const int32_t*, const float*, const int32_t*, float,      \
                               int64_t, int64_t, cudaStream_t);
FOR_TYPE(float)
FOR_TYPE(bfloat16)
FOR_TYPE(float16)
FOR_HALF_TYPE(bfloat16)
FOR_HALF_TYPE(float16)

}  // namespace adaptive::cuda
