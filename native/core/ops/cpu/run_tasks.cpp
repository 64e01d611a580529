#include "core/ops/cpu/run_tasks.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

namespace adaptive::cpu {
namespace {

/// work() once on each thread, of which no more are wanted than `most`. Two at least, where there are: a
/// region of one thread is none, and products in it would take all threads.
void onThreads(int64_t most, const std::function<void()>& work) {
  const int64_t threads = std::min<int64_t>(std::max<int64_t>(2, most), at::get_num_threads());
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    at::AutoDispatchBelowADInplaceOrView noAutograd;  // guards are per thread
    for (int64_t i = begin; i < end; i++) work();
  });
}

/// Which tasks of SharedSums can run, and which have.
class Progress {
 public:
  explicit Progress(const SharedSums& tasks) : tasks_(tasks) {
    for (int64_t task = 0; task < tasks.size(); task++) {
      waitsFor_.push_back(tasks.predecessors(task));
      if (waitsFor_.back() == 0) ready_.push_back(task);
    }
  }

  /// Runs tasks until all have run, or one has thrown.
  void work(const TaskFunction& run) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (int64_t task = next(lock); task >= 0;) {
      lock.unlock();
      try {
        run(task);
      } catch (...) {
        lock.lock();
        failed_ = true;
        changed_.notify_all();
        throw;
      }
      lock.lock();
      task = finish(task);
      if (task < 0) task = next(lock);
    }
  }

 private:
  bool isOver() const { return failed_ || finished_ == tasks_.size(); }

  /// Waits for a task that can run; −1 when there will be none.
  int64_t next(std::unique_lock<std::mutex>& lock) {
    changed_.wait(lock, [this] { return isOver() || taken_ < ready_.size(); });
    return isOver() ? -1 : ready_[taken_++];
  }

  /// A task that can run now, whose sum this thread has at hand; −1 for none.
  int64_t finish(int64_t task) {
    int64_t follower = -1;
    if (++finished_ == tasks_.size()) changed_.notify_all();
    for (int i = 0; i < 2; i++) {
      const int64_t successor = tasks_.successors(task)[i];
      if (successor < 0 || --waitsFor_[successor] > 0) continue;
      if (follower < 0) {
        follower = successor;
      } else {
        ready_.push_back(successor);
        changed_.notify_one();
      }
    }
    return failed_ ? -1 : follower;
  }

  const SharedSums& tasks_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int64_t> waitsFor_, ready_;
  size_t taken_ = 0;  ///< of ready_
  int64_t finished_ = 0;
  bool failed_ = false;
};

}  // namespace

void runTasks(int64_t count, const TaskFunction& run) {
  std::atomic<int64_t> next = 0;
  onThreads(count, [&] {
    for (int64_t task = next++; task < count; task = next++) run(task);
  });
}

void SharedSums::add(int64_t sum1, int64_t sum2) {
  const auto task = static_cast<int64_t>(tasks_.size());
  tasks_.push_back({{sum1, sum2}});
  for (const int64_t sum : {sum1, sum2}) {
    const int64_t before = std::exchange(last_[sum], task);
    if (before < 0) continue;
    tasks_[before].successors[tasks_[before].sums[0] == sum ? 0 : 1] = task;
    tasks_[task].predecessors++;
  }
}

void SharedSums::run(const TaskFunction& run) const {
  Progress progress(*this);
  onThreads(size(), [&] { progress.work(run); });
}

}  // namespace adaptive::cpu
