#include "core/session/weights_digest.h"

#include <ATen/ATen.h>

#include <cstring>

#include "core/model/load_weights.h"
#include "core/random.h"

namespace adaptive {
namespace {

/// Four independent chains, so that one multiplication does not wait for the one before.
struct Chains {
  uint64_t state[4] = {0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u, 0x94d049bb133111ebu, 0xd1b54a32d192ed03u};

  void add(const uint64_t* words) {
    for (int i = 0; i < 4; i++) {
      state[i] = (state[i] ^ words[i]) * 0x9fb21c651e98df25u;
      state[i] ^= state[i] >> 32;
    }
  }

  void add(const at::Tensor& tensor) {
    const at::Tensor weight = tensor.cpu();
    const auto type = static_cast<int>(weight.scalar_type());
    add(&type, sizeof type);
    add(weight.const_data_ptr(), weight.nbytes());
  }

  void add(const void* data, size_t bytes) {
    const auto* at = static_cast<const char*>(data);
    uint64_t words[4];
    for (; bytes >= sizeof words; bytes -= sizeof words, at += sizeof words) {
      std::memcpy(words, at, sizeof words);
      add(words);
    }
    const uint64_t rest[4] = {bytes, 0, 0, 0};
    add(rest);
    if (bytes == 0) return;
    std::memset(words, 0, sizeof words);
    std::memcpy(words, at, bytes);
    add(words);
  }
};

}  // namespace

std::string weightsDigest(Decoder& decoder) {
  decoder.expectWeights();
  const Decoder::AdapterOff off(decoder);
  Chains chains;
  for (const Parameter* parameter : decoder.parameters()) {
    for (const ParameterPart& part : parameter->parts()) chains.add(part.name.data(), part.name.size());
    if (!parameter->isQuantized()) {
      chains.add(parameter->master());
      continue;
    }
    for (const ParameterPart& part : parameter->parts()) {
      if (const QuantizedMatrix* matrix = parameter->quantized(part)) {
        for (const auto& [suffix, tensor] : matrix->stored()) chains.add(tensor);
        chains.add(matrix->scales());
      } else {
        chains.add(parameter->stored(part).contiguous());
      }
    }
  }
  std::string digest;
  for (const auto& [a, b] : {std::pair(0, 1), std::pair(2, 3)}) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx",
                  static_cast<unsigned long long>(mixed({chains.state[a], chains.state[b]})));
    digest += digits;
  }
  return digest;
}

}  // namespace adaptive
