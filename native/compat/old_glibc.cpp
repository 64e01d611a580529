// Lets an addon that is built on a newer Linux load where libtorch does: with glibc 2.28 and libstdc++ of GCC
// 6 (GLIBCXX_3.4.22). Each function here stands in, through the linker's --wrap (CMakeLists.txt has the
// list), for one that the build machine's libraries would bind to a newer version of its symbol; the stand-in
// is made of what the old libraries have. libstdc++ stays shared, because exceptions of libtorch are caught
// in the addon. test/engine/load/addon-symbols.test.ts names whatever is still too new.
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include <condition_variable>
#include <mutex>

#if defined(__x86_64__)
#define OLDEST_GLIBC "GLIBC_2.2.5"
constexpr int kStatVersion = 1;
#elif defined(__aarch64__)
#define OLDEST_GLIBC "GLIBC_2.17"
constexpr int kStatVersion = 0;
#else
#error "Expected x86-64 or aarch64: elsewhere, build without ADAPTIVE_TRAINER_OLD_GLIBC."
#endif

// OLD(<name here>, <symbol>, <version>) binds a name of this file to a version of a symbol that libraries
// keep for old programs.
#define OLD(name, symbol, version) __asm__(".symver " #name "," symbol "@" version)

extern "C" {

// The new versions differ only in leaving `errno` alone.
OLD(old_exp, "exp", OLDEST_GLIBC);
OLD(old_log, "log", OLDEST_GLIBC);
OLD(old_pow, "pow", OLDEST_GLIBC);
double old_exp(double x);
double old_log(double x);
double old_pow(double x, double y);
double __wrap_exp(double x) { return old_exp(x); }
double __wrap_log(double x) { return old_log(x); }
double __wrap_pow(double x, double y) { return old_pow(x, y); }

OLD(old_dlopen, "dlopen", OLDEST_GLIBC);
OLD(old_dlerror, "dlerror", OLDEST_GLIBC);
void* old_dlopen(const char* path, int flags);
char* old_dlerror();
void* __wrap_dlopen(const char* path, int flags) { return old_dlopen(path, flags); }
char* __wrap_dlerror() { return old_dlerror(); }

OLD(old_dlsym, "dlsym", OLDEST_GLIBC);
void* old_dlsym(void* library, const char* symbol);
void* __wrap_dlsym(void* library, const char* symbol) { return old_dlsym(library, symbol); }

OLD(old_fxstat, "__fxstat", OLDEST_GLIBC);
int old_fxstat(int version, int file, struct stat* info);
int __wrap_fstat(int file, struct stat* info) { return old_fxstat(kStatVersion, file, info); }

// Before glibc 2.30 a wait is measured by the wall clock alone. Whoever waits checks the time again after it.
int __wrap_pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                                  const timespec* deadline) {
  timespec now{}, wall{};
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &wall);
  constexpr long kSecond = 1'000'000'000;
  const long nanoseconds = wall.tv_nsec + deadline->tv_nsec - now.tv_nsec + kSecond;  // 0 ≤ it < 3 s
  const timespec until{wall.tv_sec + deadline->tv_sec - now.tv_sec - 1 + nanoseconds / kSecond,
                       nanoseconds % kSecond};
  return pthread_cond_timedwait(condition, mutex, &until);
}

// libstdc++'s shared_ptr counts without locks where a program has one thread; this one never has.
__attribute__((visibility("hidden"))) char __libc_single_threaded = 0;

// The old version is a cancellation point with exceptions, the new one without; nothing here cancels threads.
OLD(old_condition_wait, "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE", "GLIBCXX_3.4.11");
void old_condition_wait(std::condition_variable* condition, std::unique_lock<std::mutex>* lock);
void __wrap__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(std::condition_variable* condition,
                                                                      std::unique_lock<std::mutex>* lock) {
  old_condition_wait(condition, lock);
}

}  // extern "C"
