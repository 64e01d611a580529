// The decoder's own equalities: checkpointed and plain, packed and single, cached and whole; and the pass
// over it.
#include "core/model/decoder.h"

#include <torch/csrc/autograd/autograd.h>

#include "check.h"
#include "core/optim/optimizer.h"
#include "core/session/training_pass.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

DecoderConfig smallConfig(bool tied) {
  DecoderConfig config;
  config.vocabSize = 61, config.hiddenSize = 24, config.intermediateSize = 40;
  config.heads = 4, config.kvHeads = 2, config.headDim = 8;
  config.tiedHead = tied, config.qkvBias = true, config.outputBias = true, config.mlpBias = true;
  config.ropes = {{.theta = 10000, .dims = 8}};
  config.layerConfigs.assign(3, {.rope = 0, .window = 0, .attentionScale = 1 / std::sqrt(8.0)});
  return config;
}

std::unique_ptr<Decoder> randomDecoder(bool tied = false) {
  auto decoder = std::make_unique<Decoder>(smallConfig(tied));
  uint64_t seed = 100;
  for (const Parameter* p : decoder->parameters()) {
    Tensor master = p->master();
    master.copy_(normal(master.sizes(), seed++) * 0.3);
  }
  decoder->refreshCompute();
  return decoder;
}

FlatBatch batchOf(const std::vector<int64_t>& lengths) {
  FlatBatch batch{{}, {0}};
  for (const int64_t length : lengths) {
    for (int64_t i = 0; i < length; i++) batch.ids.push_back((batch.ids.size() * 17 + 5) % 61);
    batch.cuSeqlens.push_back(static_cast<int64_t>(batch.ids.size()));
  }
  return batch;
}

/// The ids that continue one cached row.
Tensor continued(Decoder& decoder, const std::vector<int64_t>& ids, KvCache& cache) {
  return decoder.hiddenStates({ids, {0, static_cast<int64_t>(ids.size())}}, {&cache});
}

FlatBatch rowOf(const FlatBatch& batch, size_t row) {
  const std::vector<int64_t> ids(batch.ids.begin() + batch.cuSeqlens[row],
                                 batch.ids.begin() + batch.cuSeqlens[row + 1]);
  return {ids, {0, static_cast<int64_t>(ids.size())}};
}

MicroBatch microBatchOf(const std::vector<int64_t>& lengths) {
  const FlatBatch batch = batchOf(lengths);
  return {batch,
          {batch.ids.begin(), batch.ids.end()},
          std::vector<LearningStyle>(lengths.size(), LearningStyle::Both)};
}

std::vector<Tensor> gradientsOf(Decoder& decoder, const std::vector<MicroBatch>& batches) {
  decoder.clearGradients();
  for (const MicroBatch& batch : batches) {
    TrainingPass pass(decoder, batch, true);
    pass.backward(std::vector<float>(2 * pass.tokens().size(), 0.01f));
  }
  std::vector<Tensor> gradients;
  for (const Parameter* p : decoder.parameters()) gradients.push_back(p->gradient().clone());
  return gradients;
}

Tensor hiddenOf(Decoder& decoder, const FlatBatch& batch) {
  at::NoGradGuard noGrad;
  return decoder.hiddenStates(batch);
}

}  // namespace

TEST("decoder: a checkpointed run equals the plain one, bit for bit") {
  for (const bool tied : {false, true}) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const auto decoder = randomDecoder(tied);
      decoder->setTypes(type, at::kFloat);
      std::vector<MicroBatch> batches = {microBatchOf({7, 1, 140}), microBatchOf({12})};
      const auto plain = gradientsOf(*decoder, batches);
      decoder->setCheckpointing(true);
      const auto parameters = decoder->parameters();
      // All blocks recomputed, the last of two kept, both; one too many; none because no memory is that
      // large.
      const int64_t all = decoder->config().layers(), huge = std::numeric_limits<int64_t>::max();
      for (const auto& [keep, kept] : std::vector<std::pair<KeptBlocks, int64_t>>{
               {{}, 0}, {{1, 0}, 1}, {{all, 1}, all}, {{all + 1, 0}, all}, {{all, huge}, 0}}) {
        for (MicroBatch& batch : batches) batch.kept = keep;
        const auto checkpointed = gradientsOf(*decoder, batches);
        check(decoder->keptBlocks() == kept, "as many blocks kept as were to be");
        for (size_t i = 0; i < plain.size(); i++) {
          checkSame(checkpointed[i], plain[i], "gradient of " + parameters[i]->parts()[0].name);
          check(plain[i].abs().max().item<double>() > 0, "a gradient for " + parameters[i]->parts()[0].name);
        }
      }
    }
  }
}

