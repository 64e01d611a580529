#include "core/model/decoder.h"

#include <algorithm>
#include <unordered_set>

#include "core/available_memory.h"
#include "core/error.h"
#include "core/model/checkpointed_block.h"
#include "core/model/projected.h"
#include "core/model/routed_experts.h"
#include "core/ops/ops.h"
#include "core/ops/product.h"
#include "core/random.h"

namespace adaptive {
namespace {

using at::Tensor;

/// Where each row of a batch stands: from 0, or behind what its cache holds.
std::vector<PositionRange> positionsOf(const FlatBatch& batch, const std::vector<KvCache*>& caches = {}) {
  std::vector<PositionRange> rows;
  for (size_t row = 0; row + 1 < batch.cuSeqlens.size(); row++) {
    rows.push_back(
        {caches.empty() ? 0 : caches[row]->length(), batch.cuSeqlens[row + 1] - batch.cuSeqlens[row]});
  }
  return rows;
}

/// Bytes that tensors can still take where this one is.
int64_t leftBeside(const Tensor& tensor) { return tensor.is_cpu() ? memoryLeft() : ops::freeBytes(tensor); }

}  // namespace

Decoder::Decoder(DecoderConfig config) : config_(std::move(config)) {
  checkDecoderConfig(config_);
  const WeightNames& names = weightNamesOf(config_.names);
  embedding_ = makeTable(names.embedding, config_.vocabSize, config_.hiddenSize);
  if (config_.maxPositions > 0)
    positions_ = makeTable(names.positions, config_.maxPositions, config_.hiddenSize);
  for (int64_t i = 0; i < config_.layers(); i++) layers_.push_back(makeDecoderLayer(config_, names, i));
  finalNorm_ = makeNorm(config_, names.finalNorm);
  if (!config_.tiedHead) head_ = makeHead(config_, names);
  if (config_.headBias) {
    const std::vector<ParameterPart> parts = {{names.head + ".bias", {config_.vocabSize}}};
    headBias_ = std::make_unique<Parameter>(parts, /*isNorm=*/false);
  }
}

std::vector<Parameter*> Decoder::adapterParameters() const {
  std::vector<Parameter*> all;
  const auto add = [&](Parameter* p) { all.push_back(p); };
  embeddingAdapter_.forEach(add);
  positionsAdapter_.forEach(add);
  for (const DecoderLayer& layer : layers_) {
    layer.forEachProjection([&](const Projection& projection) {
      for (const auto& adapter : projection.adapters) adapter->forEach(add);
    });
  }
  headAdapter_.forEach(add);
  return all;
}

std::vector<Parameter*> Decoder::allParameters() const {
  std::vector<Parameter*> all = parameters();
  for (Parameter* parameter : adapterParameters()) all.push_back(parameter);
  return all;
}

std::vector<Parameter*> Decoder::trainableParameters() const {
  std::vector<Parameter*> all = allParameters();
  std::erase_if(all, [](const Parameter* parameter) { return !parameter->trainable(); });
  return all;
}

std::vector<Parameter*> Decoder::parameters() const {
  std::vector<Parameter*> all = {embedding_.get()};
  if (positions_) all.push_back(positions_.get());
  for (const DecoderLayer& layer : layers_) layer.forEach([&](Parameter* p) { all.push_back(p); });
  for (const auto* p : {&finalNorm_.weight, &finalNorm_.bias, &head_, &headBias_})
    if (*p) all.push_back(p->get());
  return all;
}

std::vector<std::pair<int64_t, Parameter*>> Decoder::trainedFromOutput() const {
  std::vector<std::pair<int64_t, Parameter*>> all;
  std::unordered_set<const Parameter*> known;
  const auto add = [&](int64_t layer, Parameter* p) {
    if (p && p->trainable() && known.insert(p).second) all.emplace_back(layer, p);
  };
  for (const auto* p : {&head_, &headBias_, &finalNorm_.weight, &finalNorm_.bias})
    add(config_.layers(), p->get());
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    layer->forEach([&](Parameter* p) { add(layer->index, p); });
    layer->forEachProjection([&](const Projection& projection) {
      for (const auto& adapter : projection.adapters)
        adapter->forEach([&](Parameter* p) { add(layer->index, p); });
    });
  }
  // Tables may be head and embedding at once, and so may what is added to them.
  for (Parameter* p : trainableParameters()) add(-1, p);
  return all;
}

