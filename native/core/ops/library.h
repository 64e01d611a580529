// How this project's operators become known to libtorch: as its macros TORCH_LIBRARY and TORCH_LIBRARY_IMPL
// make them, under a namespace that names the version. Two versions of the addon may share one process and
// its libtorch, and libtorch ends a process that defines an operator twice.
#pragma once
#include <torch/library.h>

namespace adaptive::ops {

/// `adaptive_trainer_1_2_3` in version 1.2.3.
const char* libraryName() noexcept;

}  // namespace adaptive::ops

#define ADAPTIVE_LIBRARY(m)                                                                                 \
  static void defineOperators(torch::Library&);                                                             \
  static const torch::detail::TorchLibraryInit operatorsDefined(torch::Library::DEF, &defineOperators,      \
                                                                adaptive::ops::libraryName(), std::nullopt, \
                                                                __FILE__, __LINE__);                        \
  static void defineOperators(torch::Library& m)

#define ADAPTIVE_LIBRARY_IMPL(device, m)                                                                 \
  static void implementOperators(torch::Library&);                                                       \
  static const torch::detail::TorchLibraryInit operatorsImplemented(                                     \
      torch::Library::IMPL, &implementOperators, adaptive::ops::libraryName(), c10::DispatchKey::device, \
      __FILE__, __LINE__);                                                                               \
  static void implementOperators(torch::Library& m)
