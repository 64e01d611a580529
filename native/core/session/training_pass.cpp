#include "core/session/training_pass.h"

#include <torch/csrc/autograd/autograd.h>

namespace adaptive {

TrainingPass::TrainingPass(Decoder& decoder, const MicroBatch& batch, bool training, int64_t entropyOfTop)
    : decoder_(decoder) {
  checkFlatBatch(batch.tokens, decoder.config().vocabSize);
  tokens_ =
      labelledTokens(batch.labels, batch.tokens.cuSeqlens, batch.styles, {}, decoder.config().vocabSize);
  at::AutoGradMode record(training);
  const at::Tensor hidden = decoder.hiddenStates(batch.tokens, training ? batch.dropout : DropoutKey{});
  selected_ = hidden.index_select(0, at::tensor(tokens_.positions, at::kLong));
  const LossGradients wanted = !training                    ? LossGradients::None
                               : decoder.head().trainable() ? LossGradients::Both
                                                            : LossGradients::Hidden;
  loss_.emplace(selected_.detach(), decoder.head().compute(), tokens_.labels, wanted, ChunkOptions{},
                LogitOptions{decoder.config().logitsScale, decoder.config().logitsCap}, entropyOfTop);
}

void TrainingPass::backward(const std::vector<float>& weights) {
  if (tokens_.size() == 0) return;
  Parameter& head = decoder_.head();
  const at::Tensor gradHidden =
      loss_->backward(weights, [&head](const at::Tensor& dLogits, const at::Tensor& hidden) {
        head.accumulateOuter(dLogits, hidden);
      });
  torch::autograd::backward({selected_}, {gradHidden});
  selected_ = at::Tensor();
}

}  // namespace adaptive