std::vector<Parameter*> Decoder::mastersApart() const {
  if (!adapterParameters().empty()) return {};
  std::vector<Parameter*> all = trainableParameters();
  std::erase_if(all, [this](const Parameter* parameter) {
    return parameter->master().dim() < 2 || parameter == embedding_.get() || parameter == positions_.get();
  });
  return all;
}

void Decoder::watch(const Tensor& hidden, int64_t layer) const {
  if (seesBackward_ && hidden.requires_grad())
    hidden.register_hook([see = seesBackward_, layer](const Tensor&) { see(layer); });
}

void Decoder::addHeadGradient(const ops::LogitGradient& dLogits, const Tensor& hidden) {
  head().accumulateOuter(dLogits, hidden);
  if (const TokenRows* rows = headRows()) rows->accumulateOuter(dLogits, hidden);
  if (headBias_ && headBias_->trainable()) headBias_->accumulate(dLogits.sum());
}

void Decoder::expectWeights() const {
  if (!filled_)
    fail("INVALID_INPUT",
         "Expected a model with weights, found one whose weights were neither loaded nor drawn.");
}

void Decoder::setTypes(at::ScalarType dtype, at::ScalarType masters) {
  if (masters != at::kFloat && (masters != at::kBFloat16 || dtype != masters))
    fail("INVALID_INPUT", "Expected masters in float32, or in bfloat16 where it is computed in, found ",
         masters, " computed in ", dtype, ".");
  if (computeType_ == dtype && masterType_ == masters) return;
  at::NoGradGuard noGrad;
  computeType_ = dtype, masterType_ = masters;
  placeMasters();
  if (filled_) refreshCompute();
}

void Decoder::moveTo(at::Device device) {
  for (Parameter* parameter : parameters()) parameter->moveTo(device, filled_);
  for (Parameter* parameter : adapterParameters()) parameter->moveTo(device, /*keepsValues=*/true);
  if (headAdapter_.low && headAdapter_.low->shared()) headAdapter_.low->share(*headAdapter_.low->shared());
}

void Decoder::placeMasters() {
  for (Parameter* parameter : parameters()) {
    // What an adapter lies on is not saved with it; a frozen weight of the model itself must not be rounded.
    const bool narrows =
        parameter->isUnderAdapter() || (!parameter->trainable() && filled_ && parameter->fits(computeType_));
    parameter->setMasterType(narrows ? computeType_ : masterType_, filled_);
  }
  for (Parameter* parameter : adapterParameters()) parameter->setMasterType(masterType_, true);
  // What was added is made by the host.
  moveTo(device());
}

void Decoder::beginAdapters() {
  at::Generator generator = generatorFor(adapterSeed_);
  for (DecoderLayer& layer : layers_) {
    layer.forEachProjection([&](Projection& projection) {
      for (const auto& adapter : projection.adapters) {
        if (decomposition_.kind != Decomposition::None)
          adapter->takeOut(*projection.weight, decomposition_, generator);
      }
    });
  }
}

Decoder::AdapterOff::AdapterOff(Decoder& decoder) : decoder_(decoder), isOuter_(decoder.adapts_) {
  at::NoGradGuard noGrad;
  decoder_.adapts_ = false;
  decoder_.forEachTable([](Parameter& table, TableAdapter& adapter) {
    if (adapter.rows) adapter.rows->hide(table);
  });
}

