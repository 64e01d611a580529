// Products of tiles that lie in the cache, a few rows by two vectors of columns at a time, with the sums in
// registers.
#pragma once
#include <utility>

#include "core/ops/cpu/isa/vec.h"
#include "core/ops/cpu/kernels.h"

namespace adaptive::cpu {
namespace CPU_CAPABILITY {

/// Rows at a time: their sums, two vectors each, a vector of b each and one of a fill the registers.
constexpr int kTileRows = kVec == 16 ? 14 : 6;

/// Rows × vectors of the product, from row `row` and column `column` on; the last vector has `count` columns.
template <int rows, int vectors>
ADAPTIVE_FLATTEN void multiplyBlock(const TileProduct& t, int64_t row, int64_t column, int64_t count) {
  const auto partOf = [&](int v) { return v + 1 == vectors ? count : kVec; };
  Vec sums[rows][vectors];
  float* out = t.out + row * t.outRow + column;
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < vectors; v++)
      sums[i][v] = t.adds ? loadPart(out + i * t.outRow + v * kVec, partOf(v)) : Vec(0);
  const float *a = t.a + row * t.aRow, *b = t.b + column;
  for (int64_t k = 0; k < t.inner; k++, a += t.aInner, b += t.bRow) {
    Vec right[vectors];
    for (int v = 0; v < vectors; v++) right[v] = loadPart(b + v * kVec, partOf(v));
    for (int i = 0; i < rows; i++) {
      const Vec left(a[i * t.aRow]);
      for (int v = 0; v < vectors; v++) sums[i][v] = at::vec::fmadd(left, right[v], sums[i][v]);
    }
  }
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < vectors; v++) storePart(out + i * t.outRow + v * kVec, sums[i][v], partOf(v));
}

/// Columns of the whole tile, from `column` on, `rows` rows at a time and then fewer.
template <int rows, int vectors>
void multiplyColumns(const TileProduct& t, int64_t row, int64_t column, int64_t count) {
  for (; row + rows <= t.rows; row += rows) multiplyBlock<rows, vectors>(t, row, column, count);
  if constexpr (rows > 1)
    if (row < t.rows) multiplyColumns<rows / 2, vectors>(t, row, column, count);
}

inline void multiplyTile(const TileProduct& t) {
  int64_t column = 0;
  for (; column + 2 * kVec <= t.columns; column += 2 * kVec)
    multiplyColumns<kTileRows, 2>(t, 0, column, kVec);
  for (; column < t.columns; column += kVec)
    multiplyColumns<kTileRows, 1>(t, 0, column, std::min(kVec, t.columns - column));
}

}  // namespace CPU_CAPABILITY
}  // namespace adaptive::cpu
