#include "core/model/generation.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/error.h"
#include "core/ops/product.h"
#include "core/upload.h"

namespace adaptive {
namespace {

/// Tokens of a pass of short rows. Products of so few do not let rows depend on each other, so that a row is
/// to the bit what it would be alone.
constexpr size_t kTogether = ops::kThinRows;
/// Tokens of a pass of longer rows, unless a single one has more: products are about as fast as they get, and
/// what a pass holds for a moment, about 4·(3·hidden + 3·intermediate) bytes for each token, stays small
/// beside the weights (8 billion: 0.1 GiB). A row is to the bit what it would be alone where libtorch's
/// product of more than kThinRows rows does not split its sums by the number of rows. It did not with AVX2
/// and AVX-512, in float32 and bfloat16; it may on other CPUs, or with many threads.
constexpr size_t kPrefillTokens = 512;

size_t rowsOf(const FlatBatch& prompts, int64_t vocabSize) {
  checkFlatBatch(prompts, vocabSize);
  return prompts.cuSeqlens.size() - 1;
}

}  // namespace

Generation::Generation(const DecoderConfig& config, const FlatBatch& prompts, SamplingOptions options,
                       std::vector<int64_t> stopIds)
    : sampler_(options, rowsOf(prompts, config.vocabSize)),
      stopIds_(std::move(stopIds)),
      layers_(config.layers()),
      vocabSize_(config.vocabSize),
      // How many tokens an expert is given decides how they are multiplied.
      prefillTokens_(config.routing.experts > 0 ? 0 : kPrefillTokens) {
  for (const RopeConfig& rope : config.ropes)
    if (rope.type == "longrope") ropeSwitch_ = rope.originalMaxPositions;
  for (size_t r = 0; r + 1 < prompts.cuSeqlens.size(); r++) {
    rows_.push_back(
        {KvCache(layers_),
         {prompts.ids.begin() + prompts.cuSeqlens[r], prompts.ids.begin() + prompts.cuSeqlens[r + 1]}});
    sampler_.see(r, rows_.back().ids);
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
  std::vector<int64_t> tokens(rows_.size(), -1);
  Pass shortRows, longRows;
  const auto run = [&](Pass& pass) {
    if (!pass.rows.empty()) runPass(decoder, pass, tokens);
    pass = {};
  };
  for (size_t r = 0; r < rows_.size(); r++) {
    if (rows_[r].ended) continue;
    const std::vector<int64_t> pending = pendingOf(rows_[r]);
    const bool isLong = pending.size() > kTogether;
    Pass& pass = isLong ? longRows : shortRows;
    const size_t room = isLong ? prefillTokens_ : kTogether;
    // Their last tokens are multiplied with the head, which is to be a product of few rows.
    if (pass.batch.ids.size() + pending.size() > room || pass.rows.size() == kTogether) run(pass);
    pass.batch.ids.insert(pass.batch.ids.end(), pending.begin(), pending.end());
    pass.batch.cuSeqlens.push_back(static_cast<int64_t>(pass.batch.ids.size()));
    pass.rows.push_back(r);
  }
  run(shortRows);
  run(longRows);
  return tokens;
}

void Generation::runPass(Decoder& decoder, const Pass& pass, std::vector<int64_t>& tokens) {
  std::vector<KvCache*> caches;
  std::vector<int64_t> last;
  for (size_t i = 0; i < pass.rows.size(); i++) {
    caches.push_back(&rows_[pass.rows[i]].cache);
    last.push_back(pass.batch.cuSeqlens[i + 1] - 1);
  }
  const at::Tensor hidden = decoder.hiddenStates(pass.batch, caches);
  // Of one token a row, each is its last.
  const bool isNext = last.size() == pass.batch.ids.size();
  const std::vector<int64_t> chosen = sampler_.next(
      decoder.logits(isNext ? hidden : hidden.index_select(0, uploaded(last, hidden))), pass.rows);
  for (size_t i = 0; i < pass.rows.size(); i++) {
    Row& row = rows_[pass.rows[i]];
    row.ids.push_back(chosen[i]);
    row.ended = std::find(stopIds_.begin(), stopIds_.end(), chosen[i]) != stopIds_.end();
    tokens[pass.rows[i]] = chosen[i];
  }
}

bool Generation::ended() const {
  return std::all_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.ended; });
}

}  // namespace adaptive
