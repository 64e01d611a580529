#include "core/optim/optimizer.h"

#include "core/error.h"
#include "core/optim/adamw.h"
#include "core/optim/adamw_8bit.h"

namespace adaptive {

std::unique_ptr<Optimizer> makeOptimizer(const std::string& name, std::vector<Parameter*> parameters,
                                         OptimizerOptions options) {
  if (name == "adamw") return std::make_unique<AdamW>(std::move(parameters), options);
  if (name == "adamw_8bit") return std::make_unique<AdamW8bit>(std::move(parameters), options);
  fail("NOT_AVAILABLE", "Expected optimizer adamw or adamw_8bit, found \"", name, "\".");
}

}  // namespace adaptive
