#include <ATen/ATen.h>

#include "addon/adapter_binding.h"
#include "addon/arguments.h"
#include "addon/model_handle.h"
#include "addon/model_requests.h"
#include "core/available_memory.h"
#include "core/error.h"
#include "core/model/initialise_weights.h"
#include "core/model/load_weights.h"
#include "core/model/resize_vocabulary.h"

namespace adaptive::addon {
namespace {

at::ScalarType floatTypeAt(const Napi::Object& from, const char* key) {
  const std::string name = stringAt(from, key);
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  throw Napi::TypeError::New(
      from.Env(), std::string("Expected float32, bfloat16 or float16 for ") + key + ", found " + name + ".");
}

at::ScalarType storageType(const std::string& name) {
  if (name == "F32") return at::kFloat;
  if (name == "BF16") return at::kBFloat16;
  if (name == "F16") return at::kHalf;
  fail("INVALID_INPUT", "Expected storage type F32, BF16 or F16, found ", name, ".");
}

ToJs listed(const std::vector<Parameter*>& parameters) {
  std::vector<ParameterPart> parts;
  for (const Parameter* p : parameters) parts.insert(parts.end(), p->parts().begin(), p->parts().end());
  return [parts](Napi::Env env) {
    Napi::Array list = Napi::Array::New(env, parts.size());
    for (uint32_t i = 0; i < parts.size(); i++) list.Set(i, namedShape(env, parts[i].name, parts[i].shape));
    return list;
  };
}

}  // namespace

Napi::Value Model::parameters(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelState& state) { return listed(state.decoder.parameters()); });
}

Napi::Value Model::trainable(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelState& state) { return listed(state.decoder.trainableParameters()); });
}

Napi::Value Model::addAdapter(const Napi::CallbackInfo& info) {
  return run(info.Env(), [options = adapterOptionsFrom(objectArgument(info, 0))](ModelState& state) {
    state.forgetTraining();
    adaptive::addAdapter(state.decoder, options);
    return nothing();
  });
}

Napi::Value Model::mergeAdapter(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelState& state) {
    state.forgetTraining();
    adaptive::mergeAdapter(state.decoder);
    return nothing();
  });
}

Napi::Value Model::load(const Napi::CallbackInfo& info) {
  // V8 sees a small handle; it must know what hangs on it to collect in time.
  if (state_ && reported_ == 0) adjustMemory(info.Env(), state_->bytes());
  const Napi::Object from = objectArgument(info, 0);
  const bool isAdapter = !from.Get("adapter").IsUndefined() && booleanAt(from, "adapter");
  const auto scope = isAdapter ? WeightScope::Adapter : WeightScope::Model;
  return run(info.Env(), [files = filesFrom(from), scope](ModelState& state) {
    loadWeights(state.decoder, files, scope);
    return nothing();
  });
}

Napi::Value Model::initialise(const Napi::CallbackInfo& info) {
  if (state_) adjustMemory(info.Env(), state_->bytes());
  const Napi::Object from = objectArgument(info, 0);
  const Initialisation options = {numberAt(from, "deviation"), numberAt(from, "residualDeviation"),
                                  static_cast<uint64_t>(integerAt(from, "seed"))};
  return run(info.Env(), [options](ModelState& state) {
    initialiseWeights(state.decoder, options);
    return nothing();
  });
}

Napi::Value Model::resize(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(), [vocabSize = integerAt(from, "vocabSize"),
                          seed = static_cast<uint64_t>(integerAt(from, "seed"))](ModelState& state) {
    // Moments of the optimizer have the old shape, and a graph that is under way the old rows.
    if (state.optimizer || state.pending || !state.decoder.adapterParameters().empty())
      fail("INVALID_INPUT",
           "Expected the vocabulary to be resized before an adapter is added and training begins.");
    resizeVocabulary(state.decoder, vocabSize, seed);
    return nothing();
  });
}

Napi::Value Model::configure(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(), [type = floatTypeAt(from, "computeType"), masters = floatTypeAt(from, "masterType"),
                          on = booleanAt(from, "gradientCheckpointing")](ModelState& state) {
    if (masters != at::kFloat && (masters != at::kBFloat16 || type != masters))
      fail("INVALID_INPUT", "Expected masters in float32, or in bfloat16 where it is computed in.");
    state.decoder.setCheckpointing(on);
    state.decoder.setTypes(type, masters);
    state.scaler.reset();
    if (type == at::kHalf) state.scaler.emplace();
    return nothing();
  });
}

Napi::Value Model::save(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  std::vector<std::string> names;
  const auto list = objectAt(from, "names").As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) names.push_back(list.Get(i).ToString().Utf8Value());
  return run(info.Env(), [path = stringAt(from, "path"), header = stringAt(from, "header"),
                          dtype = stringAt(from, "dtype"), names](ModelState& state) {
    saveWeights(state.decoder, path, header, names, storageType(dtype));
    return nothing();
  });
}

Napi::Value Model::memory(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelState& state) -> ToJs {
    return [held = heldMemory(state), free = availableMemory()](Napi::Env env) {
      Napi::Object out = Napi::Object::New(env);
      out.Set("weights", static_cast<double>(held.weights));
      out.Set("gradients", static_cast<double>(held.gradients));
      out.Set("optimizer", static_cast<double>(held.optimizer));
      out.Set("available", static_cast<double>(free));
      return out;
    };
  });
}

}  // namespace adaptive::addon
