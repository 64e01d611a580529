#include "core/model/load_weights.h"

#include <ATen/ATen.h>

#include <unordered_map>

#include "core/error.h"

namespace adaptive {
namespace {

/// Bytes of a file that are converted before their pages are let go: all that stands beside the weights.
constexpr int64_t kSlabBytes = int64_t{8} << 20;

/// Converts a slab of rows at a time, so that the file never stands in memory beside the weights.
void copyStored(const MappedFile& file, const StoredTensor& stored, const at::Tensor& source,
                const at::Tensor& target) {
  const int64_t bytes = static_cast<int64_t>(source.nbytes());
  if (bytes <= kSlabBytes || source.dim() == 0) {
    target.copy_(source);
    file.release(stored.begin, stored.end);
    return;
  }
  const int64_t rowBytes = bytes / source.size(0), slab = std::max<int64_t>(1, kSlabBytes / rowBytes);
  for (int64_t row = 0; row < source.size(0); row += slab) {
    const int64_t count = std::min(slab, source.size(0) - row);
    file.expectUncut(stored.begin + (row + count) * rowBytes);
    target.narrow(0, row, count).copy_(source.narrow(0, row, count));
    // From the start, so that pages shared by two slabs go with the second.
    file.release(stored.begin, stored.begin + (row + count) * rowBytes);
  }
}

bool isFinite(const at::Tensor& weight) {
  // A sum is NaN or infinite when an entry is, and needs no memory; only a sum that overflowed is looked at
  // closely.
  return std::isfinite(weight.sum().item<double>()) || at::isfinite(weight).all().item<bool>();
}

/// The first ten, and how many there are besides.
std::string firstOf(const std::vector<std::string>& names) {
  constexpr size_t kShown = 10;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); i++) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() <= kShown ? text : text + " and " + std::to_string(names.size() - kShown) + " more";
}

}  // namespace

std::vector<std::pair<std::string, at::Tensor>> namedWeights(const std::vector<Parameter*>& parameters) {
  std::vector<std::pair<std::string, at::Tensor>> named;
  for (const Parameter* parameter : parameters) {
    for (const auto& part : parameter->parts())
      named.emplace_back(part.name, Parameter::asStored(parameter->master(), part));
  }
  return named;
}

std::vector<std::pair<std::string, at::Tensor>> storedWeights(const std::vector<Parameter*>& parameters) {
  std::vector<std::pair<std::string, at::Tensor>> named;
  for (const Parameter* parameter : parameters) {
    for (const auto& part : parameter->parts()) {
      Parameter::forStored(parameter->master(), part, [&](const std::string& name, const at::Tensor& rows) {
        named.emplace_back(name, part.transposed ? rows.transpose(-2, -1) : rows);
      });
    }
  }
  return named;
}

void loadWeights(Decoder& decoder, const std::vector<WeightFile>& files, WeightScope scope) {
  at::NoGradGuard noGrad;
  const bool isAdapter = scope == WeightScope::Adapter;
  std::unordered_map<std::string, at::Tensor> known, missing;
  for (auto& [name, tensor] :
       isAdapter ? namedWeights(decoder.allParameters()) : storedWeights(decoder.parameters()))
    known.emplace(name, tensor);
  for (auto& [name, tensor] :
       isAdapter ? namedWeights(decoder.trainableParameters()) : storedWeights(decoder.parameters()))
    missing.emplace(name, tensor);
  std::vector<std::string> notFinite;
  for (const WeightFile& entry : files) {
    const MappedFile file(entry.path);
    for (const StoredTensor& stored : entry.tensors) {
      const auto target = known.find(stored.name);
      if (target == known.end()) continue;
      const at::Tensor source = viewStored(file, stored);
      if (source.sizes() != target->second.sizes()) {
        fail("WEIGHTS_MISMATCH", "Expected ", stored.name, " of shape ", target->second.sizes(), ", found ",
             source.sizes(), " in ", entry.path, ".");
      }
      copyStored(file, stored, source, target->second);
      if (!isFinite(target->second)) notFinite.push_back(stored.name);
      missing.erase(stored.name);
      known.erase(target);
    }
  }
  if (!missing.empty()) {
    fail("WEIGHTS_MISMATCH", "Expected every weight of the model, found ", missing.size(), " missing, ",
         missing.begin()->first, " among them.");
  }
  if (!notFinite.empty()) {
    fail("WEIGHTS_NOT_FINITE", "Expected finite weights, found NaN or infinity in: ", firstOf(notFinite),
         ". The checkpoint is damaged or its training diverged.");
  }
  decoder.refreshCompute();
}

}  // namespace adaptive
