// The CPU implementations of the operators that draw numbers.
#include <ATen/Parallel.h>

#include "core/ops/cpu/kernels.h"
#include "core/ops/dropout_rate.h"
#include "core/ops/library.h"

namespace adaptive::cpu {
namespace {

using at::Tensor;

constexpr int64_t kGrain = 32768, kPiece = 512;

template <class T>
void dropPieces(const T* from, T* to, int64_t begin, int64_t end, const DropoutRate& rate, uint64_t key) {
  float piece[kPiece];
  for (int64_t i = begin; i < end; i += kPiece) {
    const int64_t count = std::min(kPiece, end - i);
    std::copy_n(from + i, count, piece);
    randomKernels().dropout(piece, count, key, i, rate.threshold, rate.scale);
    std::copy_n(piece, count, to + i);
  }
}

Tensor dropout(const Tensor& x, double rate, int64_t key) {
  const Tensor from = x.contiguous();
  Tensor to = at::empty_like(from);
  const DropoutRate dropped(rate);
  const auto drop = [&](auto zero) {
    using T = decltype(zero);
    const T* source = from.const_data_ptr<T>();
    T* target = to.data_ptr<T>();
    at::parallel_for(0, from.numel(), kGrain, [&](int64_t begin, int64_t end) {
      dropPieces(source, target, begin, end, dropped, static_cast<uint64_t>(key));
    });
  };
  if (from.scalar_type() == at::kFloat) {
    drop(0.f);
  } else if (from.scalar_type() == at::kBFloat16) {
    drop(c10::BFloat16());
  } else {
    drop(c10::Half());
  }
  return to;
}

Tensor uniform(const Tensor& like, int64_t key) {
  Tensor out = at::empty(like.sizes(), like.options().dtype(at::kFloat));
  float* data = out.data_ptr<float>();
  at::parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    randomKernels().uniform(data + begin, end - begin, static_cast<uint64_t>(key), begin);
  });
  return out;
}

}  // namespace

ADAPTIVE_LIBRARY_IMPL(CPU, m) {
  m.impl("dropout", &dropout);
  m.impl("uniform", &uniform);
}

}  // namespace adaptive::cpu
