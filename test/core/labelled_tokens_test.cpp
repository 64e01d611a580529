// The shift of labels within rows, the demarcation, and the checks of a flat batch.
#include "core/loss/labelled_tokens.h"

#include <random>

#include "check.h"
#include "core/model/flat_batch.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

using Ids = std::vector<int32_t>;
constexpr int64_t kVocab = 50;

LabelledTokens of(const Ids& labels, const std::vector<int64_t>& cu, const Ids& demarcation = {}) {
  return labelledTokens(labels, cu, std::vector<LearningStyle>(cu.size() - 1, LearningStyle::Ideas),
                        demarcation, kVocab);
}

}  // namespace

TEST("labelled tokens: position t predicts label t + 1 of its own row") {
  const auto t = labelledTokens({1, 2, -100, 4, 5, 6, 7}, {0, 4, 5, 7},
                                {LearningStyle::Misc, LearningStyle::Ideas, LearningStyle::Both}, {}, kVocab);
  check(t.labels == Ids({2, 4, 7}), "labels 2, 4 and 7");
  check(t.positions == std::vector<int64_t>({0, 2, 5}), "positions 0, 2 and 5");
  check(t.rows == Ids({0, 0, 2}), "rows 0, 0 and 2");
  check(
      t.styles == std::vector<LearningStyle>({LearningStyle::Misc, LearningStyle::Misc, LearningStyle::Both}),
      "the styles of their rows");
}

TEST("labelled tokens: the last demarcation of a row decides, a row without one keeps all") {
  check(of({9, 1, 8, 9, 2, 8, 9, 3}, {0, 8}, {8, 9}).labels == Ids({8, 9, 3}),
        "everything from the last 8 9 on");
  check(of({9, 1, 8, 2}, {0, 4}, {8, 9}).labels == Ids({1, 8, 2}), "all labels where there is no 8 9");
  check(of({8, 9, 1}, {0, 3}, {8, 9}).labels == Ids({9, 1}),
        "an occurrence that begins at the first, unshifted label not to count");
  check(of({1, 2, 8, 9}, {0, 4}, {8, 9}).labels == Ids({8, 9}), "an occurrence at the very end");
  check(of({0, 7, 7, 7, 1}, {0, 5}, {7, 7}).labels == Ids({7, 7, 1}),
        "the later of two overlapping occurrences");
  check(of({0, 1, 8, 9, 2, 3}, {0, 3, 6}, {8, 9}).labels == Ids({1, 8, 2, 3}),
        "no occurrence across two rows");
  check(of({5}, {0, 1}, {8, 9}).size() == 0, "nothing in a row of one token");
}

TEST("labelled tokens: random rows against a search written out") {
  std::mt19937 random(5);
  for (int round = 0; round < 500; round++) {
    Ids labels;
    std::vector<int64_t> cu = {0};
    for (int row = 0; row < 3; row++) {
      const int length = 1 + random() % 9;
      for (int i = 0; i < length; i++)
        labels.push_back(random() % 4 == 0 ? -100 : static_cast<int32_t>(random() % 3));
      cu.push_back(static_cast<int64_t>(labels.size()));
    }
    Ids demarcation(random() % 3);
    for (auto& id : demarcation) id = static_cast<int32_t>(random() % 3);
    Ids expected;
    std::vector<int64_t> positions;
    for (int row = 0; row < 3; row++) {
      int64_t from = cu[row] + 1;
      for (int64_t at = cu[row] + 1;
           !demarcation.empty() && at + static_cast<int64_t>(demarcation.size()) <= cu[row + 1]; at++) {
        bool same = true;
        for (size_t d = 0; d < demarcation.size(); d++) same = same && labels[at + d] == demarcation[d];
        if (same) from = at;
      }
      for (int64_t i = from; i < cu[row + 1]; i++)
        if (labels[i] != -100) expected.push_back(labels[i]), positions.push_back(i - 1);
    }
    const auto actual = of(labels, cu, demarcation);
    check(actual.labels == expected && actual.positions == positions,
          c10::str("the labels of round ", round));
  }
}

TEST("labelled tokens: a label outside the vocabulary is named") {
  checkFails("INVALID_INPUT", "found 50 in row 1 at position 2", [] { of({1, 2, 3, 4, 50}, {0, 2, 5}); });
  checkFails("INVALID_INPUT", "found -1 in row 0 at position 1", [] { of({1, -1, 3}, {0, 3}); });
  checkFails("INVALID_INPUT", "0 to 49", [] { of({1, -99, 3}, {0, 3}); });
}

TEST("flat batch: rows and ids are checked") {
  checkFlatBatch({{0, 49, 3}, {0, 1, 3}}, kVocab);
  checkFails("INVALID_INPUT", "found 50 in row 1 at position 1", [] {
    checkFlatBatch({{1, 2, 50}, {0, 1, 3}}, kVocab);
  });
  checkFails("INVALID_INPUT", "found -1 in row 0", [] { checkFlatBatch({{-1}, {0, 1}}, kVocab); });
  checkFails("INVALID_INPUT", "row 1 with 0", [] { checkFlatBatch({{1, 2}, {0, 1, 1, 2}}, kVocab); });
  checkFails("INVALID_INPUT", "row 1 with -1", [] { checkFlatBatch({{1, 2}, {0, 2, 1, 2}}, kVocab); });
  const std::vector<std::vector<int64_t>> wrong = {{}, {0}, {0, 1}, {1, 2}, {0, 3}, {0, -2}};
  for (const auto& cu : wrong)
    checkFails("INVALID_INPUT", "cuSeqlens", [&] { checkFlatBatch({{1, 2}, cu}, kVocab); });
  // Entries far outside must be seen before they are used as an index.
  checkFails("INVALID_INPUT", "row 1 with -", [] {
    checkFlatBatch({{1, 2}, {0, int64_t{1} << 40, 2}}, kVocab);
  });
}
