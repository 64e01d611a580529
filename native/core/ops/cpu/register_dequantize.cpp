// The CPU implementation of dequantize_: the split over threads; the arithmetic is in isa/.
#include <ATen/Parallel.h>

#include "core/ops/cpu/for_type.h"
#include "core/ops/cpu/kernels.h"
#include "core/ops/library.h"

namespace adaptive::cpu {
namespace {

using at::Tensor;

void dequantize_(Tensor out, const Tensor& packed, const std::optional<Tensor>& codes, const Tensor& scales,
                 int64_t blockSize, int64_t columns, int64_t firstRow, int64_t firstColumn) {
  const int64_t rows = out.size(0), width = out.size(1);
  const float* scale = scales.const_data_ptr<float>();
  const float* table = codes ? codes->const_data_ptr<float>() : nullptr;
  const auto* bytes = static_cast<const uint8_t*>(packed.const_data_ptr());
  forType(out.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    T* to = out.data_ptr<T>();
    at::parallel_for(0, rows, std::max<int64_t>(1, 32768 / width), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        const int64_t first = (firstRow + r) * columns + firstColumn;
        if (table) {
          kernels<T>().dequantize4bit(bytes, first, table, scale, blockSize, to + r * width, width);
        } else {
          kernels<T>().dequantize8bit(reinterpret_cast<const int8_t*>(bytes) + first, scale[firstRow + r],
                                      to + r * width, width);
        }
      }
    });
  });
}

}  // namespace

ADAPTIVE_LIBRARY_IMPL(CPU, m) { m.impl("dequantize_", &dequantize_); }

}  // namespace adaptive::cpu
