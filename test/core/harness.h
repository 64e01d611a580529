// The harness of core_tests and cuda_tests: TEST registers a function, check() throws what their main.cpp
// prints. Needs no libtorch.
#pragma once
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

}  // namespace adaptive::test

#define ADAPTIVE_JOIN_(a, b) a##b
#define ADAPTIVE_JOIN(a, b) ADAPTIVE_JOIN_(a, b)
#define TEST(name)                                                                   \
  static void ADAPTIVE_JOIN(test, __LINE__)();                                       \
  static const ::adaptive::test::Registration ADAPTIVE_JOIN(registration, __LINE__)( \
      name, &ADAPTIVE_JOIN(test, __LINE__));                                         \
  static void ADAPTIVE_JOIN(test, __LINE__)()