TEST("decoder: gradients are finite differences of the loss") {
  // Each parameter is moved along a random direction; float32 forward, so the step is large and the tolerance
  // wide.
  const auto decoder = randomDecoder(true);
  const MicroBatch batch = microBatchOf({9, 2, 21});
  const auto lossOf = [&] {
    const TrainingPass pass(*decoder, batch, false);
    double sum = 0;
    for (int64_t i = 0; i < pass.tokens().size(); i++)
      sum += 0.01 * (static_cast<double>(pass.statistics().nll[i]) + pass.statistics().topNll[i]);
    return sum;
  };
  const auto gradients = gradientsOf(*decoder, {batch});
  const auto parameters = decoder->parameters();
  for (size_t i = 0; i < parameters.size(); i++) {
    Tensor master = parameters[i]->master();
    const Tensor kept = master.clone(), direction = gradients[i] / gradients[i].norm();
    const double step = 2e-3, slope = gradients[i].norm().item<double>();
    master.copy_(kept + step * direction);
    const double above = lossOf();
    master.copy_(kept - step * direction);
    const double below = lossOf();
    master.copy_(kept);
    checkNear((above - below) / (2 * step), slope, 0.02 * slope + 1e-4,
              "slope along the gradient of " + parameters[i]->parts()[0].name);
  }
}

TEST("decoder: packed rows equal single rows") {
  const auto decoder = randomDecoder();
  const FlatBatch batch = batchOf({5, 1, 133, 20});
  const Tensor packed = hiddenOf(*decoder, batch);
  for (size_t row = 0; row < 4; row++) {
    checkClose(packed.narrow(0, batch.cuSeqlens[row], batch.cuSeqlens[row + 1] - batch.cuSeqlens[row]),
               hiddenOf(*decoder, rowOf(batch, row)), 1e-5, c10::str("hidden states of row ", row));
  }
}

TEST("decoder: micro-batches gather the gradients of one large batch") {
  const auto decoder = randomDecoder();
  const auto whole = gradientsOf(*decoder, {microBatchOf({8, 8})});
  MicroBatch first = microBatchOf({8, 8}), second = first;
  first.tokens = rowOf(first.tokens, 0), second.tokens = rowOf(second.tokens, 1);
  first.styles.pop_back(), second.styles.pop_back();
  first.labels.assign(first.tokens.ids.begin(), first.tokens.ids.end());
  second.labels.assign(second.tokens.ids.begin(), second.tokens.ids.end());
  const auto gathered = gradientsOf(*decoder, {first, second});
  for (size_t i = 0; i < whole.size(); i++)
    checkClose(gathered[i], whole[i], 1e-5, "gradient of " + decoder->parameters()[i]->parts()[0].name);
}

TEST("decoder: a key/value cache equals the whole sequence") {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const auto decoder = randomDecoder();
    decoder->setTypes(type, at::kFloat);
    const FlatBatch batch = batchOf({150});
    const Tensor whole = hiddenOf(*decoder, batch);
    // Prompts of different lengths, then one by one: past the first capacity of 64 and its doubling.
    for (const size_t prompt : {1, 63, 64, 140}) {
      KvCache cache(3);
      std::vector<Tensor> parts = {
          continued(*decoder, {batch.ids.begin(), batch.ids.begin() + static_cast<int64_t>(prompt)}, cache)};
      for (size_t i = prompt; i < 150; i++) parts.push_back(continued(*decoder, {batch.ids[i]}, cache));
      check(cache.length() == 150, "150 positions in the cache");
      checkClose(at::cat(parts), whole, type == at::kFloat ? 1e-5 : 3e-2,
                 c10::str("hidden states after a prompt of ", prompt));
    }
  }
}

