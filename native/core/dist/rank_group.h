// The processes that train one model together, as one of them (a rank) sees the others. What implements it is
// a library of its own, loaded where there is more than one rank.
#pragma once
#include <ATen/core/Tensor.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace adaptive {

class RankGroup {
 public:
  /// Work of all ranks on one tensor, under way.
  class Work {
   public:
    virtual ~Work() = default;
    /// Of a tensor of the host, waits for the work; of another device, may only let what that device is told
    /// from now on come after it: RankGroup::rest(). Errors: RANKS_FAILED where another rank is gone, or did
    /// not come within the group's timeout. No later work of the group succeeds then.
    virtual void wait() = 0;
  };

  virtual ~RankGroup() = default;
  virtual int64_t rank() const = 0;  ///< from 0
  virtual int64_t size() const = 0;
  virtual std::chrono::milliseconds timeout() const = 0;  ///< of each work

  // All ranks call these in the same order, with tensors of the same shape and type.
  /// Replaces `tensor`, contiguous, by its sum over all ranks: the same to the last bit on each.
  virtual std::unique_ptr<Work> sum(const at::Tensor& tensor) = 0;
  /// The same at rank `rank` alone; at the others `tensor` holds nothing of use afterwards.
  virtual std::unique_ptr<Work> sumTo(int64_t rank, const at::Tensor& tensor) = 0;
  /// Replaces `tensor` by that of rank `rank`.
  virtual std::unique_ptr<Work> copyFrom(int64_t rank, const at::Tensor& tensor) = 0;
  /// Waits until all that was begun has ended on every device. To be called before the host waits for a
  /// device in another way: one whose work never ends would not answer. Errors: as Work::wait().
  virtual void rest() {}

  // One rank calls the first and another the second, as often and in the same order; tensors of the host.
  virtual void send(int64_t to, const at::Tensor& tensor) = 0;
  virtual void receive(int64_t from, const at::Tensor& tensor) = 0;

  /// Calls `see` with the tensor of each sum or copy that begins, and what that returns, from any thread,
  /// when it has ended; null: no more.
  using See = std::function<std::function<void()>(const at::Tensor&)>;
  virtual void watch(See see) = 0;
  /// Calls `gone` once, from any thread, when the rank after this one (of the last: rank 0) or this one has
  /// left the group or died, in place of what an earlier call named; null: nothing.
  virtual void watchNext(std::function<void()> gone) = 0;

  // A table of texts that all ranks share, also with ranks that are gone. Keys that begin with / outlive the
  // ranks where they are started anew.
  virtual void write(const std::string& key, const std::string& value) = 0;
  /// What stands there; nothing where nobody wrote it yet.
  virtual std::optional<std::string> read(const std::string& key) = 0;
  /// The number at `key`, from 0, after `amount` is added to it.
  virtual int64_t add(const std::string& key, int64_t amount) = 0;

  /// Leaves the group: work of the others fails at once instead of waiting.
  virtual void leave() = 0;
};

/// Sums of numbers over ranks, in place.
void sumOverRanks(RankGroup& group, std::vector<double>& numbers);

}  // namespace adaptive
