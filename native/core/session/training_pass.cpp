#include "core/session/training_pass.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "core/error.h"
#include "core/expect.h"
#include "core/upload.h"

namespace adaptive {
namespace {

at::Tensor biasOf(Decoder& decoder) {
  return decoder.headBias() ? decoder.headBias()->compute() : at::Tensor();
}

/// Hidden states with their graph. Where they do not fit with the activations of blocks that were to be kept,
/// all blocks are recomputed.
at::Tensor recordedStates(Decoder& decoder, const PlacedBatch& batch, const KeptBlocks& kept) {
  if (kept.last > 0) {
    try {
      return decoder.hiddenStates(batch, kept);
    } catch (const Error&) {
      throw;
    } catch (const std::exception&) {
      // libtorch has no type for an allocation that was refused; any other fault comes again below.
    }
  }
  return decoder.hiddenStates(batch);
}

LogitOptions logitOptions(Decoder& decoder) {
  return {decoder.config().logitsScale, decoder.config().logitsCap, biasOf(decoder)};
}

/// What the head's adapter adds, whose input `low` has been made.
LowRankTerm additionOf(const Decoder& decoder, const at::Tensor& low) {
  if (!low.defined()) return {};
  Parameter& b = decoder.headAdapter()->b();
  return {low.detach(), b.compute(), [&b](const ops::LogitGradient& dLogits, const at::Tensor& rows) {
            b.accumulateOuter(dLogits, rows);
          }};
}

}  // namespace

TrainingPass::TrainingPass(Decoder& decoder, const MicroBatch& batch, bool training, MoreStatistics more,
                           const BaseModel* base)
    : decoder_(decoder), base_(base) {
  checkFlatBatch(batch.tokens, decoder.config().vocabSize);
  tokens_ =
      labelledTokens(batch.labels, batch.tokens.cuSeqlens, batch.styles, {}, decoder.config().vocabSize);
  if (batch.retained) {
    rows_ = *batch.retained;
    retainedIds_ = retainedPart(batch.tokens, rows_);
    const auto firstRow = static_cast<int64_t>(batch.tokens.cuSeqlens.size() - 1 - rows_.rows.size());
    if (tokens_.size() > 0 && tokens_.rows.back() >= firstRow)
      fail("INVALID_INPUT", "Expected retained rows without labels, found one in row ", tokens_.rows.back(),
           ".");
  }
  const DropoutKey key = training ? batch.dropout : DropoutKey{};
  at::Tensor positions, labels;
  Upload upload(decoder.device());
  upload.add(tokens_.positions, positions);
  upload.add(tokens_.labels, labels);
  const PlacedBatch placed = decoder.placed(batch.tokens, key, upload);
  at::AutoGradMode record(training);
  std::optional<Decoder::AdapterOff> off;
  if (batch.withoutAdapter && !training) off.emplace(decoder);
  const at::Tensor hidden = training ? recordedStates(decoder, placed, batch.kept)
                            : off    ? decoder.hiddenStatesOfBase(placed)
                                     : decoder.hiddenStates(placed);
  const LoraAdapter* adapter = off ? nullptr : decoder.headAdapter();
  const at::Tensor low = adapter ? lowInput(hidden, *adapter, key) : at::Tensor();
  if (batch.retained) {
    const auto count = static_cast<int64_t>(retainedIds_.ids.size());
    retained_ = hidden.narrow(0, hidden.size(0) - count, count);
    if (low.defined()) retainedLow_ = low.narrow(0, hidden.size(0) - count, count);
  }
  selected_ = hidden.index_select(0, positions);
  if (low.defined()) selectedLow_ = low.index_select(0, positions);
  const bool trainsHead = decoder.trainsHead() || decoder.headAdapter();
  const LossGradients wanted = !training    ? LossGradients::None
                               : trainsHead ? LossGradients::Both
                                            : LossGradients::Hidden;
  loss_.emplace(selected_.detach(), decoder.head().compute(), labels, wanted, ChunkOptions{},
                logitOptions(decoder), more, additionOf(decoder, selectedLow_));
}

Retained TrainingPass::backward(const std::vector<float>& weights, double scale) {
  torch::autograd::variable_list outputs, gradients;
  if (tokens_.size() > 0) {
    outputs.push_back(selected_);
    gradients.push_back(
        loss_->backward(weights, [this](const ops::LogitGradient& dLogits, const at::Tensor& hidden) {
          decoder_.addHeadGradient(dLogits, hidden);
        }));
    if (selectedLow_.defined()) {
      outputs.push_back(selectedLow_);
      gradients.push_back(loss_->gradLow());
    }
  }
  Retained retained;
  if (retained_.defined()) {
    const Divergence found = divergenceOf(decoder_, *base_, retainedIds_, rows_, retained_.detach(),
                                          retainedLow_, rows_.weight * scale);
    retained = {found.sum, found.tokens};
    if (found.gradHidden.defined()) {
      outputs.push_back(retained_);
      gradients.push_back(found.gradHidden);
      if (retainedLow_.defined()) {
        outputs.push_back(retainedLow_);
        gradients.push_back(found.gradLow);
      }
    }
  }
  if (!outputs.empty()) torch::autograd::backward(outputs, gradients);
  selected_ = retained_ = selectedLow_ = retainedLow_ = at::Tensor();
  return retained;
}

FlatBatch retainedPart(const FlatBatch& batch, const RetainedRows& rows) {
  const auto count = static_cast<int64_t>(rows.rows.size());
  expectInteger("the number of retained rows", count, 1, static_cast<int64_t>(batch.cuSeqlens.size()) - 1);
  FlatBatch part;
  const auto first = batch.cuSeqlens.end() - 1 - count;
  std::transform(first, batch.cuSeqlens.end(), std::back_inserter(part.cuSeqlens),
                 [first](int64_t at) { return at - *first; });
  part.ids.assign(batch.ids.begin() + *first, batch.ids.end());
  return part;
}

Divergence divergenceOf(Decoder& decoder, const BaseModel& base, const FlatBatch& ids,
                        const RetainedRows& rows, const at::Tensor& hidden, const at::Tensor& low,
                        double weight) {
  const HeadOperands own = {hidden, decoder.head().compute(), biasOf(decoder), additionOf(decoder, low)},
                     before = {base.hiddenStates(decoder, ids, rows), base.head(decoder),
                               base.headBias(decoder)};
  return fusedDivergence(own, before, weight, {}, logitOptions(decoder),
                         [&decoder](const ops::LogitGradient& dLogits, const at::Tensor& chunk) {
                           decoder.addHeadGradient(dLogits, chunk);
                         });
}

}  // namespace adaptive
