#pragma once
#include <cstdint>

namespace adaptive {

struct ChunkOptions {
  /// Tokens per chunk; 0: as many as fit the budget.
  int64_t tokens = 0;
  /// Bytes that logits may take; 0: an eighth of the memory that is free, at most 1 GiB.
  int64_t budget = 0;
};

/// Tokens per chunk, spread evenly so that no small remainder is left. Errors: INVALID_INPUT for a negative
/// option.
int64_t chunkTokens(int64_t tokens, int64_t bytesPerToken, const ChunkOptions& options);

}  // namespace adaptive
