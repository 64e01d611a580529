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

std::unique_ptr<Parameter> makeVector(const std::string& name, int64_t width) {
  return std::make_unique<Parameter>(std::vector<ParameterPart>{{name, {width}}}, /*isNorm=*/true);
}

std::vector<std::string> inLayer(const std::vector<std::string>& patterns, int64_t layer) {
  std::vector<std::string> names;
  for (const auto& pattern : patterns) names.push_back(nameInLayer(pattern, layer));
  return names;
}

}  // namespace

Norm makeNorm(const DecoderConfig& config, const std::string& module) {
  if (module.empty()) return {};
  return {makeVector(module + ".weight", config.hiddenSize),
          config.layerNorm ? makeVector(module + ".bias", config.hiddenSize) : nullptr};
}

std::unique_ptr<Parameter> makeTable(const std::string& module, int64_t rows, int64_t width) {
  return std::make_unique<Parameter>(std::vector<ParameterPart>{{module + ".weight", {rows, width}}}, false);
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
  layer.mlpNorm = norm(names.mlpNorm);
  layer.mlpOutNorm = norm(names.mlpOutNorm);
  if (!names.qNorm.empty()) {
    const bool perHead = config.headNormPerHead;
    layer.qNorm = makeVector(nameInLayer(names.qNorm, index) + ".weight", perHead ? config.headDim : q);
    layer.kNorm = makeVector(nameInLayer(names.kNorm, index) + ".weight", perHead ? config.headDim : kv);
  }
  layer.qkv = projection(names.qkv, {q, kv, kv}, hidden, config.qkvBias);
  layer.output = projection({names.output}, {hidden}, q, config.outputBias);
  layer.gateUp = projection(names.gateUp,
                            config.gated ? std::vector<int64_t>{inner, inner} : std::vector<int64_t>{inner},
                            hidden, config.mlpBias);
  layer.down = projection({names.down}, {hidden}, inner, config.mlpBias);
  return layer;
}

}  // namespace adaptive
