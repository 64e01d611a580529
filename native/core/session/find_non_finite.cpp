#include "core/session/find_non_finite.h"

#include <ATen/ATen.h>

#include <cmath>

namespace adaptive {
namespace {

bool isFinite(const at::Tensor& t) { return at::isfinite(t).all().item<bool>(); }

std::vector<int32_t> rowsNotFinite(const at::Tensor& output, const std::vector<int64_t>& cuSeqlens) {
  std::vector<int32_t> rows;
  for (size_t row = 0; row + 1 < cuSeqlens.size(); row++) {
    if (!isFinite(output.narrow(0, cuSeqlens[row], cuSeqlens[row + 1] - cuSeqlens[row])))
      rows.push_back(static_cast<int32_t>(row));
  }
  return rows;
}

}  // namespace

NonFinite findNonFinite(Decoder& decoder, const MicroBatch& batch) {
  NonFinite found;
  decoder.visitOutputs(batch.tokens, [&](const std::string& module, const at::Tensor& output) {
    if (isFinite(output)) return true;
    found = {module, rowsNotFinite(output, batch.tokens.cuSeqlens)};
    return false;
  });
  if (!found.module.empty()) return found;
  const TrainingPass pass(decoder, batch, /*training=*/false);
  for (int64_t i = 0; i < pass.tokens().size(); i++) {
    const int32_t row = pass.tokens().rows[i];
    if (std::isfinite(pass.statistics().nll[i]) || (!found.rows.empty() && found.rows.back() == row))
      continue;
    found.module = "lm_head";
    found.rows.push_back(row);
  }
  return found;
}

std::string nonFiniteGradient(const Decoder& decoder) {
  const auto parameters = decoder.trainableParameters();
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    for (const ParameterPart& part : (*parameter)->parts()) {
      const at::Tensor gradient = (*parameter)->gradientOf(part);
      if (gradient.defined() && !isFinite(gradient)) return part.name;
    }
  }
  return {};
}

}  // namespace adaptive
