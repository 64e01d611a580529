// A tensor inside a safetensors file, as its header describes it. The header itself is JSON:
// src/model/safetensors reads, checks and writes it; core moves bytes and checks every range again.
#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "core/io/mapped_file.h"

namespace adaptive {

struct StoredTensor {
  std::string name;
  std::string dtype;  ///< F32, F16, BF16 …, as safetensors spells it
  std::vector<int64_t> shape;
  int64_t begin = 0, end = 0;  ///< byte range in the file
};

/// The name safetensors has for a type. Errors: MODEL_UNSUPPORTED for one that storedType does not read back.
std::string storedType(at::ScalarType type);

/// A view of the bytes; the file must outlive it. Errors: SAFETENSORS_INVALID when the range lies outside the
/// file or does not fit shape and dtype; MODEL_UNSUPPORTED for a dtype that is not a float type.
at::Tensor viewStored(const MappedFile& file, const StoredTensor& tensor);

/// Writes `header` (JSON) and the tensors, in order and cast to `dtype` one at a time, as a safetensors file,
/// and syncs it to disk. Errors: IO_FAILED naming the file and the reason, for instance a full disk.
void writeSafetensors(const std::string& path, const std::string& header,
                      const std::vector<at::Tensor>& tensors, std::optional<at::ScalarType> dtype);

}  // namespace adaptive
