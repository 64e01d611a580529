// The CPU implementations of ops.h: checks of shape are the callers' (model/ and loss/ build the tensors),
// the split over threads is here, the arithmetic is in isa/.
#include <ATen/Parallel.h>
#include <torch/library.h>

#include "core/cpu/attention.h"
#include "core/cpu/kernels.h"

namespace adaptive::cpu {
namespace {

using at::Tensor;

/// Runs f(T{}) for the type of activations that `dtype` names.
template <class F>
auto forType(at::ScalarType dtype, const F& f) {
  if (dtype == at::kBFloat16) return f(c10::BFloat16{});
  TORCH_CHECK(dtype == at::kFloat, "expected float32 or bfloat16 activations, found ", dtype);
  return f(float{});
}

/// Enough rows per task that a task is worth a thread's while.
int64_t grain(int64_t width) { return std::max<int64_t>(1, 32768 / std::max<int64_t>(1, width)); }

std::tuple<Tensor, Tensor> rmsNorm(const Tensor& x, const Tensor& weight, double eps, at::ScalarType dtype) {
  const Tensor input = x.contiguous();
  const int64_t width = input.size(-1), rows = input.numel() / width;
  Tensor y = at::empty_like(input, input.options().dtype(dtype)), rstd = at::empty({rows}, input.options());
  forType(dtype, [&](auto zero) {
    using T = decltype(zero);
    const float* from = input.const_data_ptr<float>();
    T* to = y.data_ptr<T>();
    float* scales = rstd.data_ptr<float>();
    const float* w = weight.const_data_ptr<float>();
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
      kernels<T>().rmsNormForward(from + begin * width, w, to + begin * width, scales + begin, end - begin,
                                  width, static_cast<float>(eps));
    });
  });
  return {y, rstd};
}

Tensor rmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd,
                       const std::optional<Tensor>& dWeight) {
  const Tensor grad = dy.contiguous(), input = x.contiguous();
  const int64_t width = input.size(-1), rows = input.numel() / width;
  Tensor dx = at::empty_like(input);
  // One partial sum per fixed slice of rows, not per thread, so that the result does not depend on the number
  // of threads.
  const int64_t slice = std::max<int64_t>(64, (rows + 63) / 64), slices = (rows + slice - 1) / slice;
  Tensor partial = dWeight ? at::zeros({slices, width}, weight.options()) : Tensor();
  forType(grad.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* dyData = grad.const_data_ptr<T>();
    const float *xData = input.const_data_ptr<float>(), *w = weight.const_data_ptr<float>();
    const float* scales = rstd.const_data_ptr<float>();
    float *dxData = dx.data_ptr<float>(), *sums = dWeight ? partial.data_ptr<float>() : nullptr;
    at::parallel_for(0, slices, 1, [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; s++) {
        const int64_t first = s * slice, count = std::min(rows, first + slice) - first;
        kernels<T>().rmsNormBackward(dyData + first * width, xData + first * width, w, scales + first,
                                     dxData + first * width, sums ? sums + s * width : nullptr, count, width);
      }
    });
  });
  if (dWeight) dWeight->add_(partial.sum(0));
  return dx;
}

void rotate_(Tensor x, const Tensor& cos, const Tensor& sin, int64_t heads, int64_t headDim, bool back) {
  const int64_t rows = x.size(0), stride = x.stride(0), half = cos.size(1);
  forType(x.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    T* data = x.data_ptr<T>();
    const float *c = cos.const_data_ptr<float>(), *s = sin.const_data_ptr<float>();
    at::parallel_for(0, rows, grain(heads * headDim), [&](int64_t begin, int64_t end) {
      kernels<T>().rotate(data + begin * stride, c + begin * half, s + begin * half, end - begin, stride,
                          heads, headDim, 2 * half, back ? -1.f : 1.f);
    });
  });
}

