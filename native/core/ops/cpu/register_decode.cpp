// The CPU implementations of what decoding is made of: products of few rows, and attention of one query a
// row.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <limits>

#include "core/ops/cpu/for_type.h"
#include "core/ops/cpu/kernels.h"
#include "core/ops/cpu/run_tasks.h"
#include "core/ops/library.h"

namespace adaptive::cpu {
namespace {

using at::Tensor;

Tensor thinProduct(const Tensor& a, const Tensor& weight) {
  constexpr int64_t kMultiplications = 1 << 17;  // of a task: some microseconds
  const Tensor x = a.to(at::kFloat).contiguous();
  const int64_t rows = x.size(0), inner = x.size(1), columns = weight.size(0), stride = weight.stride(0);
  Tensor y = at::empty({rows, columns}, a.options());
  const int64_t grain = std::max<int64_t>(4, kMultiplications / std::max<int64_t>(1, rows * inner));
  forType(a.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* w = weight.const_data_ptr<T>();
    T* out = y.data_ptr<T>();
    at::parallel_for(0, columns, grain, [&](int64_t begin, int64_t end) {
      kernels<T>().thinProduct(x.const_data_ptr<float>(), w + begin * stride, stride, out + begin, columns,
                               rows, end - begin, inner);
    });
  });
  return y;
}

/// Some keys of a row and a key/value head, and where its part of the results stands.
struct Part {
  int64_t row, kvHead, first, keys;
};

/// Long rows are cut, so that one of them is work for several cores.
std::vector<Part> partsOf(at::TensorList k, int64_t window) {
  constexpr int64_t kKeys = 512;
  std::vector<Part> parts;
  for (size_t row = 0; row < k.size(); row++) {
    const int64_t keys = k[row].size(0), begin = window > 0 ? std::max<int64_t>(0, keys - window) : 0;
    for (int64_t kvHead = 0; kvHead < k[row].size(1); kvHead++)
      for (int64_t first = begin; first < keys; first += kKeys)
        parts.push_back({static_cast<int64_t>(row), kvHead, first, std::min(kKeys, keys - first)});
  }
  return parts;
}

std::tuple<Tensor, Tensor> attendNext(const Tensor& q, at::TensorList k, at::TensorList v, double scale,
                                      int64_t window, double softCap) {
  const Tensor queries = q.contiguous();
  const int64_t rows = q.size(0), heads = q.size(1), headDim = q.size(2), kvHeads = k[0].size(1),
                group = heads / kvHeads;
  const std::vector<Part> parts = partsOf(k, window);
  const auto count = static_cast<int64_t>(parts.size());
  std::vector<float> max(count * group), gathered(count * group * headDim);
  std::vector<double> sum(count * group);
  Tensor out = at::empty({rows, heads * headDim}, q.options());
  Tensor lse = at::empty({heads, rows}, q.options().dtype(at::kFloat));
  forType(q.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    runTasks(count, [&](int64_t i) {
      const auto& [row, kvHead, first, keys] = parts[i];
      const int64_t stride = k[row].stride(0), at = first * stride + kvHead * headDim;
      kernels<T>().attendPart(queries.const_data_ptr<T>() + (row * heads + kvHead * group) * headDim,
                              k[row].const_data_ptr<T>() + at, v[row].const_data_ptr<T>() + at, stride, group,
                              headDim, keys, static_cast<float>(scale), static_cast<float>(softCap),
                              max.data() + i * group, sum.data() + i * group,
                              gathered.data() + i * group * headDim);
    });
    // Parts of a row and head stand side by side, and are put together in their order.
    T* to = out.data_ptr<T>();
    std::vector<float> whole(headDim);
    for (int64_t begin = 0, end; begin < count; begin = end) {
      const auto& [row, kvHead, first, keys] = parts[begin];
      for (end = begin + 1; end < count && parts[end].row == row && parts[end].kvHead == kvHead;) end++;
      for (int64_t g = 0; g < group; g++) {
        float largest = -std::numeric_limits<float>::infinity();
        for (int64_t i = begin; i < end; i++) largest = std::max(largest, max[i * group + g]);
        double total = 0;
        std::fill(whole.begin(), whole.end(), 0.f);
        for (int64_t i = begin; i < end; i++) {
          const float worth = std::exp(max[i * group + g] - largest);
          total += sum[i * group + g] * worth;
          for (int64_t d = 0; d < headDim; d++) whole[d] += worth * gathered[(i * group + g) * headDim + d];
        }
        const int64_t head = kvHead * group + g;
        lse.data_ptr<float>()[head * rows + row] = static_cast<float>(largest + std::log(total));
        const auto inverse = static_cast<float>(1 / total);
        for (int64_t d = 0; d < headDim; d++) to[(row * heads + head) * headDim + d] = T(whole[d] * inverse);
      }
    }
  });
  return {out, lse};
}

}  // namespace

ADAPTIVE_LIBRARY_IMPL(CPU, m) {
  m.impl("thin_product", &thinProduct);
  m.impl("attend_next", &attendNext);
}

}  // namespace adaptive::cpu
