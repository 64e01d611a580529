#include "core/session/trace.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace adaptive {

double Trace::now() {
  // Steady within a process, and the same for all processes of a machine.
  using std::chrono::duration;
  static const double offset =
      duration<double, std::micro>(std::chrono::system_clock::now().time_since_epoch()).count() -
      duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
  return offset + duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Trace::add(TraceSpan span) {
  std::lock_guard lock(mutex_);
  spans_.push_back(std::move(span));
}

void Trace::beginBackward(int64_t layers) { whole_ = -2, next_ = layers, last_ = now(); }

void Trace::reached(int64_t layer) {
  if (next_ == -2 || layer > next_) return;
  const double time = now();
  const bool isHead = whole_ == -2;
  add({isHead ? "head" : "block " + std::to_string(layer), "block", last_, time, layer});
  whole_ = layer, next_ = layer - 1, last_ = time;
}

void Trace::endBackward() {
  if (next_ == -2) return;
  add({"below the blocks", "block", last_, now(), -1});
  whole_ = next_ = -2;
}

std::function<void()> Trace::beginSum(int64_t bytes) {
  {
    std::lock_guard lock(mutex_);
    sums_++;
  }
  return [this, bytes, layer = whole_, start = now()] {
    std::lock_guard lock(mutex_);
    spans_.push_back({"sum", "sum", start, now(), layer, bytes});
    sums_--;
    ended_.notify_all();
  };
}

std::vector<TraceSpan> Trace::take() {
  std::unique_lock lock(mutex_);
  ended_.wait_for(lock, std::chrono::seconds(1), [this] { return sums_ == 0; });
  // What holds others comes before them.
  std::stable_sort(spans_.begin(), spans_.end(), [](const TraceSpan& a, const TraceSpan& b) {
    return a.start != b.start ? a.start < b.start : a.end > b.end;
  });
  return std::exchange(spans_, {});
}

}  // namespace adaptive
