#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace adaptive {

struct ChunkOptions {
  /// Tokens per chunk; 0: as many as fit the budget.
  int64_t tokens = 0;
  /// Bytes that logits may take; 0: an eighth of the memory that is free, within LogitForm::memory.
  int64_t budget = 0;
  /// Tokens whose numerators are kept between the passes where logits are float32; −1: as many as half of the
  /// memory that is free holds.
  int64_t kept = -1;
};

/// How the logits of hidden states are formed where those are.
struct LogitForm {
  explicit LogitForm(const at::Tensor& hidden);
  at::ScalarType type;  ///< of hidden, or float32 for those of 16 bits
  int64_t bytes;        ///< for a logit, and its gradient beside it where that is of another type
  struct Memory {
    int64_t free, largest;  ///< bytes
  } memory;                 ///< what is free, and the most that logits take of it by default
  bool isWide;              ///< float32 logits of 16 bits
};

/// Tokens per chunk, spread evenly so that no small remainder is left. Errors: INVALID_INPUT for a negative
/// option.
int64_t chunkTokens(int64_t tokens, int64_t bytesPerToken, const ChunkOptions& options,
                    const LogitForm::Memory& memory);

}  // namespace adaptive
