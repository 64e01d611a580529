// How OpenMP's threads wait for one another: awake where the process has its cores to itself, asleep where
// not.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace adaptive {

/// Nanoseconds that threads of this process stood ready to run while no core took them, all threads that live
/// added up. Nothing where the system does not tell: outside Linux, and on kernels that keep no such
/// statistics. `root`: what /proc is read below.
std::optional<int64_t> runDelay(const std::string& root = "");

/// Whether others want the cores, from how much of a core the process waited for in each of the last periods.
class Contention {
 public:
  /// `share`: of the period's time, over all threads. → whether others want the cores.
  bool after(double share);

 private:
  double mean_ = 0;
  int calm_ = 0;  ///< periods in a row that had their cores
  bool contended_ = false;
};

/// Has threads of libgomp's teams that wait sleep at once, or look GOMP_SPINCOUNT times first, as they do
/// when the process begins. Not to be called by two threads at once. Does nothing where OpenMP's runtime is
/// another one.
void sleepAtOnce(bool sleep);

/// Looks ten times a second, while work is done, whether others want the cores, and has waiting threads sleep
/// at once while they do. Sleeping costs up to a tenth of a step where no one does; a thread that looks in
/// vain while the one that it waits for has no core makes a step twice as long.
class WaitPolicy {
 public:
  /// That of the process. Begins on the first call; does nothing where OMP_WAIT_POLICY says how to wait, or
  /// runDelay() has nothing to say.
  static WaitPolicy& ofProcess();

  /// Work begins and ends; called by one thread.
  void begin();
  void end() { working_ = false; }

 private:
  WaitPolicy();
  void look();

  std::atomic<bool> working_ = false, worked_ = false, resting_ = false;
  bool looks_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace adaptive
