#include "core/model/decoder.h"

#include "core/model/checkpointed_block.h"
#include "core/model/rope.h"
#include "core/ops.h"

namespace adaptive {
namespace {

using at::Tensor;

std::unique_ptr<Parameter> norm(const std::string& module, int64_t width) {
  return std::make_unique<Parameter>(std::vector<ParameterPart>{{module + ".weight", {width}}},
                                     /*isNorm=*/true);
}

struct Projection {
  std::unique_ptr<Parameter> weight, bias;
};

/// Modules that read the same input, below each other.
Projection projection(const std::vector<std::string>& modules, const std::vector<int64_t>& outputs,
                      int64_t inputs, bool hasBias) {
  std::vector<ParameterPart> weights, biases;
  for (size_t i = 0; i < modules.size(); i++) {
    weights.push_back({modules[i] + ".weight", {outputs[i], inputs}});
    biases.push_back({modules[i] + ".bias", {outputs[i]}});
  }
  return {std::make_unique<Parameter>(std::move(weights), false),
          hasBias ? std::make_unique<Parameter>(std::move(biases), false) : nullptr};
}

std::vector<std::string> inLayer(const std::vector<std::string>& patterns, int64_t layer) {
  std::vector<std::string> names;
  for (const auto& pattern : patterns) names.push_back(nameInLayer(pattern, layer));
  return names;
}

Tensor positionsOf(const std::vector<int64_t>& cuSeqlens) {
  Tensor positions = at::empty({cuSeqlens.back()}, at::kLong);
  auto* out = positions.data_ptr<int64_t>();
  for (size_t row = 0; row + 1 < cuSeqlens.size(); row++) {
    for (int64_t i = cuSeqlens[row]; i < cuSeqlens[row + 1]; i++) out[i] = i - cuSeqlens[row];
  }
  return positions;
}

}  // namespace

Decoder::Decoder(DecoderConfig config)
    : config_(std::move(config)),
      attention_{config_.heads, config_.kvHeads, config_.headDim,
                 1.0 / std::sqrt(static_cast<double>(config_.headDim)), 0},
      ropeFrequencies_(ropeFrequencies(config_.rope, config_.headDim)) {
  const WeightNames& names = llamaWeightNames();
  embedding_ = projection({names.embedding}, {config_.vocabSize}, config_.hiddenSize, false).weight;
  for (int64_t i = 0; i < config_.layers; i++) layers_.push_back(makeLayer(names, i));
  finalNorm_ = norm(names.finalNorm, config_.hiddenSize);
  if (!config_.tiedHead)
    head_ = projection({names.head}, {config_.vocabSize}, config_.hiddenSize, false).weight;
}

Decoder::Layer Decoder::makeLayer(const WeightNames& names, int64_t index) const {
  const int64_t hidden = config_.hiddenSize, q = config_.heads * config_.headDim,
                kv = config_.kvHeads * config_.headDim;
  Layer layer;
  layer.inputNorm = norm(nameInLayer(names.inputNorm, index), hidden);
  layer.postAttentionNorm = norm(nameInLayer(names.postAttentionNorm, index), hidden);
  auto qkv = projection(inLayer(names.qkv, index), {q, kv, kv}, hidden, config_.qkvBias);
  auto output = projection({nameInLayer(names.output, index)}, {hidden}, q, config_.outputBias);
  auto gateUp = projection(inLayer(names.gateUp, index), {config_.intermediateSize, config_.intermediateSize},
                           hidden, config_.mlpBias);
  auto down =
      projection({nameInLayer(names.down, index)}, {hidden}, config_.intermediateSize, config_.mlpBias);
  layer.qkv = std::move(qkv.weight), layer.qkvBias = std::move(qkv.bias);
  layer.output = std::move(output.weight), layer.outputBias = std::move(output.bias);
  layer.gateUp = std::move(gateUp.weight), layer.gateUpBias = std::move(gateUp.bias);
  layer.down = std::move(down.weight), layer.downBias = std::move(down.bias);
  return layer;
}

std::vector<Parameter*> Decoder::parameters() const {
  std::vector<Parameter*> all = {embedding_.get()};
  for (const Layer& l : layers_) {
    for (const auto* p : {&l.inputNorm, &l.qkv, &l.qkvBias, &l.output, &l.outputBias, &l.postAttentionNorm,
                          &l.gateUp, &l.gateUpBias, &l.down, &l.downBias}) {
      if (*p) all.push_back(p->get());
    }
  }
  all.push_back(finalNorm_.get());
  if (head_) all.push_back(head_.get());
  return all;
}

void Decoder::setTypes(at::ScalarType dtype, at::ScalarType masters) {
  if (computeType_ == dtype && masterType_ == masters) return;
  at::NoGradGuard noGrad;
  computeType_ = dtype, masterType_ = masters;
  for (Parameter* parameter : parameters()) parameter->setMasterType(masters);
  refreshCompute();
}

void Decoder::refreshCompute() {
  at::NoGradGuard noGrad;
  for (Parameter* parameter : parameters()) {
    // An embedding that is not also the head is only looked up, from the master: it needs no copy.
    const bool lookedUpOnly = parameter == embedding_.get() && head_;
    parameter->refreshCompute(lookedUpOnly ? masterType_ : computeType_);
  }
}

void Decoder::clearGradients() {
  for (Parameter* parameter : parameters()) parameter->clearGradient();
}

void Decoder::dropGradients() {
  for (Parameter* parameter : parameters()) parameter->dropGradient();
}

Tensor Decoder::block(const Layer& layer, const Tensor& hidden, const Attend& attend) const {
  const Tensor qkv = linear(rmsNorm(hidden, *layer.inputNorm, config_.normEps, computeType_), *layer.qkv,
                            layer.qkvBias.get());
  const Tensor mixed = hidden + linear(attend(qkv), *layer.output, layer.outputBias.get());
  const Tensor gateUp = linear(rmsNorm(mixed, *layer.postAttentionNorm, config_.normEps, computeType_),
                               *layer.gateUp, layer.gateUpBias.get());
  return mixed + linear(swiglu(gateUp), *layer.down, layer.downBias.get());
}

Tensor Decoder::finish(const Tensor& hidden) const {
  return rmsNorm(hidden, *finalNorm_, config_.normEps, computeType_);
}

Decoder::Attend Decoder::attendWithin(const FlatBatch& batch) const {
  checkFlatBatch(batch, config_.vocabSize);
  const Rotation rotation = rotationOf(ropeFrequencies_, positionsOf(batch.cuSeqlens));
  const Tensor cuSeqlens = at::tensor(batch.cuSeqlens, at::kLong);
  return [rotation, cuSeqlens, shape = attention_](const Tensor& qkv) {
    return rotaryAttention(qkv, rotation, cuSeqlens, shape);
  };
}

void Decoder::visitOutputs(const FlatBatch& batch,
                           const std::function<bool(const std::string&, const Tensor&)>& see) {
  at::NoGradGuard noGrad;
  const Attend attend = attendWithin(batch);
  const auto moduleOf = [](const std::string& name) { return name.substr(0, name.rfind('.')); };
  Tensor hidden = embed(*embedding_, at::tensor(batch.ids, at::kLong));
  if (!see(moduleOf(embedding_->parts()[0].name), hidden)) return;
  for (const Layer& layer : layers_) {
    hidden = block(layer, hidden, attend);
    // The block is what its first norm is a part of: model.layers.3 of model.layers.3.input_layernorm.weight.
    if (!see(moduleOf(moduleOf(layer.inputNorm->parts()[0].name)), hidden)) return;
  }
  see(moduleOf(finalNorm_->parts()[0].name), finish(hidden));
}

Tensor Decoder::hiddenStates(const FlatBatch& batch) {
  const Attend attend = attendWithin(batch);
  Tensor hidden = embed(*embedding_, at::tensor(batch.ids, at::kLong));
  for (const Layer& layer : layers_) {
    const auto run = [this, &layer, attend](const Tensor& input) { return block(layer, input, attend); };
    hidden = checkpointing_ ? checkpointedBlock(hidden, run) : run(hidden);
  }
  return finish(hidden);
}

Tensor Decoder::hiddenStates(const std::vector<int64_t>& ids, KvCache& cache) {
  checkFlatBatch({ids, {0, static_cast<int64_t>(ids.size())}}, config_.vocabSize);
  at::NoGradGuard noGrad;
  const auto count = static_cast<int64_t>(ids.size());
  const Rotation rotation =
      rotationOf(ropeFrequencies_, at::arange(cache.length(), cache.length() + count, at::kLong));
  Tensor hidden = embed(*embedding_, at::tensor(ids, at::kLong));
  for (size_t i = 0; i < layers_.size(); i++) {
    hidden = block(layers_[i], hidden, [&](const Tensor& qkv) {
      ops::rotate_(qkv, rotation.cos, rotation.sin, config_.heads + config_.kvHeads, config_.headDim, false);
      const Tensor all = qkv.view({count, config_.heads + 2 * config_.kvHeads, config_.headDim});
      const auto [k, v] = cache.append(static_cast<int64_t>(i), all.narrow(1, config_.heads, config_.kvHeads),
                                       all.narrow(1, config_.heads + config_.kvHeads, config_.kvHeads));
      return ops::attentionCached(all.narrow(1, 0, config_.heads), k, v, attention_.scale, attention_.window);
    });
  }
  cache.advance(count);
  return finish(hidden);
}

Tensor Decoder::logits(const Tensor& hidden) {
  at::NoGradGuard noGrad;
  return at::mm(hidden, head().compute().t()).to(at::kFloat);
}

}  // namespace adaptive
