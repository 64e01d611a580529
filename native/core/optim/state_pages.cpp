#include "core/optim/state_pages.h"

#include <ATen/ATen.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>

#include "core/available_memory.h"
#include "core/block_memory.h"
#include "core/error.h"
#include "core/ops/ops.h"

namespace adaptive {
namespace {

/// Where each state begins in a block or a buffer.
constexpr int64_t kAlignment = 256;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

int64_t entriesOf(const StateTensor& state, int64_t values) {
  return (values + state.valuesPerEntry - 1) / state.valuesPerEntry;
}

int64_t bytesOfPiece(const std::vector<StateTensor>& states, int64_t values) {
  int64_t bytes = 0;
  for (const StateTensor& state : states)
    bytes += aligned(entriesOf(state, values) * static_cast<int64_t>(state.tensor->element_size()));
  return bytes;
}

c10::impl::VirtualGuardImpl streamsOf(at::Device device) {
  return c10::impl::VirtualGuardImpl(device.type());
}

std::array<c10::Event, 2> eventsOf(at::Device device) {
  return {c10::Event(device.type()), c10::Event(device.type())};
}

void expectHostMemory(int64_t bytes) {
  if (bytes <= availableMemory()) return;
  releaseBlocks();
  const int64_t free = availableMemory();
  if (bytes <= free) return;
  fail("OUT_OF_MEMORY", "Expected ", bytes >> 20,
       " MiB of main memory for states of the optimizer that the device has no room for, found ", free >> 20,
       " MiB free. optimizer: paged_adamw_8bit keeps 2 bytes a weight and adafactor next to none; an adapter "
       "(peftConfig) trains fewer weights.");
}

/// Has the tensors of `states` stand for others as long as it lives.
class Exchanged {
 public:
  Exchanged(const std::vector<StateTensor>& states, const std::vector<at::Tensor>& others) : states_(states) {
    for (size_t i = 0; i < states.size(); i++) {
      own_.push_back(*states[i].tensor);
      *states[i].tensor = others[i];
    }
  }
  ~Exchanged() {
    for (size_t i = 0; i < states_.size(); i++) *states_[i].tensor = own_[i];
  }
  Exchanged(const Exchanged&) = delete;

 private:
  const std::vector<StateTensor>& states_;
  std::vector<at::Tensor> own_;
};

}  // namespace

StatePages::StatePages(at::Device device, int64_t pieceValues)
    : device_(device),
      pieceValues_(pieceValues),
      in_(streamsOf(device).getStreamFromGlobalPool(device)),
      out_(streamsOf(device).getStreamFromGlobalPool(device)),
      came_(eventsOf(device)),
      moved_(eventsOf(device)),
      left_(eventsOf(device)) {}

StatePages::~StatePages() {
  try {
    finish();
  } catch (...) {
    // A device that fails now has failed before, and told so.
  }
}

int64_t StatePages::bufferBytes(const Slot& slot, int64_t pieceValues) {
  return 2 * bytesOfPiece(slot.states, std::min(slot.values, pieceValues));
}

void StatePages::place(const std::vector<Slot>& slots) {
  int64_t bytes = 0;
  for (const Slot& slot : slots) bytes += bytesOf(slot.states);
  expectHostMemory(bytes);
  for (const Slot& slot : slots) {
    placeSlot(slot);
    bufferBytes_ = std::max(bufferBytes_, bufferBytes(slot, pieceValues_));
  }
  bytes_ += bytes;
}

bool StatePages::makeBuffers() {
  try {
    buffers_ = at::empty({2, bufferBytes_ / 2}, at::TensorOptions(at::kByte).device(device_));
    return true;
  } catch (const c10::OutOfMemoryError&) {
    return false;
  }
}

void StatePages::placeSlot(const Slot& slot) {
  int64_t total = 0;
  for (const StateTensor& state : slot.states) total += aligned(static_cast<int64_t>(state.tensor->nbytes()));
  at::Tensor block;
  try {
    block = ops::pinnedBytes(at::empty({0}, at::TensorOptions(device_)), total);
  } catch (const c10::OutOfMemoryError&) {
    block = at::empty({total}, at::kByte);
    unpinnedBytes_ += bytesOf(slot.states);
  }
  blocks_.push_back(block);
  int64_t place = 0;
  for (const StateTensor& state : slot.states) {
    const at::Tensor shape = *state.tensor;
    const auto bytes = static_cast<int64_t>(shape.nbytes());
    *state.tensor = block.narrow(0, place, bytes).view(shape.scalar_type()).view(shape.sizes());
    state.tensor->fill_(state.fill);
    place += aligned(bytes);
  }
}

at::Tensor StatePages::hosts(const StateTensor& state, const Piece& piece) {
  return state.tensor->view(-1).narrow(0, piece.first / state.valuesPerEntry, entriesOf(state, piece.count));
}

std::vector<at::Tensor> StatePages::devices(const Piece& piece, size_t buffer) const {
  std::vector<at::Tensor> tensors;
  int64_t place = 0;
  for (const StateTensor& state : piece.slot->states) {
    const at::ScalarType type = state.tensor->scalar_type();
    const int64_t bytes = entriesOf(state, piece.count) * static_cast<int64_t>(c10::elementSize(type));
    tensors.push_back(buffers_[static_cast<int64_t>(buffer)].narrow(0, place, bytes).view(type));
    place += aligned(bytes);
  }
  return tensors;
}

void StatePages::bring(const Piece& piece, size_t buffer) {
  const c10::StreamGuard guard(in_);
  left_[buffer].block(in_);
  const auto there = devices(piece, buffer);
  for (size_t i = 0; i < there.size(); i++)
    there[i].copy_(hosts(piece.slot->states[i], piece), /*non_blocking=*/true);
  came_[buffer].record(in_);
}

void StatePages::takeBack(const Piece& piece, size_t buffer) {
  const c10::StreamGuard guard(out_);
  moved_[buffer].block(out_);
  const auto there = devices(piece, buffer);
  for (size_t i = 0; i < there.size(); i++)
    hosts(piece.slot->states[i], piece).copy_(there[i], /*non_blocking=*/true);
  left_[buffer].record(out_);
}

void StatePages::run(const std::vector<Slot>& slots, const std::function<void()>& meanwhile,
                     const std::function<void(size_t, int64_t, int64_t)>& move) {
  std::vector<Piece> pieces;
  for (const Slot& slot : slots)
    for (int64_t first = 0; first < slot.values; first += pieceValues_)
      pieces.push_back({&slot, first, std::min(pieceValues_, slot.values - first)});
  const c10::Stream own = streamsOf(device_).getStream(device_);
  // The buffers may be memory that the device still uses for what it was told before; and what the last step
  // took back may have been in the other buffer.
  moved_[0].record(own);
  moved_[0].block(in_);
  for (const c10::Event& left : left_) left.block(in_);
  if (!pieces.empty()) bring(pieces[0], 0);
  meanwhile();
  for (size_t i = 0; i < pieces.size(); i++) {
    const Piece& piece = pieces[i];
    const size_t buffer = i % 2;
    if (i + 1 < pieces.size()) bring(pieces[i + 1], 1 - buffer);
    came_[buffer].block(own);
    {
      const Exchanged exchanged(piece.slot->states, devices(piece, buffer));
      move(static_cast<size_t>(piece.slot - slots.data()), piece.first, piece.count);
    }
    moved_[buffer].record(own);
    takeBack(piece, buffer);
  }
}

void StatePages::finish() {
  for (const auto* events : {&came_, &moved_, &left_})
    for (const c10::Event& event : *events) event.synchronize();
}

}  // namespace adaptive
