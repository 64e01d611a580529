#include "core/wait_policy.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#if defined(__linux__) && defined(_OPENMP)
#include <omp.h>
#define ADAPTIVE_LIBGOMP
#endif

namespace adaptive {
namespace {

constexpr std::chrono::milliseconds kPeriod{100};
/// Of one core, of the mean over some periods. Alone a run waits for 0.1 of one, 0.3 in single periods, as
/// its own event loop wants one, too; beside one busy process for 0.4 to 1.2, however its threads wait.
constexpr double kContended = 0.4, kCalm = 0.25;
/// Of the last period in that mean.
constexpr double kWeight = 0.25;
/// Each change makes or ends threads.
constexpr int kCalmPeriods = 5;

}  // namespace

std::optional<int64_t> runDelay(const std::string& root) {
  std::error_code error;
  int64_t total = 0, ran = 0;
  for (const auto& thread : std::filesystem::directory_iterator(root + "/proc/self/task", error)) {
    std::ifstream file(thread.path() / "schedstat");
    int64_t onCore = 0, ready = 0;
    // One that has ended since has no file any more.
    if (!(file >> onCore >> ready)) continue;
    ran += onCore;
    total += ready;
  }
  // Kernels without these statistics write zeros.
  return error || ran == 0 ? std::nullopt : std::optional(total);
}

bool Contention::after(double share) {
  mean_ += kWeight * (share - mean_);
  calm_ = mean_ < kCalm ? calm_ + 1 : 0;
  if (mean_ > kContended) contended_ = true;
  if (calm_ >= kCalmPeriods) contended_ = false;
  return contended_;
}

#ifdef ADAPTIVE_LIBGOMP
namespace {

/// A thread whose team stays. libgomp's threads do not spin while it has more threads than there are cores,
/// and threads of another team count, though they sleep.
class IdleTeam {
 public:
  IdleTeam() : thread_([this] { stay(); }) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return made_; });
  }
  ~IdleTeam() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  IdleTeam(const IdleTeam&) = delete;
  IdleTeam& operator=(const IdleTeam&) = delete;

 private:
  void stay() {
    const int cores =
        std::max<int>(omp_get_num_procs(), static_cast<int>(std::thread::hardware_concurrency()));
    std::atomic<int> threads = 0;
#pragma omp parallel num_threads(cores + 1)
    threads++;
    std::unique_lock lock(mutex_);
    made_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return ends_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool made_ = false, ends_ = false;
  std::thread thread_;
};

}  // namespace

void sleepAtOnce(bool sleep) {
  static IdleTeam* team = nullptr;  // never destroyed at the end of the process
  if (sleep == (team != nullptr)) return;
  if (sleep) {
    team = new IdleTeam();
  } else {
    delete team;
    team = nullptr;
  }
}
#else
void sleepAtOnce(bool) {}
#endif

WaitPolicy& WaitPolicy::ofProcess() {
  static auto* policy = new WaitPolicy();  // its thread looks at it until the process has ended
  return *policy;
}

WaitPolicy::WaitPolicy() {
  looks_ = std::getenv("OMP_WAIT_POLICY") == nullptr && runDelay().has_value();
  if (looks_) std::thread([this] { look(); }).detach();
}

void WaitPolicy::begin() {
  working_ = true;
  worked_ = true;
  if (!resting_) return;
  // Under the lock, so that it is heard by one who has just found nothing to do.
  const std::lock_guard lock(mutex_);
  wake_.notify_one();
}

void WaitPolicy::look() {
  using Clock = std::chrono::steady_clock;
  Contention contention;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      resting_ = true;
      wake_.wait(lock, [this] { return worked_.load(); });
      resting_ = false;
    }
    auto then = Clock::now();
    int64_t before = runDelay().value_or(0);
    while (worked_) {
      std::this_thread::sleep_for(kPeriod);
      worked_ = false;
      // A long work begins once only.
      if (working_) worked_ = true;
      const auto now = Clock::now();
      const int64_t delay = runDelay().value_or(before);
      // A thread that has ended takes its part along.
      const auto waited = static_cast<double>(std::max<int64_t>(0, delay - before));
      sleepAtOnce(contention.after(waited / std::chrono::duration<double, std::nano>(now - then).count()));
      then = now;
      before = delay;
    }
  }
}

}  // namespace adaptive
