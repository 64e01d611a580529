// Tokens in the order of the experts that they go through, so that each expert multiplies all of its own at
// once.
#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

namespace adaptive {

struct ExpertGroups {
  std::vector<int64_t> firstRow;  ///< [experts + 1]: expert e has the rows [firstRow[e], firstRow[e + 1])
  at::Tensor tokens;              ///< int64 [rows]: the token of each row
  at::Tensor rows;  ///< int64 [active, tokens]: the row of each token's first, second … choice
};

/// chosen: int64 [tokens, active], the experts of each token. Tokens of an expert keep their order.
ExpertGroups groupsOf(const at::Tensor& chosen, int64_t experts);

/// The rows of x [tokens, width] in the order of the groups → [rows, width].
at::Tensor grouped(const at::Tensor& x, const ExpertGroups& groups);

/// Each token's sum over its experts of weight·row, float32 [tokens, width]; y [rows, width], weights float32
/// [tokens, active]. The sum has the order of the choices, whatever the number of threads.
at::Tensor combined(const at::Tensor& y, const at::Tensor& weights, const ExpertGroups& groups);

}  // namespace adaptive
