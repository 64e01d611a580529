// check_registration <libtorch_cuda.so> <plugin.so>: declares the operators of core, loads both libraries in
// this order, and exits with 1 where an operator has neither a kernel for CUDA nor one for any device. Needs
// no GPU.
#include <ATen/core/dispatch/Dispatcher.h>
#include <dlfcn.h>

#include <cstdio>
#include <string>

#include "core/ops/library.h"

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    if (dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL)) continue;
    std::printf("%s cannot be loaded: %s\n", argv[i], dlerror());
    return 1;
  }
  int registered = 0, missing = 0;
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
    if (name.getNamespace() != std::optional<c10::string_view>(adaptive::ops::libraryName())) continue;
    const auto found = c10::Dispatcher::singleton().findSchema(name);
    if (!found) {
      missing++;
      std::printf("the plugin implements %s, which core does not declare\n", name.name.c_str());
    } else if (found->hasComputedKernelForDispatchKey(c10::DispatchKey::CUDA)) {
      registered++;
    } else {
      missing++;
      std::printf("no kernel serves CUDA tensors for %s\n", name.name.c_str());
    }
  }
  std::printf("%d of %d operators have a kernel for CUDA\n", registered, registered + missing);
  return missing > 0 || registered == 0 ? 1 : 0;
}