Decoder::AdapterOff::~AdapterOff() {
  if (!isOuter_) return;
  at::NoGradGuard noGrad;
  decoder_.adapts_ = true;
  if (!decoder_.filled_) return;
  decoder_.forEachTable([](Parameter& table, TableAdapter& adapter) {
    if (adapter.rows) adapter.rows->show(table);
  });
}

void Decoder::refreshCompute() {
  at::NoGradGuard noGrad;
  const bool isFirst = !filled_;
  filled_ = true;
  if (isFirst) beginAdapters();
  for (Parameter* parameter : parameters()) {
    // An embedding that is not also the head is only looked up, from the master: it needs no copy.
    const bool lookedUpOnly = (parameter == embedding_.get() && head_) || parameter == positions_.get();
    parameter->refreshCompute(lookedUpOnly ? parameter->master().scalar_type() : computeType_);
  }
  for (Parameter* parameter : adapterParameters()) parameter->refreshCompute(computeType_);
  if (adapts_) {
    forEachTable([](Parameter& table, TableAdapter& adapter) {
      if (adapter.rows) adapter.rows->show(table);
    });
  }
  for (const DecoderLayer& layer : layers_) {
    layer.forEachProjection([&](const Projection& projection) {
      for (const auto& adapter : projection.adapters) {
        if (isFirst) adapter->takeMagnitude(*projection.weight);
        adapter->refresh(*projection.weight, computeType_);
      }
    });
  }
}

void Decoder::clearGradients() {
  for (Parameter* parameter : allParameters()) parameter->clearGradient();
}

void Decoder::freeze(const std::vector<std::string>& names) {
  at::NoGradGuard noGrad;
  std::unordered_set<std::string> unknown(names.begin(), names.end());
  const std::unordered_set<std::string> frozen = unknown;
  for (const Parameter* parameter : allParameters())
    for (const ParameterPart& part : parameter->parts()) unknown.erase(part.name);
  if (!unknown.empty())
    fail("INVALID_INPUT", "Expected the names of weights to freeze, found \"", *unknown.begin(), "\".");
  for (Parameter* parameter : allParameters())
    parameter->freeze([&](const std::string& name) { return frozen.count(name) > 0; });
  if (trainableParameters().empty())
    fail("INVALID_INPUT", "Expected a weight that is left to train, found all of them frozen.");
  placeMasters();
  if (filled_) refreshCompute();
}

int64_t Decoder::lowestTrained() const {
  if (embedding_->trainable() || (positions_ && positions_->trainable()) || embeddingAdapter_ ||
      positionsAdapter_)
    return -1;
  for (const DecoderLayer& layer : layers_) {
    bool trains = false;
    layer.forEach([&](const Parameter* p) { trains = trains || p->trainable(); });
    layer.forEachProjection([&](const Projection& projection) {
      for (const auto& adapter : projection.adapters)
        adapter->forEach([&](const Parameter* p) { trains = trains || p->trainable(); });
    });
    if (trains) return layer.index;
  }
  return config_.layers();
}

PlacedBatch Decoder::placed(const FlatBatch& batch, const DropoutKey& key, Upload& upload) const {
  return placed(batch, positionsOf(batch), key, upload);
}

PlacedBatch Decoder::placed(const FlatBatch& batch, const std::vector<PositionRange>& rows,
                            const DropoutKey& key, Upload& upload) const {
  expectWeights();
  checkFlatBatch(batch, config_.vocabSize);
  return placedBatch(batch, rows, config_, embeddingNoise_, key, upload);
}

Tensor Decoder::embedded(const PlacedBatch& batch) {
  Tensor hidden = embed(*embedding_, batch.ids, config_.embeddingScale, config_.paddingId,
                        adapts_ ? &embeddingAdapter_ : nullptr);
  if (batch.noise.defined()) {
    const Tensor noise = ops::uniform(hidden, *keyAt(batch.key, DropoutSite::Noise));
    hidden = hidden + noise.mul_(2).sub_(1).mul_(batch.noise.unsqueeze(1));
  }
  if (positions_)
    hidden = hidden + embed(*positions_, batch.positions, 1, -1, adapts_ ? &positionsAdapter_ : nullptr);
  return dropped(hidden, config_.embeddingDropout, keyAt(batch.key, DropoutSite::Embedding));
}

