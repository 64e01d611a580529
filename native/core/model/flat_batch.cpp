#include "core/model/flat_batch.h"

#include "core/error.h"

namespace adaptive {

void checkFlatBatch(const FlatBatch& batch, int64_t vocabSize) {
  const auto& cu = batch.cuSeqlens;
  const auto tokens = static_cast<int64_t>(batch.ids.size());
  if (cu.size() < 2 || cu.front() != 0 || cu.back() != tokens) {
    fail("INVALID_INPUT", "Expected cuSeqlens from 0 to the number of tokens (", tokens,
         ") with at least one row, found ", cu.size(), " entries ending in ", cu.empty() ? -1 : cu.back(),
         ".");
  }
  // All of them first: only then is every entry known to lie within the ids.
  for (size_t row = 0; row + 1 < cu.size(); row++) {
    if (cu[row + 1] <= cu[row]) {
      fail("INVALID_INPUT", "Expected at least one token in every row, found row ", row, " with ",
           cu[row + 1] - cu[row], ".");
    }
  }
  for (size_t row = 0; row + 1 < cu.size(); row++) {
    for (int64_t i = cu[row]; i < cu[row + 1]; i++) {
      if (batch.ids[i] < 0 || batch.ids[i] >= vocabSize) {
        fail("INVALID_INPUT", "Expected token ids from 0 to ", vocabSize - 1, ", found ", batch.ids[i],
             " in row ", row, " at position ", i - cu[row], ". Does the tokenizer belong to this model?");
      }
    }
  }
}

}  // namespace adaptive