Tensor swiglu(const Tensor& gateUp) {
  const int64_t rows = gateUp.size(0), width = gateUp.size(1) / 2;
  Tensor y = at::empty({rows, width}, gateUp.options());
  forType(gateUp.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = gateUp.const_data_ptr<T>();
    T* to = y.data_ptr<T>();
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
      kernels<T>().swigluForward(from + begin * 2 * width, to + begin * width, end - begin, width);
    });
  });
  return y;
}

Tensor swigluBackward(const Tensor& dy, const Tensor& gateUp) {
  const Tensor grad = dy.contiguous();
  const int64_t rows = gateUp.size(0), width = gateUp.size(1) / 2;
  Tensor dGateUp = at::empty_like(gateUp);
  forType(gateUp.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T *dyData = grad.const_data_ptr<T>(), *from = gateUp.const_data_ptr<T>();
    T* to = dGateUp.data_ptr<T>();
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
      kernels<T>().swigluBackward(dyData + begin * width, from + begin * 2 * width, to + begin * 2 * width,
                                  end - begin, width);
    });
  });
  return dGateUp;
}

std::tuple<Tensor, Tensor> tokenStatistics(const Tensor& logits, const Tensor& labels) {
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  Tensor floats = at::empty({rows, 4}, logits.options().dtype(at::kFloat));
  Tensor ints = at::empty({rows, 2}, logits.options().dtype(at::kInt));
  forType(logits.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* z = logits.const_data_ptr<T>();
    const int32_t* label = labels.const_data_ptr<int32_t>();
    float* f = floats.data_ptr<float>();
    int32_t* n = ints.data_ptr<int32_t>();
    at::parallel_for(0, rows, grain(vocab), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        TokenStatisticsRow row;
        kernels<T>().tokenStatistics(z + r * vocab, vocab, label[r], &row);
        f[4 * r] = row.nll, f[4 * r + 1] = row.topNll, f[4 * r + 2] = row.max, f[4 * r + 3] = row.entropy;
        n[2 * r] = row.rank, n[2 * r + 1] = row.argmax;
      }
    });
  });
  return {floats, ints};
}

Tensor topKEntropy(const Tensor& logits, int64_t k) {
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  Tensor entropies = at::empty({rows}, logits.options().dtype(at::kFloat));
  forType(logits.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* z = logits.const_data_ptr<T>();
    float* out = entropies.data_ptr<float>();
    at::parallel_for(0, rows, grain(vocab), [&](int64_t begin, int64_t end) {
      std::vector<float> largest(std::min(k, vocab));
      for (int64_t r = begin; r < end; r++)
        out[r] = kernels<T>().topKEntropy(z + r * vocab, vocab, largest.data(),
                                          static_cast<int64_t>(largest.size()));
    });
  });
  return entropies;
}

void lossGradient_(Tensor logits, const Tensor& labels, const Tensor& floats, const Tensor& ints,
                   const Tensor& weights) {
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  forType(logits.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    T* z = logits.data_ptr<T>();
    const int32_t *label = labels.const_data_ptr<int32_t>(), *n = ints.const_data_ptr<int32_t>();
    const float *f = floats.const_data_ptr<float>(), *w = weights.const_data_ptr<float>();
    at::parallel_for(0, rows, grain(vocab), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        kernels<T>().lossGradient(
            z + r * vocab, vocab,
            {w[2 * r], w[2 * r + 1], f[4 * r + 2], f[4 * r + 1], label[r], n[2 * r + 1]});
      }
    });
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(adaptive_trainer, CPU, m) {
  m.impl("rms_norm", &rmsNorm);
  m.impl("rms_norm_backward", &rmsNormBackward);
  m.impl("rotate_", &rotate_);
  m.impl("swiglu", &swiglu);
  m.impl("swiglu_backward", &swigluBackward);
  m.impl("attention", &attention);
  m.impl("attention_backward", &attentionBackward);
  m.impl("attention_cached", &attentionCached);
  m.impl("token_statistics", &tokenStatistics);
  m.impl("top_k_entropy", &topKEntropy);
  m.impl("loss_gradient_", &lossGradient_);
}

}  // namespace adaptive::cpu
