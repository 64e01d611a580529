#include "addon/convert/adapter.h"

#include "addon/convert/arguments.h"
#include "core/expect.h"

namespace adaptive::addon {
namespace {

LoraForm formFrom(const Napi::Object& from) {
  const std::string form = stringAt(from, "form");
  if (form == "linear") return LoraForm::Linear;
  if (form == "embedding") return LoraForm::Embedding;
  if (form == "stored") return LoraForm::Stored;
  if (form == "experts") return LoraForm::Experts;
  failType(from.Get("form"), "linear, embedding, stored or experts", "form");
}

LoraTarget targetFrom(const Napi::Object& from) {
  return {stringAt(from, "module"),  integerAt(from, "rank"),      numberAt(from, "scale"),
          numberAt(from, "dropout"), booleanAt(from, "magnitude"), formFrom(from)};
}

/// "uniform" and "gaussian" take nothing out of the weights.
Decomposition decompositionFrom(const Napi::Object& from) {
  const std::string init = stringAt(from, "init");
  if (init == "uniform" || init == "gaussian") return {};
  if (init == "qr") return {Decomposition::Qr, -1};
  if (init == "svd") return {Decomposition::Svd, integerAt(from, "rounds")};
  failType(from.Get("init"), "uniform, gaussian, svd or qr", "init");
}

}  // namespace

AdapterOptions adapterOptionsFrom(const Napi::Object& from) {
  AdapterOptions options;
  options.targets = listAt(from, "targets", [](const Napi::Value& target, const std::string& at) {
    return targetFrom(objectFrom(target, at));
  });
  options.modulesToSave = listAt(from, "modulesToSave", stringFrom);
  options.biases = listAt(from, "biases", stringFrom);
  options.tokenRows = listAt(from, "tokenRows", [](const Napi::Value& rows, const std::string& at) {
    const Napi::Object one = objectFrom(rows, at);
    const std::vector<int32_t> ids = arrayAt<int32_t>(one, "ids");
    return TokenRowsTarget{stringAt(one, "module"), {ids.begin(), ids.end()}};
  });
  options.keepsTied = booleanAt(from, "keepsTied");
  options.decomposition = decompositionFrom(from);
  if (options.decomposition.kind == Decomposition::Svd)
    expectInteger("rounds", options.decomposition.rounds, -1, 1000);
  options.gaussian = stringAt(from, "init") == "gaussian";
  options.seed = static_cast<uint64_t>(integerAt(from, "seed"));
  return options;
}

DropoutKey dropoutFrom(const Napi::Object& microBatch) {
  if (microBatch.Get("dropout").IsUndefined()) return {};
  const Napi::Object from = objectAt(microBatch, "dropout");
  return mixed({static_cast<uint64_t>(integerAt(from, "seed")),
                static_cast<uint64_t>(integerAt(from, "step")),
                static_cast<uint64_t>(integerAt(from, "microBatch"))});
}

}  // namespace adaptive::addon
