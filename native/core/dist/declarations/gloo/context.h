// libtorch's ProcessGroupGloo.hpp includes Gloo's headers, which libtorch does not ship. These declare what
// that header names; all of it is in libtorch_cpu.
#pragma once
#include <chrono>
#include <memory>

namespace gloo {
class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};
namespace transport {
class UnboundBuffer {
 public:
  virtual ~UnboundBuffer();
};
}  // namespace transport
}  // namespace gloo
