// The positions of a batch that have something to predict: the shift of labels by one, within each row.
#pragma once
#include <cstdint>
#include <vector>

namespace adaptive {

enum class LearningStyle : uint8_t { Misc = 0, Ideas = 1, Attention = 2, Both = 3 };

constexpr int32_t kIgnored = -100;

struct LabelledTokens {
  std::vector<int64_t> positions;     ///< index into the flat batch; position t predicts the token at t + 1
  std::vector<int32_t> labels;        ///< the id to predict
  std::vector<int32_t> rows;          ///< the row of each
  std::vector<LearningStyle> styles;  ///< the learning style of its row
  int64_t size() const { return static_cast<int64_t>(positions.size()); }
};

/// labels [tokens] line up with the inputs; −100 is not trained. With a non-empty `demarcation`, labels of a
/// row before its last occurrence (in the shifted labels) are dropped; a row without it keeps all. Errors:
/// INVALID_INPUT for a label outside [0, vocabSize) that is not −100, and unless there is one label per token
/// and one style per row.
LabelledTokens labelledTokens(const std::vector<int32_t>& labels, const std::vector<int64_t>& cuSeqlens,
                              const std::vector<LearningStyle>& styles,
                              const std::vector<int32_t>& demarcation, int64_t vocabSize);

}  // namespace adaptive
