#pragma once
#include "core/io/stored_tensor.h"
#include "core/model/decoder.h"

namespace adaptive {

struct WeightFile {
  std::string path;
  std::vector<StoredTensor> tensors;
};

/// Copies every tensor that the decoder has into its master, converted to float32 straight from the mapped
/// file. The caller has compared names and shapes beforehand and reports differences; here they are checked
/// again. Errors: WEIGHTS_MISMATCH, SAFETENSORS_INVALID, WEIGHTS_NOT_FINITE listing the tensors with NaN or
/// infinity.
void loadWeights(Decoder& decoder, const std::vector<WeightFile>& files);

/// Every weight by its Hugging Face name; the tensors share memory with the masters.
std::vector<std::pair<std::string, at::Tensor>> namedWeights(const Decoder& decoder);

}  // namespace adaptive
