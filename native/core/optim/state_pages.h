// States of an optimizer in memory of the host, for a device with memory of its own. They come to it a piece
// at a time, as their weights are moved; meanwhile the piece before goes back and the next one comes.
#pragma once
#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <array>
#include <functional>
#include <vector>

#include "core/optim/state_tensor.h"

namespace adaptive {

class StatePages {
 public:
  /// A weight of `values` values.
  struct Slot {
    std::vector<StateTensor> states;
    int64_t values;
  };

  /// `device`: of a kind that has streams. A piece has the states of so many values of a weight.
  StatePages(at::Device device, int64_t pieceValues);
  ~StatePages();
  StatePages(const StatePages&) = delete;
  StatePages& operator=(const StatePages&) = delete;

  /// Bytes on the device that pieces of the slot take: two, of which one is used while the other is copied.
  static int64_t bufferBytes(const Slot& slot, int64_t pieceValues);

  /// Gives the states of these weights a place in the host's memory, pinned as far as the system pins it.
  /// Errors: OUT_OF_MEMORY.
  void place(const std::vector<Slot>& slots);
  /// Takes the memory for pieces on the device, after the last place() and before run(). False where the
  /// device refuses it.
  bool makeBuffers();
  /// Bytes of these states, and of them the ones that are not pinned, whose copies the host waits for.
  int64_t bytes() const { return bytes_; }
  int64_t unpinnedBytes() const { return unpinnedBytes_; }
  /// Bytes on the device.
  int64_t bytesOfBuffers() const { return static_cast<int64_t>(buffers_.nbytes()); }

  /// Calls meanwhile(), then move(i, first, count) for each piece of each slot, in order; while it runs, the
  /// states of slots[i] are flat tensors on the device with what belongs to values [first, first + count).
  /// slots: of those that were placed. The host waits for nothing.
  void run(const std::vector<Slot>& slots, const std::function<void()>& meanwhile,
           const std::function<void(size_t slot, int64_t first, int64_t count)>& move);

  /// Waits until all that was moved is in the host's memory again.
  void finish();

 private:
  struct Piece {
    const Slot* slot;
    int64_t first, count;
  };
  void placeSlot(const Slot& slot);
  /// The part of a state that belongs to a piece, where it lies in the host's memory.
  static at::Tensor hosts(const StateTensor& state, const Piece& piece);
  /// The same in a buffer.
  std::vector<at::Tensor> devices(const Piece& piece, size_t buffer) const;
  void bring(const Piece& piece, size_t buffer);
  void takeBack(const Piece& piece, size_t buffer);

  const at::Device device_;
  const int64_t pieceValues_;
  int64_t bytes_ = 0, unpinnedBytes_ = 0, bufferBytes_ = 0;
  std::vector<at::Tensor> blocks_;  ///< of the host, which outlive the copies from and to them
  at::Tensor buffers_;              ///< uint8 [2, bytes of a piece]
  const c10::Stream in_, out_;
  /// Of each buffer: its piece has come, was moved, has gone back.
  std::array<c10::Event, 2> came_, moved_, left_;
};

}  // namespace adaptive
