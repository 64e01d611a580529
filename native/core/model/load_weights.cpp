#include "core/model/load_weights.h"

#include <ATen/ATen.h>

#include <unordered_map>

#include "core/error.h"

namespace adaptive {

std::vector<std::pair<std::string, at::Tensor>> namedWeights(const Decoder& decoder) {
  std::vector<std::pair<std::string, at::Tensor>> named;
  for (const Parameter* parameter : decoder.parameters()) {
    for (const auto& part : parameter->parts())
      named.emplace_back(part.name, Parameter::asStored(parameter->master(), part));
  }
  return named;
}

void loadWeights(Decoder& decoder, const std::vector<WeightFile>& files) {
  at::NoGradGuard noGrad;
  std::unordered_map<std::string, at::Tensor> missing;
  for (auto& [name, tensor] : namedWeights(decoder)) missing.emplace(name, tensor);
  std::string notFinite;
  for (const WeightFile& entry : files) {
    const MappedFile file(entry.path);
    for (const StoredTensor& stored : entry.tensors) {
      const auto target = missing.find(stored.name);
      if (target == missing.end()) continue;
      const at::Tensor source = viewStored(file, stored);
      if (source.sizes() != target->second.sizes()) {
        fail("WEIGHTS_MISMATCH", "Expected ", stored.name, " of shape ", target->second.sizes(), ", found ",
             source.sizes(), " in ", entry.path, ".");
      }
      target->second.copy_(source);
      // One sum over the tensor is NaN or infinite exactly when an entry is (weights are far from overflowing
      // a double).
      if (!std::isfinite(target->second.sum(at::kDouble).item<double>()))
        notFinite += (notFinite.empty() ? "" : ", ") + stored.name;
      missing.erase(target);
    }
  }
  if (!missing.empty()) {
    fail("WEIGHTS_MISMATCH", "Expected every weight of the model, found ", missing.size(), " missing, ",
         missing.begin()->first, " among them.");
  }
  if (!notFinite.empty()) {
    fail("WEIGHTS_NOT_FINITE", "Expected finite weights, found NaN or infinity in: ", notFinite,
         ". The checkpoint is damaged or its training diverged.");
  }
  decoder.refreshCompute();
}

}  // namespace adaptive
