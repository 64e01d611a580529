#include "core/model/generation.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/error.h"

namespace adaptive {

Generation::Generation(const DecoderConfig& config, const FlatBatch& prompts, SamplingOptions options,
                       std::vector<int64_t> stopIds)
    : stopIds_(std::move(stopIds)), layers_(config.layers()), vocabSize_(config.vocabSize) {
  checkFlatBatch(prompts, vocabSize_);
  for (const RopeConfig& rope : config.ropes)
    if (rope.type == "longrope") ropeSwitch_ = rope.originalMaxPositions;
  for (size_t r = 0; r + 1 < prompts.cuSeqlens.size(); r++) {
    SamplingOptions own = options;
    own.seed += r;
    rows_.push_back(
        {KvCache(layers_),
         {prompts.ids.begin() + prompts.cuSeqlens[r], prompts.ids.begin() + prompts.cuSeqlens[r + 1]},
         Sampler(own)});
    rows_.back().sampler.see(rows_.back().ids);
  }
}

std::vector<int64_t> Generation::pendingOf(Row& row) const {
  const auto length = static_cast<double>(row.ids.size());
  // Past the switch all keys turn with the long factors: those in the cache are of no more use. transformers
  // starts over in the same place (Phi3ForCausalLM.prepare_inputs_for_generation).
  const bool switches =
      ropeSwitch_ > 0 && length > ropeSwitch_ && static_cast<double>(row.cache.length()) <= ropeSwitch_;
  if (switches) row.cache = KvCache(layers_);
  return {row.ids.begin() + row.cache.length(), row.ids.end()};
}

std::vector<int64_t> Generation::next(Decoder& decoder) {
  // Ids that were seen are indices into the logits.
  if (decoder.config().vocabSize != vocabSize_) {
    fail("INVALID_INPUT", "Expected the model to have the ", vocabSize_,
         " tokens that it had when the generation was begun, found ", decoder.config().vocabSize, ".");
  }
  FlatBatch batch;
  batch.cuSeqlens = {0};
  std::vector<KvCache*> caches;
  std::vector<int64_t> last;
  for (Row& row : rows_) {
    if (row.ended) continue;
    const std::vector<int64_t> pending = pendingOf(row);
    batch.ids.insert(batch.ids.end(), pending.begin(), pending.end());
    batch.cuSeqlens.push_back(static_cast<int64_t>(batch.ids.size()));
    last.push_back(static_cast<int64_t>(batch.ids.size()) - 1);
    caches.push_back(&row.cache);
  }
  std::vector<int64_t> tokens(rows_.size(), -1);
  if (caches.empty()) return tokens;
  const at::Tensor hidden = decoder.hiddenStates(batch, caches);
  const at::Tensor logits = decoder.logits(hidden.index_select(0, at::tensor(last, at::kLong))).cpu();
  int64_t at = 0;
  for (size_t r = 0; r < rows_.size(); r++) {
    Row& row = rows_[r];
    if (row.ended) continue;
    tokens[r] = row.sampler.next(logits[at++]);
    row.ids.push_back(tokens[r]);
    row.ended = std::find(stopIds_.begin(), stopIds_.end(), tokens[r]) != stopIds_.end();
  }
  return tokens;
}

bool Generation::ended() const {
  return std::all_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.ended; });
}

}  // namespace adaptive