AttentionShape Decoder::attentionOf(int64_t layer) const {
  const LayerConfig& own = config_.layerConfigs[layer];
  return {config_.heads,      config_.kvHeads, config_.headDim,
          own.attentionScale, own.window,      config_.attentionCap};
}

Tensor Decoder::normed(const Norm& norm, const Tensor& x, at::ScalarType dtype) const {
  if (!norm) return x.to(dtype);
  if (config_.layerNorm)
    return layerNorm(x.to(at::kFloat), norm.weight.get(), norm.bias.get(), config_.normEps, dtype);
  return rmsNorm(x.to(at::kFloat), *norm.weight, {config_.normEps, config_.normOffset}, dtype);
}

Tensor Decoder::queriesKeysValues(const DecoderLayer& layer, const Tensor& x, const DropoutKey& key) const {
  Tensor qkv = projected(x, layer.qkv, key, adapts_);
  if (config_.qkvByHead)
    qkv = qkv.view({x.size(0), config_.heads, 3, config_.headDim}).transpose(1, 2).reshape({x.size(0), -1});
  const auto clipped = [this](const Tensor& x) {
    return config_.qkvClip > 0 ? x.clamp(-config_.qkvClip, config_.qkvClip) : x;
  };
  if (!layer.qNorm) return clipped(qkv);
  if (config_.headNorm == HeadNorm::Rms || config_.headNorm == HeadNorm::RmsOfAll) {
    return clipped(headNorm(qkv, *layer.qNorm.weight, *layer.kNorm.weight, attentionOf(layer.index),
                            {config_.normEps, config_.normOffset}));
  }
  const int64_t q = config_.heads * config_.headDim, kv = config_.kvHeads * config_.headDim;
  const auto normOf = [&](const Norm& norm, int64_t first, int64_t width) {
    return headLayerNorm(qkv.narrow(1, first, width), config_.headDim, *norm.weight, norm.bias.get(),
                         config_.normEps);
  };
  return clipped(
      at::cat({normOf(layer.qNorm, 0, q), normOf(layer.kNorm, q, kv), qkv.narrow(1, q + kv, kv)}, 1));
}

Tensor Decoder::attention(const DecoderLayer& layer, const Tensor& x, const Attend& attend,
                          const DropoutKey& key) const {
  const Tensor out = projected(attend(queriesKeysValues(layer, x, key)), layer.output, key, adapts_);
  return dropped(layer.attentionOutNorm ? normed(layer.attentionOutNorm, out, at::kFloat) : out,
                 config_.residualDropout, keyAt(key, DropoutSite::AttentionOutput, layer.index));
}

Tensor Decoder::denseFeedForward(const DecoderLayer& layer, const Tensor& x, const DropoutKey& key) const {
  const Tensor up = projected(x, layer.gateUp, key, adapts_);
  const Tensor inner =
      config_.gated ? gatedActivation(up, config_.activation) : activated(up, config_.activation);
  return projected(inner, layer.down, key, adapts_);
}

Tensor Decoder::feedForward(const DecoderLayer& layer, const Tensor& x, const DropoutKey& key) const {
  const Tensor out =
      layer.router.weight ? routedExperts(x, layer, config_, key, adapts_) : denseFeedForward(layer, x, key);
  return dropped(layer.mlpOutNorm ? normed(layer.mlpOutNorm, out, at::kFloat) : out, config_.residualDropout,
                 keyAt(key, DropoutSite::FeedForward, layer.index));
}

