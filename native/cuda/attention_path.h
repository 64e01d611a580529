#pragma once
#include <cstdint>

namespace adaptive::cuda {

/// Whose kernels attention runs on (docs/cuda.md, "Attention").
enum class AttentionPath {
  Flash,      ///< libtorch's flash attention, for 16 bits
  Efficient,  ///< libtorch's memory-efficient attention, for float32
  Blocked,    ///< attention.cu, on no tensor cores
};

struct AttentionNeeds {
  int64_t headDim;
  bool isFloat32;
  double softCap, dropout;
};

/// Windows, sinks, grouped heads and caches are served by all three, and change nothing.
inline AttentionPath attentionPath(const AttentionNeeds& needs) {
  // Neither of libtorch's has soft caps, and what they drop is not what the CPU drops.
  if (needs.softCap > 0 || needs.dropout > 0 || needs.headDim > 256) return AttentionPath::Blocked;
  if (needs.isFloat32) return needs.headDim % 4 == 0 ? AttentionPath::Efficient : AttentionPath::Blocked;
  // Consumer cards (sm_86, sm_89, sm_120) have no backward pass of flash attention for these.
  const bool isBetween = needs.headDim > 192 && needs.headDim <= 224;
  return needs.headDim % 8 == 0 && !isBetween ? AttentionPath::Flash : AttentionPath::Blocked;
}

}  // namespace adaptive::cuda
