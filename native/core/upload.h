// Numbers of the host on their way to a device: many lists in one copy.
#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

namespace adaptive {

class Upload {
 public:
  explicit Upload(at::Device to) : to_(to) {}

  /// send() makes `to` a tensor [values] of the values' type. Both must live until then.
  template <class T>
  void add(const std::vector<T>& values, at::Tensor& to) {
    parts_.push_back({values.data(), values.size() * sizeof(T), c10::CppTypeToScalarType<T>::value, &to});
  }
  template <class T>
  void add(const std::vector<T>&& values, at::Tensor& to) = delete;

  /// Copies everything that was added at once. The host does not wait: it goes on while the copy runs, in the
  /// order of the device's work.
  void send();

 private:
  struct Part {
    const void* data;
    size_t bytes;
    at::ScalarType type;
    at::Tensor* to;
  };
  at::Device to_;
  std::vector<Part> parts_;
};

/// Numbers of the host as a tensor [n] of their type, where `like` is.
template <class T>
at::Tensor uploaded(const std::vector<T>& values, const at::Tensor& like) {
  at::Tensor tensor;
  Upload upload(like.device());
  upload.add(values, tensor);
  upload.send();
  return tensor;
}

}  // namespace adaptive
