// The CPU implementations of ops.h: checks of shape are the callers' (model/ and loss/ build the tensors),
// the split over threads is here, the arithmetic is in isa/.
#include <ATen/Parallel.h>

#include "core/ops/cpu/attention.h"
#include "core/ops/cpu/for_type.h"
#include "core/ops/cpu/kernels.h"
#include "core/ops/cpu/run_tasks.h"
#include "core/ops/library.h"

namespace adaptive::cpu {
namespace {

using at::Tensor;

/// Enough rows per task that a task is worth a thread's while.
int64_t grain(int64_t width) { return std::max<int64_t>(1, 32768 / std::max<int64_t>(1, width)); }

/// Weight gradients have one partial sum per fixed slice of rows, not per thread, so that the result does not
/// depend on the number of threads. At most 64, of 8 rows at least.
struct Slices {
  int64_t rows, count;
};
Slices slicesOf(int64_t rows) {
  const int64_t slice = std::max<int64_t>(8, (rows + 63) / 64);
  return {slice, (rows + slice - 1) / slice};
}

std::tuple<Tensor, Tensor> rmsNorm(const Tensor& x, const Tensor& weight, double eps, double offset,
                                   at::ScalarType dtype) {
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
                                  width, static_cast<float>(eps), static_cast<float>(offset));
    });
  });
  return {y, rstd};
}

Tensor rmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd,
                       double offset, const std::optional<Tensor>& dWeight) {
  const Tensor grad = dy.contiguous(), input = x.contiguous();
  const int64_t width = input.size(-1), rows = input.numel() / width;
  Tensor dx = at::empty_like(input);
  const auto [slice, slices] = slicesOf(rows);
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
                                     dxData + first * width, sums ? sums + s * width : nullptr, count, width,
                                     static_cast<float>(offset));
      }
    });
  });
  if (dWeight) dWeight->add_(partial.sum(0));
  return dx;
}

/// Queries or keys of a fused projection: `groups` pieces of `width`, `first` entries into each row; their
/// rstd stand at `rstdFirst`.
struct NormedPart {
  int64_t first, groups, width, rstdFirst;
};

struct NormedParts {
  NormedPart q, k;
  int64_t norms;  ///< rstd per row
};

NormedParts normedParts(const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight, int64_t heads,
                        int64_t kvHeads) {
  const int64_t headDim = qkv.size(1) / (heads + 2 * kvHeads);
  const int64_t q = heads * headDim / qWeight.numel(), k = kvHeads * headDim / kWeight.numel();
  return {{0, q, qWeight.numel(), 0}, {heads * headDim, k, kWeight.numel(), q}, q + k};
}

std::tuple<Tensor, Tensor> headNorm(const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight,
                                    int64_t heads, int64_t kvHeads, double eps, double offset) {
  const NormedParts parts = normedParts(qkv, qWeight, kWeight, heads, kvHeads);
  const int64_t rows = qkv.size(0), stride = qkv.size(1);
  Tensor y = at::empty_like(qkv), rstd = at::empty({rows, parts.norms}, qWeight.options());
  const int64_t values = parts.k.first + parts.k.groups * parts.k.width;
  y.narrow(1, values, stride - values).copy_(qkv.narrow(1, values, stride - values));
  forType(qkv.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = qkv.const_data_ptr<T>();
    T* to = y.data_ptr<T>();
    float* scales = rstd.data_ptr<float>();
    at::parallel_for(0, rows, grain(stride), [&](int64_t begin, int64_t end) {
      const auto norm = [&](const NormedPart& part, const Tensor& weight) {
        const int64_t at = begin * stride + part.first;
        kernels<T>().headNormForward(from + at, weight.const_data_ptr<float>(), to + at,
                                     scales + begin * parts.norms + part.rstdFirst, end - begin, stride,
                                     parts.norms, part.groups, part.width, static_cast<float>(eps),
                                     static_cast<float>(offset));
      };
      norm(parts.q, qWeight), norm(parts.k, kWeight);
    });
  });
  return {y, rstd};
}

