// The harness of core_tests, device_tests and cuda_tests: TEST registers a function, check() throws what
// runTests() prints. Needs no libtorch.
#pragma once
#include <algorithm>
#include <cstdio>
#include <functional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace adaptive::test {

using Where = std::source_location;

struct Test {
  std::string name;
  std::function<void()> run;
};

/// All registered tests.
inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

struct Registration {
  Registration(std::string name, std::function<void()> run) {
    tests().push_back({std::move(name), std::move(run)});
  }
};

/// Ends the test with a message that names the line.
[[noreturn]] inline void failAt(const Where& where, const std::string& message) {
  throw std::runtime_error(std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": " +
                           message);
}

inline void check(bool holds, const std::string& what, Where where = Where::current()) {
  if (!holds) failAt(where, "expected " + what);
}

/// What the exception that is being handled says.
inline std::string currentMessage() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

/// Runs the tests whose names contain one of `parts`, or all, and prints which failed and how many passed
/// ("3 of 4 `what` passed (`where`)"). → the exit status: 0 where some ran and all of them passed.
inline int runTests(const std::vector<std::string>& parts, const std::string& what, const std::string& where,
                    std::string (*message)() = &currentMessage) {
  int failed = 0, run = 0;
  for (const Test& test : tests()) {
    const auto names = [&](const std::string& part) { return test.name.find(part) != std::string::npos; };
    if (!parts.empty() && std::none_of(parts.begin(), parts.end(), names)) continue;
    run++;
    try {
      test.run();
    } catch (...) {
      failed++;
      std::printf("FAILED %s\n  %s\n", test.name.c_str(), message().c_str());
    }
    std::fflush(stdout);
  }
  std::printf("%d of %d %s passed (%s)\n", run - failed, run, what.c_str(), where.c_str());
  return failed > 0 || run == 0 ? 1 : 0;
}

}  // namespace adaptive::test

#define ADAPTIVE_JOIN_(a, b) a##b
#define ADAPTIVE_JOIN(a, b) ADAPTIVE_JOIN_(a, b)
#define TEST(name)                                                                   \
  static void ADAPTIVE_JOIN(test, __LINE__)();                                       \
  static const ::adaptive::test::Registration ADAPTIVE_JOIN(registration, __LINE__)( \
      name, &ADAPTIVE_JOIN(test, __LINE__));                                         \
  static void ADAPTIVE_JOIN(test, __LINE__)()
