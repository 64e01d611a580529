#include "core/model/adapter.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/available_memory.h"
#include "core/expect.h"
#include "core/random.h"

namespace adaptive {
namespace {

/// "a.b" of "a.b.weight" and "a.b.bias".
std::string moduleOf(const ParameterPart& part) { return part.name.substr(0, part.name.rfind('.')); }

/// PEFT allows a rank above the sizes of a module; this bounds what is allocated.
constexpr int64_t kLargestRank = 1 << 20;

void checkTarget(const LoraTarget& target) {
  expectInteger("the rank of " + target.module, target.rank, 1, kLargestRank);
  expectThat("INVALID_INPUT", target.dropout >= 0 && target.dropout < 1, "the dropout of " + target.module,
             target.dropout, "a number from 0 to less than 1");
  // What survives dropout is scaled up by its inverse.
  expectFinite("the scale of " + target.module + ", over what dropout keeps",
               target.scale / (1 - target.dropout));
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::unique_ptr<LoraAdapter>> adaptersOf(const Projection& projection,
                                                     const std::vector<LoraTarget>& targets) {
  std::vector<std::unique_ptr<LoraAdapter>> adapters;
  const int64_t inputs = projection.weight->master().size(-1);
  for (const ParameterPart& part : projection.weight->parts()) {
    for (size_t i = 0; i < targets.size(); i++) {
      if (targets[i].module != moduleOf(part)) continue;
      expectMemory("an adapter of rank " + std::to_string(targets[i].rank),
                   4.0 * static_cast<double>(targets[i].rank) * static_cast<double>(inputs + part.rows()));
      adapters.push_back(std::make_unique<LoraAdapter>(targets[i], part.firstRow, part.rows(), inputs,
                                                       static_cast<int64_t>(i)));
    }
  }
  return adapters;
}

void drawA(const LoraAdapter& adapter, bool gaussian, at::Generator& generator) {
  at::Tensor a = adapter.a().master();
  if (gaussian) {
    a.normal_(0, 1 / static_cast<double>(a.size(0)), generator);
    return;
  }
  // torch.nn.init.kaiming_uniform_ with a = √5.
  const double bound = 1 / std::sqrt(static_cast<double>(a.size(1)));
  a.uniform_(-bound, bound, generator);
}

}  // namespace

void addAdapter(Decoder& decoder, const AdapterOptions& options) {
  at::NoGradGuard noGrad;
  for (Parameter* parameter : decoder.parameters())
    parameter->freeze([](const std::string&) { return false; });
  const std::vector<Parameter*> all = decoder.parameters();
  const auto isFrozen = [](const Parameter* p) { return !p->trainable() && !p->isQuantized(); };
  if (!decoder.adapterParameters().empty() || std::any_of(all.begin(), all.end(), isFrozen))
    fail("INVALID_INPUT", "Expected a model without an adapter, found one with. Merge it first.");
  for (const LoraTarget& target : options.targets) checkTarget(target);
  const WeightNames& names = weightNamesOf(decoder.config_.names);
  const auto saves = [&](const std::string& module) { return contains(options.modulesToSave, module); };

  std::vector<std::vector<std::unique_ptr<LoraAdapter>>> made;
  size_t count = 0;
  for (const DecoderLayer& layer : decoder.layers_) {
    layer.forEachProjection([&](const Projection& projection) {
      made.push_back(adaptersOf(projection, options.targets));
      count += made.back().size();
    });
  }
  if (count != options.targets.size()) {
    fail("INVALID_INPUT", "Expected targets that are projections of the model, each once, found ", count,
         " of ", options.targets.size(), ".");
  }
  const bool unties = !decoder.head_ && (saves(names.head) || saves(names.embedding));
  std::vector<std::string> unknown = options.modulesToSave;
  for (const Parameter* parameter : decoder.parameters()) {
    const auto& parts = parameter->parts();
    const auto isSaved = [&](const ParameterPart& part) { return saves(moduleOf(part)); };
    const auto saved = std::count_if(parts.begin(), parts.end(), isSaved);
    if (saved > 0 && saved < static_cast<int64_t>(parts.size())) {
      fail("INVALID_INPUT", "Expected modules to save that can be trained on their own, found ",
           moduleOf(*std::find_if(parts.begin(), parts.end(), isSaved)),
           ", which is computed as one with its neighbours. Name all of them, or none.");
    }
    if (saved > 0 && parameter->isQuantized()) {
      fail("INVALID_INPUT", "Expected modules to save that are kept whole, found ", moduleOf(parts[0]),
           ", which is quantised. Leave it out of modulesToSave, or out of what is quantised.");
    }
    for (const ParameterPart& part : parts) std::erase(unknown, moduleOf(part));
  }
  if (unties) std::erase(unknown, names.head);
  if (!unknown.empty())
    fail("INVALID_INPUT", "Expected the names of modules of the model, found ", unknown[0], ".");

  if (unties) {
    decoder.head_ = makeHead(decoder.config_, names);
    decoder.head_->setMasterType(decoder.embedding_->master().scalar_type(), false);
    if (decoder.filled_) at::Tensor(decoder.head_->master()).copy_(decoder.embedding_->master());
    decoder.config_.tiedHead = false;
  }
  for (Parameter* parameter : decoder.parameters())
    parameter->setTrainable(saves(moduleOf(parameter->parts()[0])));
  at::Generator generator = generatorFor(decoder.embedding_->master(), options.seed);
  auto next = made.begin();
  for (DecoderLayer& layer : decoder.layers_) {
    layer.forEachProjection([&](Projection& projection) {
      projection.adapters = std::move(*next++);
      for (const auto& adapter : projection.adapters) {
        drawA(*adapter, options.gaussian, generator);
        if (decoder.filled_) adapter->takeMagnitude(*projection.weight);
      }
    });
  }
  decoder.placeMasters();
  if (decoder.filled_) decoder.refreshCompute();
}

std::vector<AdapterBase> adapterBase(const Decoder& decoder) {
  at::NoGradGuard noGrad;
  std::vector<AdapterBase> all;
  for (const DecoderLayer& layer : decoder.layers_) {
    layer.forEachProjection([&](const Projection& projection) {
      for (const auto& adapter : projection.adapters) {
        all.push_back({&adapter->b(), {}});
        if (adapter->magnitude())
          all.push_back({adapter->magnitude(), adapter->rowNorms(*projection.weight)});
      }
    });
  }
  return all;
}

void mergeAdapter(Decoder& decoder) {
  at::NoGradGuard noGrad;
  decoder.expectWeights();
  for (DecoderLayer& layer : decoder.layers_) {
    layer.forEachProjection([&](Projection& projection) {
      projection.weight->dequantize(decoder.masterType_);
      for (const auto& adapter : projection.adapters) adapter->mergeInto(*projection.weight);
      projection.adapters.clear();
    });
  }
  for (Parameter* parameter : decoder.parameters()) {
    parameter->setTrainable(true);
    parameter->freeze([](const std::string&) { return false; });
  }
  decoder.placeMasters();
  decoder.refreshCompute();
}

}  // namespace adaptive