void headNormPartBackward(Tensor dQkv, const Tensor& qkv, const Tensor& weight, const Tensor& rstd,
                          const NormedPart& part, double offset, const std::optional<Tensor>& dWeight) {
  const int64_t rows = qkv.size(0), stride = qkv.size(1), norms = rstd.size(1);
  const auto [slice, slices] = slicesOf(rows);
  Tensor partial = dWeight ? at::zeros({slices, part.width}, weight.options()) : Tensor();
  forType(qkv.scalar_type(), [&, slice = slice, slices = slices](auto zero) {
    using T = decltype(zero);
    T* grad = dQkv.data_ptr<T>();
    const T* x = qkv.const_data_ptr<T>();
    const float *w = weight.const_data_ptr<float>(), *scales = rstd.const_data_ptr<float>();
    float* sums = dWeight ? partial.data_ptr<float>() : nullptr;
    at::parallel_for(0, slices, 1, [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; s++) {
        const int64_t first = s * slice, count = std::min(rows, first + slice) - first;
        const int64_t at = first * stride + part.first;
        kernels<T>().headNormBackward(grad + at, x + at, w, scales + first * norms + part.rstdFirst,
                                      sums ? sums + s * part.width : nullptr, count, stride, norms,
                                      part.groups, part.width, static_cast<float>(offset));
      }
    });
  });
  if (dWeight) dWeight->add_(partial.sum(0));
}

void headNormBackward_(Tensor dQkv, const Tensor& qkv, const Tensor& qWeight, const Tensor& kWeight,
                       const Tensor& rstd, int64_t heads, int64_t kvHeads, double offset,
                       const std::optional<Tensor>& dQWeight, const std::optional<Tensor>& dKWeight) {
  const NormedParts parts = normedParts(qkv, qWeight, kWeight, heads, kvHeads);
  headNormPartBackward(dQkv, qkv, qWeight, rstd, parts.q, offset, dQWeight);
  headNormPartBackward(dQkv, qkv, kWeight, rstd, parts.k, offset, dKWeight);
}

void rotate_(Tensor x, const Tensor& cos, const Tensor& sin, int64_t heads, int64_t headDim, bool interleaved,
             bool back) {
  const int64_t rows = x.size(0), stride = x.stride(0), half = cos.size(1);
  forType(x.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    T* data = x.data_ptr<T>();
    const float *c = cos.const_data_ptr<float>(), *s = sin.const_data_ptr<float>();
    at::parallel_for(0, rows, grain(heads * headDim), [&](int64_t begin, int64_t end) {
      const auto rotate = interleaved ? kernels<T>().rotateInterleaved : kernels<T>().rotate;
      rotate(data + begin * stride, c + begin * half, s + begin * half, end - begin, stride, heads, headDim,
             2 * half, back ? -1.f : 1.f);
    });
  });
}

/// A task has some columns of the entries that fall to it, whose rows it adds in their order: no two tasks
/// add to the same place.
void addRows_(Tensor table, const Tensor& ids, const Tensor& rows, double scale) {
  constexpr int64_t kColumns = 128, kShares = 16;
  const Tensor from = rows.contiguous();
  const int64_t width = table.size(1), blocks = (width + kColumns - 1) / kColumns;
  const int64_t* entries = ids.const_data_ptr<int64_t>();
  const float *source = from.const_data_ptr<float>(), by = static_cast<float>(scale);
  auto* sums = table.data_ptr<float>();
  runTasks(blocks * kShares, [&](int64_t task) {
    const int64_t share = task % kShares, begin = task / kShares * kColumns;
    const int64_t end = std::min(width, begin + kColumns);
    for (int64_t i = 0; i < ids.numel(); i++) {
      if (entries[i] % kShares != share) continue;
      float* sum = sums + entries[i] * width;
      const float* row = source + i * width;
      for (int64_t column = begin; column < end; column++) sum[column] += by * row[column];
    }
  });
}

Tensor gatedActivation(const Tensor& gateUp, int64_t activation) {
  const int64_t rows = gateUp.size(0), width = gateUp.size(1) / 2;
  Tensor y = at::empty({rows, width}, gateUp.options());
  forType(gateUp.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = gateUp.const_data_ptr<T>();
    T* to = y.data_ptr<T>();
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
      kernels<T>().gatedForward(from + begin * 2 * width, to + begin * width, end - begin, width,
                                static_cast<Activation>(activation));
    });
  });
  return y;
}

