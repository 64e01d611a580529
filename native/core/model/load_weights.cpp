#include "core/model/load_weights.h"

#include <ATen/ATen.h>

#include <unordered_map>
#include <unordered_set>

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

/// Quantises a slab of rows at a time, as they come.
void quantizeStored(const MappedFile& file, const StoredTensor& stored, const at::Tensor& rows,
                    QuantizedMatrix& matrix) {
  const int64_t rowBytes =
      std::max<int64_t>(1, static_cast<int64_t>(rows.nbytes()) / std::max<int64_t>(1, rows.size(0)));
  const int64_t grain = matrix.rowGrain(), slab = std::max<int64_t>(1, kSlabBytes / rowBytes / grain) * grain;
  file.expectUncut(stored.end);
  for (int64_t row = 0; row < rows.size(0); row += slab) {
    const int64_t count = std::min(slab, rows.size(0) - row);
    matrix.quantize(row, rows.narrow(0, row, count));
    // Rows of a transposed tensor are columns of the file, all of which is read each time.
    if (rows.is_contiguous()) file.release(stored.begin, stored.begin + (row + count) * rowBytes);
  }
  matrix.finish();
  file.release(stored.begin, stored.end);
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
      if (const at::Tensor tensor = parameter->stored(part); tensor.defined())
        named.emplace_back(part.name, tensor);
  }
  return named;
}

std::vector<std::pair<std::string, at::Tensor>> storedWeights(const std::vector<Parameter*>& parameters) {
  std::vector<std::pair<std::string, at::Tensor>> named;
  for (const Parameter* parameter : parameters) {
    for (const auto& part : parameter->parts()) {
      if (parameter->isQuantized()) {
        if (const at::Tensor tensor = parameter->stored(part); tensor.defined())
          named.emplace_back(part.name, tensor);
        continue;
      }
      Parameter::forStored(parameter->master(), part, [&](const std::string& name, const at::Tensor& rows) {
        named.emplace_back(name, part.transposed ? rows.transpose(-2, -1) : rows);
      });
    }
  }
  return named;
}

namespace {

/// A weight that is kept in fewer bits.
struct QuantizedTarget {
  QuantizedMatrix* matrix;
  const ParameterPart* part;
};

std::unordered_map<std::string, QuantizedTarget> quantizedWeights(const Decoder& decoder) {
  std::unordered_map<std::string, QuantizedTarget> targets;
  for (const Parameter* parameter : decoder.parameters())
    for (const ParameterPart& part : parameter->parts())
      if (QuantizedMatrix* matrix = parameter->quantized(part)) targets[part.name] = {matrix, &part};
  return targets;
}

bool isFloat(const StoredTensor& stored) { return stored.dtype != "U8" && stored.dtype != "I8"; }

[[noreturn]] void failShape(const std::string& name, at::IntArrayRef expected, at::IntArrayRef found,
                            const std::string& path) {
  fail("WEIGHTS_MISMATCH", "Expected ", name, " of shape ", expected, ", found ", found, " in ", path, ".");
}

}  // namespace

void loadWeights(Decoder& decoder, const std::vector<WeightFile>& files, WeightScope scope) {
  at::NoGradGuard noGrad;
  // Rows of tokens are put back into what is read.
  const Decoder::AdapterOff off(decoder);
  const bool isAdapter = scope == WeightScope::Adapter;
  std::unordered_map<std::string, at::Tensor> known;
  std::unordered_set<std::string> missing;
  for (auto& [name, tensor] :
       isAdapter ? namedWeights(decoder.allParameters()) : storedWeights(decoder.parameters()))
    known.emplace(name, tensor);
  if (isAdapter) {
    // Of projections that are computed as one, an adapter may train some.
    for (const Parameter* parameter : decoder.trainableParameters())
      for (const ParameterPart& part : parameter->parts())
        if (parameter->trains(part)) missing.insert(part.name);
  } else {
    for (auto& [name, tensor] : storedWeights(decoder.parameters())) missing.insert(name);
  }
  std::unordered_map<std::string, QuantizedTarget> quantized;
  if (!isAdapter) quantized = quantizedWeights(decoder);
  for (const auto& [name, target] : quantized) missing.insert(name);
  // A file brings a weight as floats, or as all that bitsandbytes makes of them.
  for (const WeightFile& entry : files) {
    for (const StoredTensor& stored : entry.tensors) {
      const auto target = quantized.find(stored.name);
      if (target == quantized.end() || isFloat(stored)) continue;
      for (const auto& [suffix, tensor] : target->second.matrix->stored()) {
        known.emplace(stored.name + suffix, tensor);
        // Tables of codes are the same for all weights, so that some checkpoints hold them once.
        if (!suffix.ends_with("quant_map")) missing.insert(stored.name + suffix);
      }
    }
  }
  std::vector<std::string> notFinite;
  for (const WeightFile& entry : files) {
    const MappedFile file(entry.path);
    for (const StoredTensor& stored : entry.tensors) {
      const auto target = known.find(stored.name);
      const auto own = quantized.find(stored.name);
      if (target != known.end()) {
        const at::Tensor source = viewStored(file, stored);
        if (source.sizes() != target->second.sizes())
          failShape(stored.name, target->second.sizes(), source.sizes(), entry.path);
        if (!target->second.is_floating_point() && source.scalar_type() != target->second.scalar_type())
          fail("WEIGHTS_MISMATCH", "Expected ", stored.name, " of type ", target->second.scalar_type(),
               ", found ", stored.dtype, " in ", entry.path, ".");
        copyStored(file, stored, source, target->second);
        if (target->second.is_floating_point() && !isFinite(target->second)) notFinite.push_back(stored.name);
        known.erase(target);
      } else if (own != quantized.end()) {
        const at::Tensor source = viewStored(file, stored);
        if (source.sizes() != at::IntArrayRef(own->second.part->shape))
          failShape(stored.name, own->second.part->shape, source.sizes(), entry.path);
        quantizeStored(file, stored, own->second.part->transposed ? source.t() : source, *own->second.matrix);
        if (!own->second.matrix->isFinite()) notFinite.push_back(stored.name);
        quantized.erase(own);
      }
      missing.erase(stored.name);
    }
  }
  if (!missing.empty()) {
    fail("WEIGHTS_MISMATCH", "Expected every weight of the model, found ", missing.size(), " missing, ",
         *missing.begin(), " among them.");
  }
  if (!notFinite.empty()) {
    fail("WEIGHTS_NOT_FINITE", "Expected finite weights, found NaN or infinity in: ", firstOf(notFinite),
         ". The checkpoint is damaged or its training diverged.");
  }
  decoder.refreshCompute();
}

}  // namespace adaptive
