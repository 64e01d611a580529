#include "core/model/decoder_layer.h"

#include <numeric>

namespace adaptive {
namespace {

/// Modules that read the same input, below each other; a single module holds all of `outputs` in its rows.
Projection makeProjection(const std::vector<std::string>& modules, std::vector<int64_t> outputs,
                          int64_t inputs, bool hasBias, bool transposed) {
  if (modules.size() == 1) outputs = {std::accumulate(outputs.begin(), outputs.end(), int64_t{0})};
  std::vector<ParameterPart> weights, biases;
  for (size_t i = 0; i < modules.size(); i++) {
    const std::vector<int64_t> shape =
        transposed ? std::vector<int64_t>{inputs, outputs[i]} : std::vector<int64_t>{outputs[i], inputs};
    weights.push_back({modules[i] + ".weight", shape, transposed});
    biases.push_back({modules[i] + ".bias", {outputs[i]}});
  }
  return {std::make_unique<Parameter>(std::move(weights), false),
          hasBias ? std::make_unique<Parameter>(std::move(biases), false) : nullptr};
}

std::unique_ptr<Parameter> makeNormPart(const std::string& name, std::vector<int64_t> shape) {
  return std::make_unique<Parameter>(std::vector<ParameterPart>{{name, std::move(shape)}}, /*isNorm=*/true);
}

std::vector<std::string> inLayer(const std::vector<std::string>& patterns, int64_t layer) {
  std::vector<std::string> names;
  for (const auto& pattern : patterns) names.push_back(nameInLayer(pattern, layer));
  return names;
}

std::unique_ptr<Parameter> makeWeight(ParameterPart part) {
  return std::make_unique<Parameter>(std::vector<ParameterPart>{std::move(part)}, /*isNorm=*/false);
}

/// The weights of all experts. `stored`: the tensors of one expert in a checkpoint; none: as they are here.
Projection makeExperts(const std::string& name, std::vector<int64_t> shape,
                       const std::vector<std::string>& stored, bool hasBias, bool transposed) {
  const int64_t experts = shape[0], outputs = shape[1];
  if (transposed) std::swap(shape[1], shape[2]);
  ParameterPart part = {name, shape, transposed};
  for (int64_t expert = 0; expert < experts; expert++)
    for (const std::string& pattern : stored) part.stored.push_back(nameInLayer(pattern, expert));
  return {makeWeight(std::move(part)), hasBias ? makeWeight({name + "_bias", {experts, outputs}}) : nullptr};
}

/// A router, its experts and the one that every token goes through.
void addExperts(DecoderLayer& layer, const DecoderConfig& config, const WeightNames& names) {
  const RoutingConfig& routing = config.routing;
  const int64_t hidden = config.hiddenSize, inner = routing.intermediateSize;
  const auto own = [&](const std::string& pattern) { return nameInLayer(pattern, layer.index); };
  ParameterPart router = {own(names.router) + ".weight", {routing.experts, hidden}};
  if (!names.storedRouter.empty()) router.stored = {own(names.storedRouter)};
  layer.router = {makeWeight(std::move(router)),
                  routing.bias ? makeWeight({own(names.router) + ".bias", {routing.experts}}) : nullptr};
  const auto experts = [&](const char* name, int64_t outputs, int64_t inputs,
                           const std::vector<std::string>& stored) {
    return makeExperts(own(names.experts) + name, {routing.experts, outputs, inputs},
                       inLayer(stored, layer.index), routing.bias, names.transposedExperts);
  };
  layer.gateUp = experts(".gate_up_proj", 2 * inner, hidden, names.storedGateUp);
  layer.down = experts(".down_proj", hidden, inner, names.storedDown);
  if (routing.sharedSize == 0) return;
  const auto plain = [](const std::vector<std::string>& modules, const std::vector<int64_t>& outputs,
                        int64_t inputs) {
    return makeProjection(modules, outputs, inputs, /*hasBias=*/false, /*transposed=*/false);
  };
  layer.sharedGateUp =
      plain(inLayer(names.sharedGateUp, layer.index), {routing.sharedSize, routing.sharedSize}, hidden);
  layer.sharedDown = plain({own(names.sharedDown)}, {hidden}, routing.sharedSize);
  layer.sharedGate = plain({own(names.sharedGate)}, {1}, hidden);
}

/// The norm of `heads` queries or keys; a pattern that has the number of a head too is one weight for each.
Norm makeHeadNorm(const DecoderConfig& config, const std::string& pattern, int64_t layer, int64_t heads) {
  if (config.headNorm == HeadNorm::None) return {};
  const std::string module = nameInLayer(pattern, layer);
  const int64_t width = config.headDim;
  if (config.headNorm != HeadNorm::LayerOfEach) {
    const int64_t normed = config.headNorm == HeadNorm::RmsOfAll ? heads * width : width;
    const bool hasBias = config.headNorm == HeadNorm::Layer;
    return {true, makeNormPart(module + ".weight", {normed}),
            hasBias ? makeNormPart(module + ".bias", {normed}) : nullptr};
  }
  if (module.find("{}") == std::string::npos)
    return {true, makeNormPart(module + ".weight", {heads, width}), nullptr};
  std::vector<ParameterPart> parts;
  for (int64_t head = 0; head < heads; head++)
    parts.push_back({nameInLayer(module, head) + ".weight", {width}});
  return {true, std::make_unique<Parameter>(std::move(parts), /*isNorm=*/true), nullptr};
}

}  // namespace

Norm makeNorm(const DecoderConfig& config, const std::string& module) {
  if (module.empty()) return {};
  return {true, config.normWeight ? makeNormPart(module + ".weight", {config.hiddenSize}) : nullptr,
          config.normBias ? makeNormPart(module + ".bias", {config.hiddenSize}) : nullptr};
}

std::unique_ptr<Parameter> makeTable(const std::string& module, int64_t rows, int64_t width) {
  return std::make_unique<Parameter>(std::vector<ParameterPart>{{module + ".weight", {rows, width}}}, false);
}

std::unique_ptr<Parameter> makeHead(const DecoderConfig& config, const WeightNames& names) {
  ParameterPart part = {names.head + ".weight", {config.vocabSize, config.hiddenSize}};
  if (!names.storedHead.empty()) part.stored = {names.storedHead + ".weight"};
  return std::make_unique<Parameter>(std::vector<ParameterPart>{std::move(part)}, /*isNorm=*/false);
}

DecoderLayer makeDecoderLayer(const DecoderConfig& config, const WeightNames& names, int64_t index) {
  const int64_t hidden = config.hiddenSize, q = config.heads * config.headDim,
                kv = config.kvHeads * config.headDim, inner = config.intermediateSize;
  const auto norm = [&](const std::string& pattern) { return makeNorm(config, nameInLayer(pattern, index)); };
  const auto projection = [&](const std::vector<std::string>& patterns, const std::vector<int64_t>& outputs,
                              int64_t inputs, bool hasBias) {
    return makeProjection(inLayer(patterns, index), outputs, inputs, hasBias, names.transposed);
  };
  DecoderLayer layer;
  layer.index = index;
  layer.attentionNorm = norm(names.attentionNorm);
  layer.attentionOutNorm = norm(names.attentionOutNorm);
  if (!config.sharedNorm) layer.mlpNorm = norm(names.mlpNorm);
  layer.mlpOutNorm = norm(names.mlpOutNorm);
  layer.qNorm = makeHeadNorm(config, names.qNorm, index, config.heads);
  layer.kNorm = makeHeadNorm(config, names.kNorm, index, config.kvHeads);
  if (!names.sinks.empty()) layer.sinks = makeWeight({nameInLayer(names.sinks, index), {config.heads}});
  layer.qkv = projection(names.qkv, {q, kv, kv}, hidden, config.qkvBias);
  layer.output = projection({names.output}, {hidden}, q, config.outputBias);
  if (config.layerConfigs[index].routed) {
    addExperts(layer, config, names);
    return layer;
  }
  layer.gateUp = projection(names.gateUp,
                            config.gated ? std::vector<int64_t>{inner, inner} : std::vector<int64_t>{inner},
                            hidden, config.mlpBias);
  layer.down = projection({names.down}, {hidden}, inner, config.mlpBias);
  return layer;
}

}  // namespace adaptive