Tensor gatedActivationBackward(const Tensor& dy, const Tensor& gateUp, int64_t activation) {
  const Tensor grad = dy.contiguous();
  const int64_t rows = gateUp.size(0), width = gateUp.size(1) / 2;
  Tensor dGateUp = at::empty_like(gateUp);
  forType(gateUp.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T *dyData = grad.const_data_ptr<T>(), *from = gateUp.const_data_ptr<T>();
    T* to = dGateUp.data_ptr<T>();
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
      kernels<T>().gatedBackward(dyData + begin * width, from + begin * 2 * width, to + begin * 2 * width,
                                 end - begin, width, static_cast<Activation>(activation));
    });
  });
  return dGateUp;
}

std::tuple<Tensor, Tensor> tokenStatistics(const Tensor& logits, const Tensor& labels) {
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  Tensor floats = at::empty({rows, 5}, logits.options().dtype(at::kFloat));
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
        f[5 * r] = row.nll, f[5 * r + 1] = row.topNll, f[5 * r + 2] = row.max, f[5 * r + 3] = row.entropy;
        f[5 * r + 4] = row.meanNll;
        n[2 * r] = row.rank, n[2 * r + 1] = row.argmax;
      }
    });
  });
  return {floats, ints};
}

void softCap_(Tensor x, double cap) {
  forType(x.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    T* data = x.data_ptr<T>();
    at::parallel_for(0, x.numel(), grain(1), [&](int64_t begin, int64_t end) {
      kernels<T>().softCap(data + begin, end - begin, static_cast<float>(cap));
    });
  });
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

std::tuple<Tensor, Tensor> firstChoices(const Tensor& logits, int64_t k) {
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  Tensor largest = at::empty({rows, k}, logits.options().dtype(at::kFloat));
  Tensor ids = at::empty({rows, k}, logits.options().dtype(at::kInt));
  forType(logits.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* z = logits.const_data_ptr<T>();
    float* values = largest.data_ptr<float>();
    int32_t* choices = ids.data_ptr<int32_t>();
    at::parallel_for(0, rows, grain(vocab), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++)
        kernels<T>().firstChoices(z + r * vocab, vocab, values + r * k, choices + r * k, k);
    });
  });
  return {largest, ids};
}

void lossGradient_(Tensor logits, const Tensor& labels, const Tensor& floats, const Tensor& ints,
                   const Tensor& weights, double cap, double smoothing) {
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  forType(logits.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    T* z = logits.data_ptr<T>();
    const int32_t *label = labels.const_data_ptr<int32_t>(), *n = ints.const_data_ptr<int32_t>();
    const float *f = floats.const_data_ptr<float>(), *w = weights.const_data_ptr<float>();
    at::parallel_for(0, rows, grain(vocab), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        kernels<T>().lossGradient(z + r * vocab, vocab,
                                  {w[2 * r], w[2 * r + 1], f[5 * r + 2], f[5 * r + 1], label[r], n[2 * r + 1],
                                   static_cast<float>(cap), static_cast<float>(smoothing)});
      }
    });
  });
}

Tensor divergence_(Tensor logits, const Tensor& base, double weight, double cap) {
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  Tensor divergences = at::empty({rows}, logits.options().dtype(at::kFloat));
  forType(logits.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    T* z = logits.data_ptr<T>();
    const T* z0 = base.const_data_ptr<T>();
    float* out = divergences.data_ptr<float>();
    at::parallel_for(0, rows, grain(vocab), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++)
        out[r] = static_cast<float>(kernels<T>().divergence(
            z + r * vocab, z0 + r * vocab, vocab, static_cast<float>(weight), static_cast<float>(cap)));
    });
  });
  return divergences;
}

}  // namespace

ADAPTIVE_LIBRARY_IMPL(CPU, m) {
  m.impl("rms_norm", &rmsNorm);
  m.impl("rms_norm_backward", &rmsNormBackward);
  m.impl("head_norm", &headNorm);
  m.impl("head_norm_backward_", &headNormBackward_);
  m.impl("rotate_", &rotate_);
  m.impl("add_rows_", &addRows_);
  m.impl("gated_activation", &gatedActivation);
  m.impl("gated_activation_backward", &gatedActivationBackward);
  m.impl("attention", &attention);
  m.impl("attention_backward", &attentionBackward);
  m.impl("attention_cached", &attentionCached);
  m.impl("token_statistics", &tokenStatistics);
  m.impl("soft_cap_", &softCap_);
  m.impl("top_k_entropy", &topKEntropy);
  m.impl("first_choices", &firstChoices);
  m.impl("loss_gradient_", &lossGradient_);
  m.impl("divergence_", &divergence_);
}

}  // namespace adaptive::cpu
