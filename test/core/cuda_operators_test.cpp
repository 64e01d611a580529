// Every operator that core declares serves CUDA tensors: by a kernel of the plugin, or by one for any device.
#ifdef ADAPTIVE_EMULATED_CUDA
#include <ATen/core/dispatch/Dispatcher.h>

#include <map>

#include "check.h"
#include "core/model/parameter.h"
#include "core/ops/library.h"
#include "core/optim/optimizer.h"
#include "cuda/register_kernels.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

/// Operators without a kernel of their own on CUDA, and why none is needed.
const std::map<std::string, std::string>& servedByAnyDevice() {
  static const std::map<std::string, std::string> all = {
      {"attend_next", "attention_cached for each row"},
      {"thin_product", "cuBLAS serves few rows as well"},
  };
  return all;
}

/// What the plugin registers, under CUDA's key. Nothing is run.
class PluginOnCuda {
 public:
  PluginOnCuda()
      : library_(torch::Library::IMPL, ops::libraryName(), c10::DispatchKey::CUDA, __FILE__, __LINE__) {
    cuda::registerKernels(library_);
  }

 private:
  torch::Library library_;
};

}  // namespace

TEST("every operator of core has a kernel for CUDA, or one for any device with a reason") {
  const PluginOnCuda plugin;
  auto& dispatcher = c10::Dispatcher::singleton();
  size_t operators = 0, elsewhere = 0;
  for (const auto& name : dispatcher.getAllOpNames()) {
    if (name.name.rfind(std::string(ops::libraryName()) + "::", 0) != 0) continue;
    const auto op = dispatcher.findSchema(name);
    check(op.has_value(), name.name + " declared by core");
    operators++;
    const std::string own = name.name.substr(name.name.find("::") + 2);
    if (op->hasKernelForDispatchKey(c10::DispatchKey::CUDA)) {
      check(!servedByAnyDevice().contains(own), own + " not listed as one without a kernel on CUDA");
      continue;
    }
    elsewhere++;
    check(servedByAnyDevice().contains(own), own + " served on CUDA, or listed with a reason");
    check(op->hasKernelForDispatchKey(c10::DispatchKey::CompositeExplicitAutograd), own + " on any device");
  }
  check(operators > 30, "all operators looked at");
  check(elsewhere == servedByAnyDevice().size(), "no operator listed that there is not");
}

TEST("optimizers in libtorch's operators follow their weights to another device") {
  // Tensors of the meta device have no numbers: reading one, or mixing them with the CPU's, throws.
  for (const std::string name : {"adagrad", "rmsprop", "ademamix"}) {
    Parameter matrix({{"matrix", {6, 4}}}, /*isNorm=*/false);
    matrix.moveTo(at::kMeta, /*keepsValues=*/false);
    const auto optimizer = makeOptimizer(name, {&matrix}, {});
    matrix.accumulate(at::empty({6, 4}, at::TensorOptions().device(at::kMeta)));
    optimizer->step(0.1, 1);
    for (const auto& [what, state] : optimizer->state()) check(state.is_meta(), name + ": " + what);
  }
}
#endif
