// A micro-batch without padding: all rows joined, and where each begins.
#pragma once
#include <cstdint>
#include <vector>

namespace adaptive {

struct FlatBatch {
  std::vector<int64_t> ids;        ///< [tokens]
  std::vector<int64_t> cuSeqlens;  ///< [rows + 1], from 0 to tokens, strictly increasing
};

/// Errors: INVALID_INPUT naming the row or the token when a row is empty or an id lies outside [0,
/// vocabSize).
void checkFlatBatch(const FlatBatch& batch, int64_t vocabSize);

}  // namespace adaptive
