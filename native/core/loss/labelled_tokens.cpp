#include "core/loss/labelled_tokens.h"

#include <algorithm>

#include "core/error.h"

namespace adaptive {

LabelledTokens labelledTokens(const std::vector<int32_t>& labels, const std::vector<int64_t>& cuSeqlens,
                              const std::vector<LearningStyle>& styles,
                              const std::vector<int32_t>& demarcation, int64_t vocabSize) {
  const auto tokens = static_cast<int64_t>(labels.size());
  const size_t rows = cuSeqlens.empty() ? 0 : cuSeqlens.size() - 1;
  if (cuSeqlens.empty() || cuSeqlens.front() != 0 || cuSeqlens.back() != tokens || styles.size() != rows ||
      !std::is_sorted(cuSeqlens.begin(), cuSeqlens.end())) {
    fail("INVALID_INPUT", "Expected one label per token (", cuSeqlens.empty() ? 0 : cuSeqlens.back(),
         ") and one style per row (", rows, "), found ", tokens, " labels and ", styles.size(), " styles.");
  }
  LabelledTokens out;
  for (size_t row = 0; row + 1 < cuSeqlens.size(); row++) {
    const auto end = labels.begin() + cuSeqlens[row + 1];
    // The shifted labels of the row: what its positions 0 … n−2 predict.
    if (cuSeqlens[row] == cuSeqlens[row + 1]) continue;
    const auto shifted = labels.begin() + cuSeqlens[row] + 1;
    auto first = shifted;
    if (!demarcation.empty()) {
      const auto found = std::find_end(shifted, end, demarcation.begin(), demarcation.end());
      if (found != end) first = found;
    }
    for (auto label = first; label < end; ++label) {
      if (*label == kIgnored) continue;
      if (*label < 0 || *label >= vocabSize) {
        fail("INVALID_INPUT", "Expected labels from 0 to ", vocabSize - 1, " or -100, found ", *label,
             " in row ", row, " at position ", (label - labels.begin()) - cuSeqlens[row], ".");
      }
      out.positions.push_back((label - labels.begin()) - 1);
      out.labels.push_back(*label);
      out.rows.push_back(static_cast<int32_t>(row));
      out.styles.push_back(styles[row]);
    }
  }
  return out;
}

}  // namespace adaptive
