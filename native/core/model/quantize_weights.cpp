#include "core/model/quantize_weights.h"

#include <unordered_map>

#include "core/error.h"

namespace adaptive {

void quantizeWeights(Decoder& decoder, const std::vector<QuantizedWeight>& weights) {
  if (decoder.hasWeights() || !decoder.adapterParameters().empty())
    fail("INVALID_INPUT", "Expected weights to be quantised before they are loaded and an adapter is added.");
  std::unordered_map<std::string, Quantization> wanted;
  for (const QuantizedWeight& weight : weights) wanted[weight.name] = weight.how;
  std::unordered_map<std::string, Quantization> unknown = wanted;
  decoder.forEachProjection([&](const Projection& projection) {
    if (projection.weight->master().dim() != 2) return;
    for (const ParameterPart& part : projection.weight->parts()) unknown.erase(part.name);
  });
  if (!unknown.empty()) {
    fail("INVALID_INPUT", "Expected the names of matrices of projections to quantise, found ",
         unknown.begin()->first, ".");
  }
  decoder.forEachProjection([&](const Projection& projection) {
    if (projection.weight->master().dim() != 2) return;
    projection.weight->quantize([&](const ParameterPart& part) -> std::optional<Quantization> {
      const auto found = wanted.find(part.name);
      return found == wanted.end() ? std::nullopt : std::optional(found->second);
    });
  });
}

}  // namespace adaptive