Tensor Decoder::block(const DecoderLayer& layer, const Tensor& hidden, const Attend& attend,
                      const DropoutKey& key) const {
  const Tensor x = normed(layer.attentionNorm, hidden, computeType_);
  const Tensor mixed = at::add(hidden, attention(layer, x, attend, key), config_.residualScale);
  const Tensor inner =
      config_.sharedNorm ? x : normed(layer.mlpNorm, config_.parallelResidual ? hidden : mixed, computeType_);
  return at::add(mixed, feedForward(layer, inner, key), config_.residualScale);
}

std::vector<Decoder::Attend> Decoder::attendsWithin(const PlacedBatch& batch) const {
  std::vector<Attend> all;
  for (const DecoderLayer& layer : layers_) {
    const int64_t rope = config_.layerConfigs[layer.index].rope;
    all.push_back([own = rope < 0 ? Rotation{} : batch.rotations[rope], rows = batch.rows,
                   shape = attentionOf(layer.index), sinks = layer.sinks.get(),
                   dropout = config_.attentionDropout,
                   ownKey = keyAt(batch.key, DropoutSite::Attention, layer.index)](const Tensor& qkv) {
      return rotaryAttention(qkv, own, rows, shape, sinks, dropout, ownKey);
    });
  }
  return all;
}

void Decoder::visitOutputs(const FlatBatch& batch,
                           const std::function<bool(const std::string&, const Tensor&)>& see) {
  at::NoGradGuard noGrad;
  Upload upload(device());
  const PlacedBatch there = placed(batch, {}, upload);
  const auto attends = attendsWithin(there);
  const auto moduleOf = [](const std::string& name) { return name.substr(0, name.rfind('.')); };
  Tensor hidden = embedded(there);
  if (!see(moduleOf(embedding_->parts()[0].name), hidden)) return;
  for (const DecoderLayer& layer : layers_) {
    hidden = block(layer, hidden, attends[layer.index]);
    // The block is what its attention is a part of: model.layers.3 of model.layers.3.self_attn.q_proj.
    const std::string projection = nameInLayer(weightNamesOf(config_.names).qkv[0], layer.index);
    if (!see(moduleOf(moduleOf(projection)), hidden)) return;
  }
  see(weightNamesOf(config_.names).finalNorm, normed(finalNorm_, hidden, computeType_));
}

Tensor Decoder::hiddenStates(const FlatBatch& batch, const DropoutKey& key, const KeptBlocks& keep) {
  Upload upload(device());
  return hiddenStates(placed(batch, key, upload), keep);
}

Tensor Decoder::hiddenStates(const PlacedBatch& batch, const KeptBlocks& keep) {
  const auto attends = attendsWithin(batch);
  const bool records = at::GradMode::is_enabled();
  const int64_t lowest = lowestTrained();
  // Below the lowest block that is trained no graph is recorded and nothing kept.
  at::AutoGradMode mode(records && lowest < 0);
  Tensor hidden = embedded(batch);
  const auto startGraph = [&] {
    at::GradMode::set_enabled(records);
    hidden = hidden.detach().set_requires_grad(records);
  };
  const int64_t first = std::max<int64_t>(0, lowest),
                recorded = std::max<int64_t>(0, config_.layers() - first);
  const int64_t recomputed =
      records && checkpointing_ ? recorded - std::clamp<int64_t>(keep.last, 0, recorded) : 0;
  std::vector<Tensor> outputs;
  if (recomputed > 0) outputs = keptOutputs(recomputed, hidden);
  if (records) keptBlocks_ = recorded - recomputed;
  for (const DecoderLayer& layer : layers_) {
    if (layer.index == lowest) startGraph();
    watch(hidden, layer.index);
    const Attend& attend = attends[layer.index];
    const auto run = [this, &layer, attend, key = batch.key](const Tensor& input) {
      return block(layer, input, attend, key);
    };
    if (!records || !checkpointing_ || layer.index < first) {
      hidden = run(hidden);
    } else if (layer.index - first < recomputed) {
      hidden = checkpointedBlock(hidden, run, std::move(outputs[layer.index - first]));
    } else if (keep.spare > 0 && leftBeside(hidden) < keep.spare) {
      // Another process has taken since what this pass was planned with.
      hidden = checkpointedBlock(hidden, run, at::empty_like(hidden));
      keptBlocks_--;
    } else {
      hidden = run(hidden);
    }
  }
  if (lowest == config_.layers()) startGraph();
  watch(hidden, config_.layers());
  return normed(finalNorm_, hidden, computeType_);
}

