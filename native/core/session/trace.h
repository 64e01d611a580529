// When each part of a training step began and ended, for a picture of what ran beside what.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace adaptive {

struct TraceSpan {
  std::string name;
  std::string category;       ///< "pass", "block" or "sum"
  double start = 0, end = 0;  ///< microseconds since 1970
  /// In backward, the layer that it belongs to: a block from 0, their number for the head and the final norm,
  /// −1 for what lies below the blocks. Of a sum, the layer whose gradients had just become whole. Else −2.
  int64_t layer = -2;
  int64_t bytes = 0;  ///< of a sum
};

/// Spans may be added from any thread.
class Trace {
 public:
  static double now();

  void add(TraceSpan span);
  /// Backward begins in the head of a model of so many layers.
  void beginBackward(int64_t layers);
  /// The gradients of all layers from `layer` on are whole.
  void reached(int64_t layer);
  void endBackward();
  /// What is summed from now on is of gradients that are all whole, or is none of them.
  void setWhole(bool all) { whole_ = all ? -1 : -2; }
  /// A sum over ranks begins; what this returns is to be called when it has ended.
  std::function<void()> beginSum(int64_t bytes);
  /// What was added since the last call, in order of its start. Waits a second for sums that are under way.
  std::vector<TraceSpan> take();

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<TraceSpan> spans_;
  int64_t sums_ = 0;  ///< under way
  // The engine thread's alone.
  int64_t whole_ = -2;  ///< the layer whose gradients became whole last; −2: none
  int64_t next_ = -2;   ///< the layer that becomes whole next; −2: outside of backward
  double last_ = 0;
};

/// Adds a part of the step that lasts as long as this object; without a trace it does nothing.
class TracedPass {
 public:
  TracedPass(Trace* trace, const char* name) : trace_(trace), name_(name), start_(trace ? Trace::now() : 0) {}
  ~TracedPass() {
    if (trace_) trace_->add({name_, "pass", start_, Trace::now()});
  }
  TracedPass(const TracedPass&) = delete;
  TracedPass& operator=(const TracedPass&) = delete;

 private:
  Trace* trace_;
  const char* name_;
  double start_;
};

}  // namespace adaptive
