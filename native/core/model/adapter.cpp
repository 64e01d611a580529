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
  const at::Tensor& weight = projection.weight->master();
  const bool ofExperts = weight.dim() == 3;
  const int64_t inputs = weight.size(-1), experts = ofExperts ? weight.size(0) : 1;
  for (const ParameterPart& part : projection.weight->parts()) {
    const int64_t outputs = ofExperts ? weight.size(1) : part.rows();
    for (size_t i = 0; i < targets.size(); i++) {
      const LoraTarget& target = targets[i];
      if (target.module != (ofExperts ? part.name : moduleOf(part))) continue;
      if (ofExperts != (target.form == LoraForm::Experts) || (ofExperts && target.dropout > 0) ||
          (ofExperts && target.magnitude))
        fail("INVALID_INPUT",
             "Expected the form experts, without dropout or magnitude, for weights of experts alone, found ",
             target.module, ".");
      expectMemory("an adapter of rank " + std::to_string(target.rank),
                   4.0 * static_cast<double>(target.rank) * static_cast<double>(experts) *
                       static_cast<double>(inputs + outputs));
      adapters.push_back(std::make_unique<LoraAdapter>(target, ofExperts ? 0 : part.firstRow, outputs, inputs,
                                                       static_cast<int64_t>(i), experts));
    }
  }
  return adapters;
}

void draw(const LoraAdapter& adapter, bool gaussian, at::Generator& generator) {
  at::Tensor drawn = adapter.drawn().master();
  const ParameterPart& part = adapter.drawn().parts()[0];
  if (part.name.ends_with(".lora_embedding_B")) {
    drawn.normal_(0, 1, generator);
  } else if (gaussian) {
    drawn.normal_(0, 1 / static_cast<double>(adapter.rank()), generator);
  } else {
    // torch.nn.init.kaiming_uniform_ with a = √5.
    const double bound = 1 / std::sqrt(static_cast<double>(part.shape[1]));
    drawn.uniform_(-bound, bound, generator);
  }
}

std::vector<LoraTarget> withoutTables(const std::vector<LoraTarget>& targets, const WeightNames& names) {
  std::vector<LoraTarget> rest;
  for (const LoraTarget& target : targets)
    if (target.module != names.embedding && target.module != names.positions && target.module != names.head)
      rest.push_back(target);
  return rest;
}

}  // namespace

/// Makes what the options add to the tables.
class TablesOfAdapter {
 public:
  TablesOfAdapter(Decoder& decoder, const AdapterOptions& options)
      : decoder_(decoder), options_(options), names_(weightNamesOf(decoder.config_.names)) {}

  bool unties() const {
    if (decoder_.head_) return false;
    const auto& saved = options_.modulesToSave;
    if (contains(saved, names_.head) || contains(saved, names_.embedding)) return !options_.keepsTied;
    return std::any_of(options_.tokenRows.begin(), options_.tokenRows.end(),
                       [&](const TokenRowsTarget& rows) { return rows.module == names_.head; });
  }

  void untie() {
    decoder_.head_ = makeHead(decoder_.config_, names_);
    decoder_.head_->setMasterType(decoder_.embedding_->master().scalar_type(), false);
    if (decoder_.filled_) at::Tensor(decoder_.head_->master()).copy_(decoder_.embedding_->master());
    decoder_.config_.tiedHead = false;
  }

