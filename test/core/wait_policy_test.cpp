// How OpenMP's threads wait, and when that changes.
#include "core/wait_policy.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "check.h"
#ifdef __linux__
#include <omp.h>
#include <sys/resource.h>
#endif

using namespace adaptive;
using namespace adaptive::test;

TEST("wait policy: one bad moment is not contention, and calm lasts before it ends") {
  Contention contention;
  for (int i = 0; i < 50; i++) check(!contention.after(i % 5 == 0 ? 0.3 : 0.1), "no contention alone");
  check(!contention.after(0.8), "none after one bad period");
  check(!contention.after(0.1), "none after a good one");
  int periods = 0;
  while (!contention.after(0.8)) periods++;
  check(periods < 4, "contention within half a second");
  for (int i = 0; i < 50; i++)
    check(contention.after(i % 5 == 0 ? 0.45 : 0.8), "contention while others want the cores");
  periods = 0;
  while (contention.after(0.05)) periods++;
  check(periods >= 5 && periods < 15, "an end of it after a second of calm");
}

#ifdef __linux__
TEST("wait policy: threads that wait for a core add to the run delay") {
  const auto before = runDelay();
  if (!before) return;  // a kernel without these statistics
  std::atomic<bool> ends = false;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 3 * std::max(1u, std::thread::hardware_concurrency()); i++)
    threads.emplace_back([&ends] {
      while (!ends) {
      }
    });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto during = runDelay();
  ends = true;
  for (std::thread& thread : threads) thread.join();
  check(*during - *before > 50'000'000, "more than 50 ms, of 400 ms a core");
}

TEST("wait policy: no run delay where the system tells none") {
  check(!runDelay("/nowhere").has_value(), "nothing");
}

namespace {

/// How often a thread went to sleep of itself while it waited `times` times for another.
int64_t sleepsOf(int times) {
  int64_t sleeps = 0;
  for (int i = 0; i <= times; i++) {
#pragma omp parallel num_threads(2)
    {
      if (omp_get_thread_num() == 0) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(300);
        while (std::chrono::steady_clock::now() < end) {
        }
      } else {
        rusage usage{};
        getrusage(RUSAGE_THREAD, &usage);
        // The first region makes the thread.
        if (i == 0 || i == times) sleeps = usage.ru_nvcsw - sleeps;
      }
    }
  }
  return sleeps;
}

}  // namespace

// Where GOMP_SPINCOUNT has threads spin for seconds, which CTest sets for a run of its own.
TEST("wait policy: waiting threads sleep at once while they are to, and spin before and afterwards") {
  const char* spins = std::getenv("GOMP_SPINCOUNT");
  if (spins == nullptr || std::atoll(spins) < 1'000'000'000) return;
  // One core: libgomp lets no thread spin.
  const bool spinsAlone = std::thread::hardware_concurrency() > 1;
  if (spinsAlone) check(sleepsOf(200) < 20, "threads that spin");
  sleepAtOnce(true);
  check(sleepsOf(200) > 100, "threads that sleep");
  sleepAtOnce(true);
  sleepAtOnce(false);
  if (spinsAlone) check(sleepsOf(200) < 20, "threads that spin again");
}
#endif
