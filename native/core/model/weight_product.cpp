#include "core/model/weight_product.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/ops/product.h"

namespace adaptive {
namespace {

using at::Tensor;

/// Entries of a tile.
constexpr int64_t kTile = int64_t{1} << 20;
/// Rows or columns of a tile: at least so many, and a multiple of them.
constexpr int64_t kGrain = 64;

int64_t tileOf(int64_t across) { return std::max(kGrain, kTile / across / kGrain * kGrain); }

/// use(first, tile [count, width]) for tiles of whole rows.
template <class Use>
void forRowTiles(const Parameter& weight, const WeightRows& rows, at::TensorOptions type, const Use& use) {
  const int64_t width = weight.master().size(1), most = std::min(rows.count, tileOf(width));
  const auto scales = weight.scales();
  const Tensor buffer = at::empty({most, width}, type);
  for (int64_t row = 0; row < rows.count; row += most) {
    const Tensor tile = buffer.narrow(0, 0, std::min(most, rows.count - row));
    weight.read(tile, rows.first + row, 0, scales);
    use(row, tile);
  }
}

/// use(first, tile [rows, count]) for tiles of whole columns.
template <class Use>
void forColumnTiles(const Parameter& weight, const WeightRows& rows, at::TensorOptions type, const Use& use) {
  const int64_t width = weight.master().size(1), most = std::min(width, tileOf(rows.count));
  const auto scales = weight.scales();
  const Tensor buffer = at::empty({rows.count * most}, type);
  for (int64_t column = 0; column < width; column += most) {
    const int64_t count = std::min(most, width - column);
    const Tensor tile = buffer.narrow(0, 0, rows.count * count).view({rows.count, count});
    weight.read(tile, rows.first, column, scales);
    use(column, tile);
  }
}

}  // namespace

WeightRows allRows(const Parameter& weight) { return {0, weight.master().size(0)}; }

void addForward(Tensor y, const Tensor& x, const Parameter& weight, const WeightRows& rows) {
  if (!weight.isQuantized()) {
    ops::addProduct(y, x, weight.compute().narrow(0, rows.first, rows.count).t());
    return;
  }
  // In bfloat16, tiles that are multiplied by way of float32 would be rounded and widened again.
  const Tensor input = x.to(ops::productType(x));
  forRowTiles(weight, rows, input.options(), [&](int64_t row, const Tensor& tile) {
    const Tensor target = y.narrow(1, row, tile.size(0));
    if (target.scalar_type() == input.scalar_type()) {
      ops::addProduct(target, input, tile.t());
    } else {
      target.copy_(at::addmm(target.to(input.scalar_type()), input, tile.t()));
    }
  });
}

Tensor forwardProduct(const Tensor& x, const Parameter& weight, const WeightRows& rows) {
  if (!weight.isQuantized()) return ops::product(x, weight.compute().narrow(0, rows.first, rows.count).t());
  const Tensor input = x.to(ops::productType(x)), y = at::empty({x.size(0), rows.count}, x.options());
  forRowTiles(weight, rows, input.options(), [&](int64_t row, const Tensor& tile) {
    y.narrow(1, row, tile.size(0)).copy_(ops::product(input, tile.t()));
  });
  return y;
}

Tensor backwardProduct(const Tensor& dy, const Parameter& weight, const WeightRows& rows) {
  if (!weight.isQuantized()) return ops::product(dy, weight.compute().narrow(0, rows.first, rows.count));
  const Tensor grad = dy.to(ops::productType(dy)),
               dx = at::empty({dy.size(0), weight.master().size(1)}, dy.options());
  forColumnTiles(weight, rows, grad.options(), [&](int64_t column, const Tensor& tile) {
    dx.narrow(1, column, tile.size(1)).copy_(ops::product(grad, tile));
  });
  return dx;
}

}  // namespace adaptive