  void check() const {
    for (const LoraTarget& target : options_.targets) {
      if (!tableOf(target.module)) continue;
      if (target.magnitude)
        fail("INVALID_INPUT", "Expected no magnitude on ", target.module, ", which is a table, found one.");
      if (target.module == names_.head && options_.decomposition.kind)
        fail("INVALID_INPUT", "Expected projections to take an adapter out of, found the head.");
    }
    for (const TokenRowsTarget& rows : options_.tokenRows) {
      const Parameter* table = tableOf(rows.module);
      if (!table)
        fail("INVALID_INPUT", "Expected rows of an embedding or of the head, found those of ", rows.module,
             ".");
      std::vector<int64_t> ids = rows.ids;
      std::sort(ids.begin(), ids.end());
      if (ids.empty() || std::adjacent_find(ids.begin(), ids.end()) != ids.end())
        fail("INVALID_INPUT", "Expected rows of ", rows.module, ", each once, found none or one twice.");
      expectInteger("the first row of " + rows.module, ids.front(), 0, table->master().size(0) - 1);
      expectInteger("the last row of " + rows.module, ids.back(), 0, table->master().size(0) - 1);
      if (contains(options_.modulesToSave, rows.module))
        fail("INVALID_INPUT", "Expected ", rows.module, " to be trained whole or by rows, found both.");
    }
  }

  void add(at::Generator& generator) {
    for (size_t i = 0; i < options_.targets.size(); i++) {
      const LoraTarget& target = options_.targets[i];
      const Parameter* table = tableOf(target.module);
      if (!table) continue;
      auto& low = adapterOf(target.module).low;
      low = std::make_unique<LoraAdapter>(target, 0, table->master().size(0), table->master().size(1),
                                          static_cast<int64_t>(i));
      draw(*low, options_.gaussian, generator);
    }
    if (!decoder_.head_ && options_.keepsTied && decoder_.headAdapter_.low && decoder_.embeddingAdapter_.low)
      decoder_.headAdapter_.low->share(*decoder_.embeddingAdapter_.low);
    for (const TokenRowsTarget& rows : options_.tokenRows) {
      adapterOf(rows.module).rows =
          std::make_unique<TokenRows>(rows.module, rows.ids, decoder_.config_.hiddenSize);
    }
  }

 private:
  Parameter* tableOf(const std::string& module) const {
    if (module == names_.embedding) return decoder_.embedding_.get();
    if (module == names_.positions) return decoder_.positions_.get();
    return module == names_.head ? &decoder_.head() : nullptr;
  }
  TableAdapter& adapterOf(const std::string& module) const {
    if (module == names_.embedding) return decoder_.embeddingAdapter_;
    return module == names_.head ? decoder_.headAdapter_ : decoder_.positionsAdapter_;
  }

  Decoder& decoder_;
  const AdapterOptions& options_;
  const WeightNames& names_;
};

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
  TablesOfAdapter tables(decoder, options);
  tables.check();

  const std::vector<LoraTarget> targets = withoutTables(options.targets, names);
  std::vector<std::vector<std::unique_ptr<LoraAdapter>>> made;
  size_t count = 0;
  for (const DecoderLayer& layer : decoder.layers_) {
    layer.forEachProjection([&](const Projection& projection) {
      made.push_back(adaptersOf(projection, targets));
      count += made.back().size();
    });
  }
  if (count != targets.size()) {
    fail("INVALID_INPUT", "Expected targets that are projections of the model, each once, found ", count,
         " of ", targets.size(), ".");
  }
  std::vector<std::string> unknown = options.modulesToSave, unknownBiases = options.biases;
  for (const Parameter* parameter : decoder.parameters()) {
    for (const ParameterPart& part : parameter->parts()) {
      std::erase(unknown, moduleOf(part));
      std::erase(unknownBiases, part.name);
    }
    const auto& parts = parameter->parts();
    const auto isSaved = [&](const ParameterPart& part) {
      return contains(options.modulesToSave, moduleOf(part));
    };
    if (parameter->isQuantized() && std::any_of(parts.begin(), parts.end(), isSaved)) {
      fail("INVALID_INPUT", "Expected modules to save that are kept whole, found ", moduleOf(parts[0]),
           ", which is quantised. Leave it out of modulesToSave, or out of what is quantised.");
    }
  }
  if (tables.unties()) std::erase(unknown, names.head);
  unknown.insert(unknown.end(), unknownBiases.begin(), unknownBiases.end());
  if (!unknown.empty())
    fail("INVALID_INPUT", "Expected the names of modules of the model, found ", unknown[0], ".");

  if (tables.unties()) tables.untie();
  for (Parameter* parameter : decoder.parameters()) {
    parameter->trainOnly([&](const std::string& name) {
      return contains(options.modulesToSave, name.substr(0, name.rfind('.'))) ||
             contains(options.biases, name);
    });
  }
  decoder.decomposition_ = options.decomposition;
  decoder.adapterSeed_ = options.seed;
  at::Generator generator = generatorFor(options.seed);
  auto next = made.begin();
  for (DecoderLayer& layer : decoder.layers_) {
    layer.forEachProjection([&](Projection& projection) {
      projection.adapters = std::move(*next++);
      for (const auto& adapter : projection.adapters) draw(*adapter, options.gaussian, generator);
    });
  }
  tables.add(generator);
  decoder.placeMasters();
  if (!decoder.filled_) return;
  decoder.beginAdapters();
  for (DecoderLayer& layer : decoder.layers_) {
    layer.forEachProjection([](Projection& projection) {
      for (const auto& adapter : projection.adapters) adapter->takeMagnitude(*projection.weight);
    });
  }
  decoder.refreshCompute();
}

