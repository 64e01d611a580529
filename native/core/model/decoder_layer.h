// The weights of one block, made from the configuration and the family's table of names. What the family does
// not have is null.
#pragma once
#include <memory>

#include "core/model/decoder_config.h"
#include "core/model/lora_adapter.h"
#include "core/model/parameter.h"
#include "core/model/weight_names.h"

namespace adaptive {

struct Norm {
  bool present = false;
  std::unique_ptr<Parameter> weight, bias;  ///< null: none
  explicit operator bool() const { return present; }
};

struct Projection {
  std::unique_ptr<Parameter> weight, bias;
  std::vector<std::unique_ptr<LoraAdapter>> adapters = {};
};

struct DecoderLayer {
  int64_t index = 0;
  Norm attentionNorm, attentionOutNorm, mlpNorm, mlpOutNorm, qNorm, kNorm;
  std::unique_ptr<Parameter> sinks;
  Projection qkv, output, gateUp, down;
  /// Of a layer with experts, whose weights gateUp and down are [experts, outputs, inputs].
  Projection router, sharedGateUp, sharedDown, sharedGate;

  /// Calls f(projection) for each that the layer has, in the order of the computation.
  template <class F>
  void forEachProjection(const F& f) const {
    for (const Projection* projection :
         {&qkv, &output, &router, &gateUp, &down, &sharedGateUp, &sharedDown, &sharedGate})
      if (projection->weight) f(*projection);
  }
  template <class F>
  void forEachProjection(const F& f) {
    for (Projection* projection :
         {&qkv, &output, &router, &gateUp, &down, &sharedGateUp, &sharedDown, &sharedGate})
      if (projection->weight) f(*projection);
  }

  /// Calls f(parameter) for every weight the layer has, in the order of the computation.
  template <class F>
  void forEach(const F& f) const {
    for (const auto* p : {&attentionNorm.weight,
                          &attentionNorm.bias,
                          &qkv.weight,
                          &qkv.bias,
                          &qNorm.weight,
                          &qNorm.bias,
                          &kNorm.weight,
                          &kNorm.bias,
                          &sinks,
                          &output.weight,
                          &output.bias,
                          &attentionOutNorm.weight,
                          &attentionOutNorm.bias,
                          &mlpNorm.weight,
                          &mlpNorm.bias,
                          &router.weight,
                          &router.bias,
                          &gateUp.weight,
                          &gateUp.bias,
                          &down.weight,
                          &down.bias,
                          &sharedGateUp.weight,
                          &sharedDown.weight,
                          &sharedGate.weight,
                          &mlpOutNorm.weight,
                          &mlpOutNorm.bias}) {
      if (*p) f(p->get());
    }
  }
};

DecoderLayer makeDecoderLayer(const DecoderConfig& config, const WeightNames& names, int64_t index);

/// Nothing for an empty name.
Norm makeNorm(const DecoderConfig& config, const std::string& module);

/// The output projection, apart from the embedding.
std::unique_ptr<Parameter> makeHead(const DecoderConfig& config, const WeightNames& names);

/// A table of rows to look up: an embedding or a head.
std::unique_ptr<Parameter> makeTable(const std::string& module, int64_t rows, int64_t width);

}  // namespace adaptive
