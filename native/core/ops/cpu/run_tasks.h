// Tasks on all threads of at::parallel_for, begun in a given order, one after another as threads get free.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace adaptive::cpu {

using TaskFunction = std::function<void(int64_t task)>;

/// run(task) for each of `count` tasks that are independent of each other. Products within a task stay on its
/// thread, also where there is a single task, so that no number of threads changes a result.
void runTasks(int64_t count, const TaskFunction& run);

/// Tasks that add to sums which others add to too. Those that name the same sum run one after another in the
/// order that they were added in, so that no number of threads changes a result.
class SharedSums {
 public:
  explicit SharedSums(int64_t sums) : last_(sums, -1) {}
  /// The next task adds to these two sums.
  void add(int64_t sum1, int64_t sum2);
  /// The same for every task, of which each runs once.
  void run(const TaskFunction& run) const;

  int64_t size() const { return static_cast<int64_t>(tasks_.size()); }
  /// How many earlier tasks this one waits for: 0 to 2.
  int64_t predecessors(int64_t task) const { return tasks_[task].predecessors; }
  /// The tasks that wait for this one; −1 for none.
  const int64_t* successors(int64_t task) const { return tasks_[task].successors; }

 private:
  struct Task {
    int64_t sums[2];
    int64_t predecessors = 0;
    int64_t successors[2] = {-1, -1};
  };
  std::vector<Task> tasks_;
  std::vector<int64_t> last_;  ///< of each sum, the last task that adds to it
};

}  // namespace adaptive::cpu