std::vector<AdapterBase> adapterBase(const Decoder& decoder) {
  at::NoGradGuard noGrad;
  std::vector<AdapterBase> all;
  const auto add = [&](const LoraAdapter& adapter) {
    if (adapter.firstA().defined()) {
      all.push_back({&adapter.a(), adapter.firstA()});
      all.push_back({&adapter.b(), adapter.firstB()});
    } else {
      all.push_back({&adapter.zero(), {}});
    }
  };
  for (const DecoderLayer& layer : decoder.layers_) {
    layer.forEachProjection([&](const Projection& projection) {
      for (const auto& adapter : projection.adapters) {
        add(*adapter);
        if (adapter->magnitude())
          all.push_back({adapter->magnitude(), adapter->rowNorms(*projection.weight)});
      }
    });
  }
  for (const TableAdapter* table :
       {&decoder.embeddingAdapter_, &decoder.positionsAdapter_, &decoder.headAdapter_}) {
    if (table->low) add(*table->low);
    if (table->rows) all.push_back({&table->rows->values(), table->rows->original()});
  }
  return all;
}

std::vector<std::pair<std::string, at::Tensor>> plainWeights(const Decoder& decoder) {
  at::NoGradGuard noGrad;
  std::vector<std::pair<std::string, at::Tensor>> all;
  const auto add = [&](const LoraAdapter& adapter) {
    if (!adapter.firstA().defined()) return;
    const at::Tensor a = adapter.a().master().to(at::kFloat), b = adapter.b().master().to(at::kFloat);
    all.emplace_back(adapter.a().parts()[0].name, at::cat({a, adapter.firstA()}, 0));
    all.emplace_back(adapter.b().parts()[0].name, at::cat({b, adapter.firstB().neg()}, 1));
  };
  for (const DecoderLayer& layer : decoder.layers_) {
    layer.forEachProjection([&](const Projection& projection) {
      for (const auto& adapter : projection.adapters) add(*adapter);
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
  const LoraAdapter *embedding = decoder.embeddingAdapter_.low.get(), *head = decoder.headAdapter_.low.get();
  const AdapterOptions none;
  const bool isOne = head && head->shared();
  // What is added to one of the two alone takes a tied head off its embedding.
  if (!decoder.head_ && (embedding || head) && !isOne) TablesOfAdapter(decoder, none).untie();
  decoder.forEachTable([](Parameter& table, TableAdapter& adapter) {
    if (adapter.low) adapter.low->mergeInto(table);
  });
  decoder.embeddingAdapter_ = {};
  decoder.positionsAdapter_ = {};
  decoder.headAdapter_ = {};
  decoder.decomposition_ = {};
  for (Parameter* parameter : decoder.parameters()) {
    parameter->setTrainable(true);
    parameter->freeze([](const std::string&) { return false; });
  }
  decoder.placeMasters();
  decoder.refreshCompute();
}

}  // namespace adaptive
