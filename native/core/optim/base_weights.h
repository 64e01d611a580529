// The weights that a run began with, which it is pulled to: read from mapped files, never held a second time.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/model/adapter.h"
#include "core/model/load_weights.h"

namespace adaptive {

class BaseWeights {
 public:
  /// Compares the files with what the trained parameters hold now, which they must be equal to. An adapter's
  /// B is pulled to 0, a magnitude to the norms of its weight's rows, A nowhere: so B·A shrinks as the
  /// weights of a model trained whole do. Errors: WEIGHTS_MISMATCH naming a tensor that is missing or holds
  /// other values; SAFETENSORS_INVALID.
  BaseWeights(const Decoder& decoder, const std::vector<WeightFile>& files);

  /// weight += rate·(base − weight) for the rows of `part`. bfloat16 is rounded stochastically with `noise`.
  void pull(const Parameter& parameter, const ParameterPart& part, double rate, uint32_t noise) const;

 private:
  /// What one tensor is pulled to.
  struct Target {
    const MappedFile* file = nullptr;
    StoredTensor stored;
    at::Tensor value;  ///< without a file; undefined: 0
  };
  std::vector<std::unique_ptr<MappedFile>> files_;
  std::unordered_map<std::string, Target> targets_;  ///< by the name of the tensor; A has none
};

}  // namespace adaptive
