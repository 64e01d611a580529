#include "core/optim/base_weights.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/ops/ops.h"

namespace adaptive {
namespace {

/// Entries that are widened to float32 at once.
constexpr int64_t kSlab = int64_t{1} << 20;

/// fn(first row, rows) over slabs of whole rows.
template <class F>
void forRows(const at::Tensor& weight, const F& fn) {
  const int64_t rows = weight.size(0),
                width = std::max<int64_t>(1, weight.numel() / std::max<int64_t>(1, rows));
  const int64_t slab = std::max<int64_t>(1, kSlab / width);
  for (int64_t row = 0; row < rows; row += slab) fn(row, std::min(slab, rows - row));
}

/// The stored tensor with the rows of the Parameter.
at::Tensor asRows(const at::Tensor& stored, const ParameterPart& part) {
  return part.transposed && stored.dim() > 1 ? stored.transpose(-2, -1) : stored;
}

bool isEqual(const at::Tensor& weight, const at::Tensor& base) {
  if (weight.sizes() != base.sizes()) return false;
  bool equal = true;
  forRows(weight, [&](int64_t row, int64_t count) {
    const at::Tensor own = weight.narrow(0, row, count);
    equal = equal && base.narrow(0, row, count).to(own.options()).equal(own);
  });
  return equal;
}

}  // namespace

BaseWeights::BaseWeights(const Decoder& decoder, const std::vector<WeightFile>& files) {
  at::NoGradGuard noGrad;
  decoder.expectWeights();
  const std::vector<Parameter*> added = decoder.adapterParameters();
  for (const AdapterBase& base : adapterBase(decoder))
    targets_[base.parameter->parts()[0].name] = {nullptr, {}, base.value};
  std::unordered_map<std::string, Target> stored;
  for (const WeightFile& entry : files) {
    files_.push_back(std::make_unique<MappedFile>(entry.path));
    for (const StoredTensor& tensor : entry.tensors) stored[tensor.name] = {files_.back().get(), tensor, {}};
  }
  for (const Parameter* parameter : decoder.trainableParameters()) {
    if (std::find(added.begin(), added.end(), parameter) != added.end()) continue;
    for (const ParameterPart& part : parameter->parts()) {
      if (!parameter->trains(part)) continue;
      Parameter::forStored(parameter->master(), part, [&](const std::string& name, const at::Tensor& rows) {
        const auto found = stored.find(name);
        if (found == stored.end())
          fail("WEIGHTS_MISMATCH", "Expected ", name, " among the base's weights, found no such tensor.");
        const MappedFile& file = *found->second.file;
        const StoredTensor& tensor = found->second.stored;
        if (!isEqual(rows, asRows(viewStored(file, tensor), part)))
          fail("WEIGHTS_MISMATCH", "Expected ", name, " as it is in ", file.path(), ", found other values.");
        file.release(tensor.begin, tensor.end);
        targets_[name] = found->second;
      });
    }
  }
}

void BaseWeights::pull(const Parameter& parameter, const ParameterPart& part, double rate,
                       uint32_t noise) const {
  int64_t entries = 0;
  Parameter::forStored(parameter.master(), part, [&](const std::string& name, const at::Tensor& weight) {
    const int64_t first = std::exchange(entries, entries + weight.numel());
    const auto found = targets_.find(name);
    if (found == targets_.end()) return;
    const Target& target = found->second;
    at::Tensor base = target.value;
    if (target.file) base = asRows(viewStored(*target.file, target.stored), part);
    const int64_t width = weight.numel() / std::max<int64_t>(1, weight.size(0));
    forRows(weight, [&](int64_t row, int64_t count) {
      const at::Tensor own = weight.narrow(0, row, count);
      const at::Tensor wide = own.to(at::kFloat);  // the weight itself where that is float32
      if (base.defined()) {
        wide.add_(base.narrow(0, row, count).to(wide.options()) - wide, rate);
      } else {
        wide.mul_(1 - rate);
      }
      if (own.scalar_type() == at::kBFloat16)
        ops::roundStochastically_(own, wide, noise, first + row * width);
    });
    if (target.file) target.file->release(target.stored.begin, target.stored.end);
  });
}

}  // namespace adaptive
