// The streams of the guarded device.
#pragma once
#include <c10/core/Stream.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

namespace adaptive::test {

/// What streams were told and have not done. Operators of the first run at once, after what it still had to
/// do; everything else is done when somebody waits for it, not before: whoever overwrites what it reads, or
/// reads what it writes, without waiting is found out.
class GuardedStreams {
 public:
  struct Event {
    c10::StreamId stream;
    size_t told;       ///< how much the stream was told then
    size_t operators;  ///< so many operators of the first stream have run by when it is there
  };

  static GuardedStreams& instance() {
    static auto* streams = new GuardedStreams();
    return *streams;
  }
  static c10::StreamId& current() {
    static thread_local c10::StreamId id = 0;
    return id;
  }

  void later(c10::StreamId stream, std::function<void()> work) {
    std::lock_guard lock(mutex_);
    Stream& own = streams_[stream];
    own.work.push_back(std::move(work));
    own.told++;
  }
  /// Has the stream do what it was told.
  void finish(c10::StreamId stream) { run(stream, SIZE_MAX); }
  /// Something is about to be done in the order of the first stream.
  void beginOperator() {
    finish(0);
    operators_++;
  }
  /// Whether the stream was told to wait for all that the first was told.
  bool sawAll(c10::StreamId stream) {
    std::lock_guard lock(mutex_);
    return stream == 0 || streams_[stream].operators == operators_;
  }
  c10::StreamId next() { return ++last_; }

  Event record(c10::StreamId stream) {
    std::lock_guard lock(mutex_);
    const Stream& own = streams_[stream];
    return {stream, own.told, stream == 0 ? operators_.load() : own.operators};
  }
  void block(const Event& event, c10::StreamId stream) {
    later(stream, [this, event] { wait(event); });
    std::lock_guard lock(mutex_);
    streams_[stream].operators = std::max(streams_[stream].operators, event.operators);
  }
  void wait(const Event& event) { run(event.stream, event.told); }

 private:
  struct Stream {
    std::deque<std::function<void()>> work;
    size_t told = 0, done = 0, operators = 0;
  };
  void run(c10::StreamId stream, size_t until) {
    for (;;) {
      std::function<void()> work;
      {
        std::lock_guard lock(mutex_);
        Stream& own = streams_[stream];
        if (own.work.empty() || own.done >= until) return;
        work = std::move(own.work.front());
        own.work.pop_front();
        own.done++;
      }
      work();
    }
  }
  std::mutex mutex_;
  std::map<c10::StreamId, Stream> streams_;
  std::atomic<size_t> operators_ = 0;
  std::atomic<c10::StreamId> last_ = 0;
};

}  // namespace adaptive::test
