#pragma once
#include "core/io/stored_tensor.h"
#include "core/model/decoder.h"

namespace adaptive {

struct WeightFile {
  std::string path;
  std::vector<StoredTensor> tensors;
};

enum class WeightScope {
  Model,    ///< what config.json describes
  Adapter,  ///< what is trained beside frozen weights, and of these what the files happen to have
};

/// Copies every tensor that the decoder has into its master, converted straight from the mapped
/// file. The caller has compared names and shapes beforehand and reports differences; here they are checked
/// again. Errors: WEIGHTS_MISMATCH, SAFETENSORS_INVALID, WEIGHTS_NOT_FINITE listing the tensors with NaN or
/// infinity.
void loadWeights(Decoder& decoder, const std::vector<WeightFile>& files,
                 WeightScope scope = WeightScope::Model);

/// Weights by their names (Hugging Face's; an adapter's as PEFT's behind its prefix base_model.model.); the
/// tensors share memory with the masters.
std::vector<std::pair<std::string, at::Tensor>> namedWeights(const std::vector<Parameter*>& parameters);

/// The same as the tensors of a checkpoint, under their names there.
std::vector<std::pair<std::string, at::Tensor>> storedWeights(const std::vector<Parameter*>& parameters);

}  // namespace adaptive
