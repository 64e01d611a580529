#include <ATen/ATen.h>

#include "addon/calls/model.h"
#include "addon/convert/adapter.h"
#include "addon/convert/arguments.h"
#include "addon/convert/requests.h"
#include "core/available_memory.h"
#include "core/model/initialise_weights.h"
#include "core/model/load_weights.h"
#include "core/model/quantize_weights.h"
#include "core/session/saved_session.h"
#include "core/session/sharded_session.h"

namespace adaptive::addon {
namespace {

at::ScalarType floatTypeAt(const Napi::Object& from, const char* key) {
  const std::string name = stringAt(from, key);
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  failType(from.Get(key), "float32, bfloat16 or float16", key);
}

at::ScalarType storedTypeAt(const Napi::Object& from, const char* key) {
  const std::string name = stringAt(from, key);
  if (name == "F32") return at::kFloat;
  if (name == "BF16") return at::kBFloat16;
  if (name == "F16") return at::kHalf;
  failType(from.Get(key), "F32, BF16 or F16", key);
}

Napi::Array listOf(Napi::Env env, const std::vector<std::string>& names) {
  Napi::Array list = Napi::Array::New(env, names.size());
  for (uint32_t i = 0; i < names.size(); i++) list.Set(i, names[i]);
  return list;
}

QuantType quantTypeAt(const Napi::Object& from, const char* key) {
  const std::string name = stringAt(from, key);
  if (name == "nf4") return QuantType::Nf4;
  if (name == "fp4") return QuantType::Fp4;
  if (name == "int8") return QuantType::Int8;
  failType(from.Get(key), "nf4, fp4 or int8", key);
}

QuantizedWeight quantizedFrom(const Napi::Value& value, const std::string& at) {
  const Napi::Object from = objectFrom(value, at);
  return {stringAt(from, "name"),
          {quantTypeAt(from, "type"), integerAt(from, "blockSize"), booleanAt(from, "nested"),
           numberAt(from, "offset")}};
}

ToJs listed(const std::vector<Parameter*>& parameters, bool onlyTrained = false) {
  std::vector<ParameterPart> parts;
  for (const Parameter* p : parameters)
    for (const ParameterPart& part : p->parts())
      if (!onlyTrained || p->trains(part)) parts.push_back(part);
  return [parts](Napi::Env env) {
    Napi::Array list = Napi::Array::New(env, parts.size());
    for (uint32_t i = 0; i < parts.size(); i++) {
      Napi::Object part = namedShape(env, parts[i].name, parts[i].shape);
      if (!parts[i].stored.empty()) part.Set("stored", listOf(env, parts[i].stored));
      list.Set(i, part);
    }
    return list;
  };
}

}  // namespace

Napi::Value Model::parameters(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) { return listed(session.decoder.parameters()); });
}

Napi::Value Model::trainable(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) {
    return listed(session.decoder.trainableParameters(), /*onlyTrained=*/true);
  });
}

Napi::Value Model::freeze(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(), [names = listAt(from, "names", stringFrom)](ModelSession& session) {
    forgetTraining(session);
    session.decoder.freeze(names);
    return nothing();
  });
}

Napi::Value Model::addAdapter(const Napi::CallbackInfo& info) {
  return run(info.Env(), [options = adapterOptionsFrom(objectArgument(info, 0))](ModelSession& session) {
    forgetTraining(session);
    adaptive::addAdapter(session.decoder, options);
    return nothing();
  });
}

Napi::Value Model::mergeAdapter(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) {
    forgetTraining(session);
    adaptive::mergeAdapter(session.decoder);
    return nothing();
  });
}

Napi::Value Model::quantize(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(), [weights = listAt(from, "weights", quantizedFrom)](ModelSession& session) {
    quantizeWeights(session.decoder, weights);
    return nothing();
  });
}

Napi::Value Model::load(const Napi::CallbackInfo& info) {
  reportMemory(info.Env());
  const Napi::Object from = objectArgument(info, 0);
  const bool isAdapter = !from.Get("adapter").IsUndefined() && booleanAt(from, "adapter");
  const auto scope = isAdapter ? WeightScope::Adapter : WeightScope::Model;
  return run(info.Env(), [files = filesFrom(from), scope](ModelSession& session) {
    session.pending.reset();
    expectMasters(session);
    if (session.device) session.decoder.moveTo(*session.device);
    loadWeights(session.decoder, files, scope);
    return nothing();
  });
}

Napi::Value Model::initialise(const Napi::CallbackInfo& info) {
  reportMemory(info.Env());
  const Napi::Object from = objectArgument(info, 0);
  const Initialisation options = {numberAt(from, "deviation"), numberAt(from, "residualDeviation"),
                                  static_cast<uint64_t>(integerAt(from, "seed"))};
  return run(info.Env(), [options](ModelSession& session) {
    session.pending.reset();
    if (session.device) session.decoder.moveTo(*session.device);
    initialiseWeights(session.decoder, options);
    return nothing();
  });
}

Napi::Value Model::resize(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(), [vocabSize = integerAt(from, "vocabSize"),
                          seed = static_cast<uint64_t>(integerAt(from, "seed"))](ModelSession& session) {
    resizeSession(session, vocabSize, seed);
    return nothing();
  });
}

Napi::Value Model::configure(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  const SessionTypes types = {
      floatTypeAt(from, "computeType"), floatTypeAt(from, "masterType"),
      booleanAt(from, "gradientCheckpointing"),
      from.Get("embeddingNoise").IsUndefined() ? 0 : numberAt(from, "embeddingNoise")};
  return run(info.Env(), [types](ModelSession& session) {
    configureSession(session, types);
    return nothing();
  });
}

Napi::Value Model::save(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(),
             [path = stringAt(from, "path"), header = stringAt(from, "header"),
              dtype = storedTypeAt(from, "dtype"), names = listAt(from, "names", stringFrom),
              plain = !from.Get("plain").IsUndefined() && booleanAt(from, "plain")](ModelSession& session) {
               saveWeights(session, path, header, names, dtype, plain);
               return nothing();
             });
}

Napi::Value Model::memory(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) -> ToJs {
    return [held = heldMemory(session), device = memoryOfDevice(session), free = availableMemory(),
            reusable = reusableMemory()](Napi::Env env) {
      Napi::Object out = Napi::Object::New(env);
      out.Set("weights", static_cast<double>(held.weights));
      out.Set("gradients", static_cast<double>(held.gradients));
      out.Set("optimizer", static_cast<double>(held.optimizer));
      out.Set("pagedOptimizer", static_cast<double>(held.pagedOptimizer));
      out.Set("available", static_cast<double>(free));
      out.Set("reusable", static_cast<double>(reusable));
      if (device) {
        Napi::Object there = Napi::Object::New(env);
        there.Set("available", static_cast<double>(device->available));
        there.Set("total", static_cast<double>(device->total));
        there.Set("held", static_cast<double>(device->held));
        there.Set("peak", static_cast<double>(device->peak));
        out.Set("device", there);
      }
      return out;
    };
  });
}

}  // namespace adaptive::addon
