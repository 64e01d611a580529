// Sequences that are being generated, side by side.
#pragma once
#include "core/model/decoder.h"
#include "core/model/sampler.h"

namespace adaptive {

class Generation {
 public:
  /// Row r samples with the seed of `options` plus r, so that equal prompts may differ. A row ends with the
  /// first of `stopIds`. Errors: INVALID_INPUT for prompts or options that do not fit.
  Generation(const DecoderConfig& config, const FlatBatch& prompts, SamplingOptions options,
             std::vector<int64_t> stopIds);

  /// One more token for every row that has not ended; −1 for the others. Errors: INVALID_INPUT when the
  /// decoder's vocabulary has another size than at the start.
  std::vector<int64_t> next(Decoder& decoder);
  /// Every row has ended.
  bool ended() const;

 private:
  struct Row {
    KvCache cache;
    std::vector<int64_t> ids;  ///< prompt and generated tokens
    bool ended = false;
  };
  /// Rows that go through the decoder together, and their ids.
  struct Pass {
    FlatBatch batch = {{}, {0}};
    std::vector<size_t> rows;
  };
  void runPass(Decoder& decoder, const Pass& pass, std::vector<int64_t>& tokens);
  /// The ids that are not in the row's cache yet.
  std::vector<int64_t> pendingOf(Row& row) const;

  std::vector<Row> rows_;
  Sampler sampler_;
  std::vector<int64_t> stopIds_;
  int64_t layers_, vocabSize_;
  size_t prefillTokens_;   ///< of several long rows that go through the decoder together; 0: each goes alone
  double ropeSwitch_ = 0;  ///< longrope: rows longer than this turn with other frequencies; 0: none do
};

}  // namespace adaptive
