// Which states of an optimizer stay on a device with memory of its own, and which lie in memory of the host.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace adaptive {

/// Asks for states that leave the device as far as they do not fit there.
struct Paging {
  /// Bytes of the device that a step takes beside weights, gradients and states: activations and logits.
  /// Nothing: a quarter of what gradients leave of the free ones.
  std::optional<int64_t> restOfStep = {};
  /// Most bytes of states on the device, those on their way included. Nothing: as many as fit.
  std::optional<int64_t> atMost = {};
  /// Values of a weight whose states come to the device at once: a power of two, from 4,096 on.
  int64_t pieceValues = int64_t{1} << 22;
};

/// Errors: INVALID_INPUT.
void checkPaging(const Paging& paging);

/// Bytes that states may take on a device with `free` bytes that weights left, where `gradients` are still to
/// come. kSpareDeviceBytes, or a sixteenth of the free ones if that is more, stay unused: allocators cut
/// their memory into blocks, and libtorch's products take workspaces.
constexpr int64_t kSpareDeviceBytes = int64_t{256} << 20;
int64_t roomForStates(int64_t free, int64_t gradients, const Paging& paging);

/// Which of the states of `bytes` are paged: none if they all fit into `room`; else as many of the largest as
/// do not fit beside `buffers`. Small ones, whose copies cost more than they save, stay before all others.
std::vector<bool> pagedStates(const std::vector<int64_t>& bytes, int64_t room, int64_t buffers);

}  // namespace adaptive