Tensor Decoder::hiddenStatesOfBase(const FlatBatch& batch) {
  Upload upload(device());
  return hiddenStatesOfBase(placed(batch, {}, upload));
}

Tensor Decoder::hiddenStatesOfBase(const PlacedBatch& batch) {
  const std::vector<Parameter*> whole = parameters();
  if (adapterParameters().empty() ||
      std::any_of(whole.begin(), whole.end(), [](const Parameter* p) { return p->trainable(); }))
    fail("INVALID_INPUT",
         "Expected a model of which an adapter alone is trained, found one with other weights that "
         "are.");
  at::NoGradGuard noGrad;
  const AdapterOff off(*this);
  return hiddenStates(batch);
}

Tensor Decoder::hiddenStates(const FlatBatch& batch, const std::vector<KvCache*>& caches) {
  at::NoGradGuard noGrad;
  const auto rows = positionsOf(batch, caches);
  Upload upload(device());
  const PlacedBatch there = placed(batch, rows, {}, upload);
  Tensor hidden = embedded(there);
  const bool isNext = hidden.size(0) == static_cast<int64_t>(rows.size());  // one token for each row
  for (const DecoderLayer& layer : layers_) {
    const int64_t rope = config_.layerConfigs[layer.index].rope;
    const AttentionShape shape = attentionOf(layer.index);
    hidden = block(layer, hidden, [&](const Tensor& qkv) {
      if (rope >= 0) {
        const auto& [cos, sin, interleaved] = there.rotations[rope];
        ops::rotate_(qkv, cos, sin, shape.heads + shape.kvHeads, shape.headDim, interleaved, /*back=*/false);
      }
      const Tensor all = qkv.view({qkv.size(0), shape.heads + 2 * shape.kvHeads, shape.headDim});
      const Tensor queries = all.narrow(1, 0, shape.heads), keys = all.narrow(1, shape.heads, shape.kvHeads),
                   values = all.narrow(1, shape.heads + shape.kvHeads, shape.kvHeads);
      std::vector<Tensor> allKeys, allValues, outs;
      for (size_t r = 0; r < rows.size(); r++) {
        const auto ofRow = [&](const Tensor& x) { return x.narrow(0, batch.cuSeqlens[r], rows[r].count); };
        const auto [k, v] = caches[r]->append(layer.index, ofRow(keys), ofRow(values));
        allKeys.push_back(k), allValues.push_back(v);
        if (!isNext) outs.push_back(attentionCached(ofRow(queries), k, v, shape, layer.sinks.get()));
      }
      if (isNext) return attendNext(queries, allKeys, allValues, shape, layer.sinks.get());
      return outs.size() == 1 ? outs[0] : at::cat(outs);
    });
  }
  for (size_t r = 0; r < rows.size(); r++) caches[r]->advance(rows[r].count);
  return normed(finalNorm_, hidden, computeType_);
}

Tensor Decoder::logits(const Tensor& hidden) {
  at::NoGradGuard noGrad;
  const Tensor scaled = config_.logitsScale == 1 ? hidden : hidden * config_.logitsScale;
  Tensor products = ops::product(scaled, head().compute().t());
  if (const LoraAdapter* adapter = headAdapter(); adapter && adapts_)
    ops::addProduct(products, lowInput(scaled, *adapter), adapter->b().compute().t());
  Tensor logits = products.to(at::kFloat);
  if (headBias_) logits.add_(headBias_->compute());
  if (config_.logitsCap > 0) ops::softCap_(logits, config_.logitsCap);
  return logits;
}

}  // namespace adaptive