TEST("decoder: rows with caches of different lengths go side by side") {
  const auto decoder = randomDecoder();
  const FlatBatch batch = batchOf({70, 5});
  KvCache first(3), second(3);
  const auto idsOf = [&](size_t row, int64_t from, int64_t to) {
    return std::vector<int64_t>(batch.ids.begin() + batch.cuSeqlens[row] + from,
                                batch.ids.begin() + batch.cuSeqlens[row] + to);
  };
  continued(*decoder, idsOf(0, 0, 66), first);
  continued(*decoder, idsOf(1, 0, 2), second);
  FlatBatch next{idsOf(0, 66, 70), {0, 4, 7}};
  for (const int64_t id : idsOf(1, 2, 5)) next.ids.push_back(id);
  const Tensor together = decoder->hiddenStates(next, {&first, &second});
  checkClose(together.narrow(0, 0, 4), hiddenOf(*decoder, rowOf(batch, 0)).narrow(0, 66, 4), 1e-5,
             "end of the long row");
  checkClose(together.narrow(0, 4, 3), hiddenOf(*decoder, rowOf(batch, 1)).narrow(0, 2, 3), 1e-5,
             "end of the short row");
}

TEST("decoder: an id that is refused leaves the cache usable") {
  const auto decoder = randomDecoder();
  KvCache cache(3);
  const Tensor first = continued(*decoder, {1, 2}, cache);
  checkFails("INVALID_INPUT", "found 61", [&] { continued(*decoder, {61}, cache); });
  checkFails("INVALID_INPUT", "row", [&] { continued(*decoder, {}, cache); });
  const Tensor second = continued(*decoder, {3}, cache);
  checkClose(second, hiddenOf(*decoder, {{1, 2, 3}, {0, 3}}).narrow(0, 2, 1), 1e-5,
             "hidden state after the refusal");
}

TEST("decoder: bfloat16 is cast from the masters, once per refresh") {
  const auto decoder = randomDecoder();
  const FlatBatch batch = batchOf({30});
  const Tensor exact = hiddenOf(*decoder, batch);
  decoder->setTypes(at::kBFloat16, at::kFloat);
  checkClose(hiddenOf(*decoder, batch), exact, 5e-2, "hidden states in bfloat16");
  for (Parameter* p : decoder->parameters()) Tensor(p->master()).mul_(1.5);
  const Tensor before = hiddenOf(*decoder, batch);
  decoder->refreshCompute();
  check(!hiddenOf(*decoder, batch).equal(before), "other hidden states after refreshCompute()");
  decoder->setTypes(at::kFloat, at::kFloat);
  for (Parameter* p : decoder->parameters()) Tensor(p->master()).div_(1.5);
  checkClose(hiddenOf(*decoder, batch), exact, 1e-5, "hidden states back in float32");
}

TEST("training pass: labels, styles and lengths must fit") {
  const auto decoder = randomDecoder();
  MicroBatch batch = microBatchOf({4, 3});
  batch.labels.pop_back();
  checkFails("INVALID_INPUT", "7", [&] { TrainingPass(*decoder, batch, true); });
  batch = microBatchOf({4, 3});
  batch.styles.pop_back();
  checkFails("INVALID_INPUT", "styles", [&] { TrainingPass(*decoder, batch, true); });
  batch = microBatchOf({4, 3});
  batch.labels[5] = 61;
  checkFails("INVALID_INPUT", "found 61 in row 1 at position 1",
             [&] { TrainingPass(*decoder, batch, true); });
}

TEST("training pass: a batch without labels has no statistics and no gradient") {
  const auto decoder = randomDecoder();
  MicroBatch batch = microBatchOf({4, 1});
  std::fill(batch.labels.begin(), batch.labels.end(), kIgnored);
  TrainingPass pass(*decoder, batch, true);
  check(pass.tokens().size() == 0 && pass.statistics().size() == 0, "no tokens");
  pass.backward({});
  for (const Parameter* p : decoder->parameters()) check(!p->gradient().defined(), "no gradients");
}

TEST("decoder: weights that moved to another device take gradients and optimizer states along") {
  const auto decoder = randomDecoder();
  // The one other device that every machine has: shapes without memory.
  decoder->moveTo(at::kMeta);
  check(decoder->device() == at::kMeta, "a decoder on the other device");
  for (Parameter* parameter : decoder->allParameters()) {
    check(parameter->master().device() == at::kMeta && parameter->compute().device() == at::kMeta,
          "every weight on the other device");
    check(parameter->gradientToAddTo().device() == at::kMeta, "its gradient too");
  }
  for (const char* name : {"adamw", "adamw_8bit", "lion", "adafactor"}) {
    for (const auto& [entry, tensor] : makeOptimizer(name, decoder->trainableParameters(), {})->state())
      check(tensor.device() == at::kMeta, entry + " of " + name + " on the other device");
  }
}
