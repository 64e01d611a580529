#include "addon/model_binding.h"

#include <ATen/ATen.h>

#include <limits>

#include "addon/adapter_binding.h"
#include "addon/adaptive_loss_binding.h"
#include "addon/arguments.h"
#include "addon/decoder_config_binding.h"
#include "addon/engine.h"
#include "addon/errors.h"
#include "addon/handle.h"
#include "addon/model_state.h"
#include "core/available_memory.h"
#include "core/error.h"
#include "core/model/generation.h"
#include "core/model/initialise_weights.h"
#include "core/model/load_weights.h"
#include "core/model/resize_vocabulary.h"
#include "core/train/find_non_finite.h"

namespace adaptive::addon {
namespace {

FlatBatch flatBatchFrom(const Napi::Object& from) {
  return {arrayAt<int32_t, int64_t>(from, "inputIds"), arrayAt<int32_t, int64_t>(from, "cuSeqlens")};
}

MicroBatch microBatchFrom(const Napi::Object& from) {
  return {flatBatchFrom(from), arrayAt<int32_t>(from, "labels"), stylesFrom(from), dropoutFrom(from)};
}

StoredTensor storedFrom(const Napi::Object& from) {
  StoredTensor tensor{
      stringAt(from, "name"), stringAt(from, "dtype"), {}, integerAt(from, "begin"), integerAt(from, "end")};
  const auto shape = objectAt(from, "shape").As<Napi::Array>();
  for (uint32_t i = 0; i < shape.Length(); i++) tensor.shape.push_back(shape.Get(i).ToNumber().Int64Value());
  return tensor;
}

std::vector<WeightFile> filesFrom(const Napi::Object& request) {
  std::vector<WeightFile> files;
  const auto list = objectAt(request, "files").As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) {
    const auto entry = list.Get(i).As<Napi::Object>();
    WeightFile file{stringAt(entry, "path"), {}};
    const auto tensors = objectAt(entry, "tensors").As<Napi::Array>();
    for (uint32_t t = 0; t < tensors.Length(); t++)
      file.tensors.push_back(storedFrom(tensors.Get(t).As<Napi::Object>()));
    files.push_back(std::move(file));
  }
  return files;
}

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

Napi::Object namedShape(Napi::Env env, const std::string& name, at::IntArrayRef sizes) {
  Napi::Array shape = Napi::Array::New(env, sizes.size());
  for (uint32_t d = 0; d < sizes.size(); d++) shape.Set(d, static_cast<double>(sizes[d]));
  Napi::Object entry = Napi::Object::New(env);
  entry.Set("name", name);
  entry.Set("shape", shape);
  return entry;
}

// Random numbers: no other addon has them.
constexpr napi_type_tag kModelTag = {0x3f6c0e61b5c94f0a, 0x9a7d5be2c1e84d33};
constexpr napi_type_tag kGenerationTag = {0x71d2a8be40f54c6b, 0xb3089d1fe6a742c5};

ToJs listed(const std::vector<Parameter*>& parameters) {
  std::vector<ParameterPart> parts;
  for (const Parameter* p : parameters) parts.insert(parts.end(), p->parts().begin(), p->parts().end());
  return [parts](Napi::Env env) {
    Napi::Array list = Napi::Array::New(env, parts.size());
    for (uint32_t i = 0; i < parts.size(); i++) list.Set(i, namedShape(env, parts[i].name, parts[i].shape));
    return list;
  };
}

/// A generation and the model it was begun with: the cache would not fit another.
struct BegunGeneration {
  int64_t model;
  Generation generation;
};

ToJs nothing() {
  return [](Napi::Env env) { return env.Undefined(); };
}

}  // namespace

/// The JavaScript handle of a ModelState. Tasks hold the state itself, so that garbage collection or
/// dispose() while one runs is harmless.
class Model : public Napi::ObjectWrap<Model> {
 public:
  explicit Model(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Model>(info) {
    // Taken out: the handle lives until it is collected, and dispose() is to free the model at once.
    auto* held = info.Length() < 1 ? nullptr : inHandle<ModelState>(info[0], kModelTag);
    if (held) state_ = std::move(*held);
    if (!state_) throw Napi::TypeError::New(info.Env(), "Use createModel().");
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Model",
                       {InstanceMethod<&Model::parameters>("parameters"),
                        InstanceMethod<&Model::trainable>("trainable"),
                        InstanceMethod<&Model::addAdapter>("addAdapter"),
                        InstanceMethod<&Model::mergeAdapter>("mergeAdapter"),
                        InstanceMethod<&Model::load>("load"),
                        InstanceMethod<&Model::initialise>("initialise"),
                        InstanceMethod<&Model::resize>("resize"),
                        InstanceMethod<&Model::configure>("configure"),
                        InstanceMethod<&Model::logits>("logits"),
                        InstanceMethod<&Model::lossAndGradients>("lossAndGradients"),
                        InstanceMethod<&Model::trainMicroBatch>("trainMicroBatch"),
                        InstanceMethod<&Model::forward>("forward"),
                        InstanceMethod<&Model::backward>("backward"),
                        InstanceMethod<&Model::evaluate>("evaluate"),
                        InstanceMethod<&Model::createOptimizer>("createOptimizer"),
                        InstanceMethod<&Model::optimizerStep>("optimizerStep"),
                        InstanceMethod<&Model::findNonFinite>("findNonFinite"),
                        InstanceMethod<&Model::memory>("memory"),
                        InstanceMethod<&Model::optimizerState>("optimizerState"),
                        InstanceMethod<&Model::saveOptimizer>("saveOptimizer"),
                        InstanceMethod<&Model::loadOptimizer>("loadOptimizer"),
                        InstanceMethod<&Model::clearGradients>("clearGradients"),
                        InstanceMethod<&Model::save>("save"),
                        InstanceMethod<&Model::startGeneration>("startGeneration"),
                        InstanceMethod<&Model::nextTokens>("nextTokens"),
                        InstanceMethod<&Model::dispose>("dispose")});
  }

 private:
  /// Runs work(state) on the engine thread; refuses after dispose().
  template <class Work>
  Napi::Value run(Napi::Env env, Work work) {
    if (!state_) throw Napi::Error(env, toJsError(env, {"DISPOSED", "This model has been disposed."}));
    return Engine::run(env, [state = state_, work = std::move(work)]() mutable { return work(*state); });
  }

  Napi::Value parameters(const Napi::CallbackInfo& info) {
    return run(info.Env(), [](ModelState& state) { return listed(state.decoder.parameters()); });
  }

  Napi::Value trainable(const Napi::CallbackInfo& info) {
    return run(info.Env(), [](ModelState& state) { return listed(state.decoder.trainableParameters()); });
  }

  Napi::Value addAdapter(const Napi::CallbackInfo& info) {
    return run(info.Env(), [options = adapterOptionsFrom(objectArgument(info, 0))](ModelState& state) {
      state.forgetTraining();
      adaptive::addAdapter(state.decoder, options);
      return nothing();
    });
  }

  Napi::Value mergeAdapter(const Napi::CallbackInfo& info) {
    return run(info.Env(), [](ModelState& state) {
      state.forgetTraining();
      adaptive::mergeAdapter(state.decoder);
      return nothing();
    });
  }

  Napi::Value load(const Napi::CallbackInfo& info) {
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

  Napi::Value initialise(const Napi::CallbackInfo& info) {
    if (state_) adjustMemory(info.Env(), state_->bytes());
    const Napi::Object from = objectArgument(info, 0);
    const Initialisation options = {numberAt(from, "deviation"), numberAt(from, "residualDeviation"),
                                    static_cast<uint64_t>(integerAt(from, "seed"))};
    return run(info.Env(), [options](ModelState& state) {
      initialiseWeights(state.decoder, options);
      return nothing();
    });
  }

  Napi::Value resize(const Napi::CallbackInfo& info) {
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

  Napi::Value configure(const Napi::CallbackInfo& info) {
    const Napi::Object from = objectArgument(info, 0);
    return run(
        info.Env(), [type = floatTypeAt(from, "computeType"), masters = floatTypeAt(from, "masterType"),
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

  Napi::Value logits(const Napi::CallbackInfo& info) {
    return run(info.Env(), [batch = flatBatchFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
      at::NoGradGuard noGrad;
      const at::Tensor logits = state.decoder.logits(state.decoder.hiddenStates(batch)).contiguous();
      return [logits](Napi::Env env) {
        return toTypedArray(env, logits.const_data_ptr<float>(), logits.numel());
      };
    });
  }

  Napi::Value lossAndGradients(const Napi::CallbackInfo& info) {
    return run(info.Env(), [batch = flatBatchFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
      const GradientReport report = lossAndGradientsOf(state, batch);
      return [report](Napi::Env env) {
        Napi::Object gradients = Napi::Object::New(env);
        for (const auto& [name, tensor] : report.gradients) {
          gradients.Set(name, toTypedArray(env, tensor.const_data_ptr<float>(), tensor.numel()));
        }
        Napi::Object out = Napi::Object::New(env);
        out.Set("loss", report.loss);
        out.Set("gradients", gradients);
        return out;
      };
    });
  }

  Napi::Value trainMicroBatch(const Napi::CallbackInfo& info) {
    return run(info.Env(),
               [batch = microBatchFrom(objectArgument(info, 0)),
                loss = lossRequestFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
                 TrainingPass pass(state.decoder, batch, /*training=*/true, entropyOfTop(loss));
                 std::vector<float> weights;
                 const LossReport report = lossReport(pass.statistics(), pass.tokens(), loss, &weights);
                 checkFinite(report, pass);
                 scaleWeights(state, weights);
                 pass.backward(weights);
                 return [report](Napi::Env env) { return addon::toJs(env, report); };
               });
  }

  Napi::Value forward(const Napi::CallbackInfo& info) {
    return run(info.Env(),
               [batch = microBatchFrom(objectArgument(info, 0)),
                loss = lossRequestFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
                 state.pending.emplace(state.decoder, batch, /*training=*/true, entropyOfTop(loss));
                 const LossReport report = lossReport(state.pending->statistics(), state.pending->tokens(),
                                                      loss, &state.pendingWeights);
                 checkFinite(report, *state.pending);
                 return [report, tokens = state.pending->tokens(),
                         statistics = state.pending->statistics()](Napi::Env env) {
                   Napi::Object out = addon::toJs(env, report).As<Napi::Object>();
                   out.Set("tokens", addon::toJs(env, tokens, statistics));
                   return out;
                 };
               });
  }

  /// weights: ∂loss/∂nll of each labelled token of the last forward(); without it, those of the loss asked
  /// for there.
  Napi::Value backward(const Napi::CallbackInfo& info) {
    const Napi::Object from = objectArgument(info, 0);
    std::optional<std::vector<float>> given;
    if (!from.Get("weights").IsUndefined()) given = arrayAt<float>(from, "weights");
    return run(info.Env(), [given](ModelState& state) {
      backwardOf(state, given);
      return nothing();
    });
  }

  Napi::Value evaluate(const Napi::CallbackInfo& info) {
    return run(info.Env(),
               [batch = microBatchFrom(objectArgument(info, 0)),
                loss = lossRequestFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
                 const TrainingPass pass(state.decoder, batch, /*training=*/false, entropyOfTop(loss));
                 const LossReport report = lossReport(pass.statistics(), pass.tokens(), loss, nullptr);
                 return [report, tokens = pass.tokens(), statistics = pass.statistics()](Napi::Env env) {
                   Napi::Object out = addon::toJs(env, report).As<Napi::Object>();
                   out.Set("tokens", addon::toJs(env, tokens, statistics));
                   return out;
                 };
               });
  }

  Napi::Value createOptimizer(const Napi::CallbackInfo& info) {
    const Napi::Object from = objectArgument(info, 0);
    const OptimizerOptions options = {
        numberAt(from, "beta1"),    numberAt(from, "beta2"),
        numberAt(from, "eps"),      numberAt(from, "weightDecay"),
        numberAt(from, "momentum"), static_cast<uint64_t>(integerAt(from, "seed"))};
    return run(info.Env(), [name = stringAt(from, "name"), options](ModelState& state) {
      state.decoder.clearGradients();
      for (Parameter* parameter : state.decoder.trainableParameters()) parameter->reserveGradient();
      state.optimizer = makeOptimizer(name, state.decoder.trainableParameters(), options);
      return nothing();
    });
  }

  Napi::Value optimizerStep(const Napi::CallbackInfo& info) {
    const Napi::Object from = objectArgument(info, 0);
    return run(info.Env(),
               [rate = numberAt(from, "learningRate"),
                maxNorm = numberAt(from, "maxGradNorm")](ModelState& state) -> ToJs {
                 const StepReport report = stepOptimizer(state, rate, maxNorm);
                 return [report, scale = lossScale(state)](Napi::Env env) {
                   Napi::Object out = Napi::Object::New(env);
                   out.Set("gradNorm", report.gradNorm);
                   out.Set("skipped", report.skipped);
                   out.Set("lossScale", scale);
                   return out;
                 };
               });
  }

  Napi::Value findNonFinite(const Napi::CallbackInfo& info) {
    return run(info.Env(), [batch = microBatchFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
      return [found = adaptive::findNonFinite(state.decoder, batch)](Napi::Env env) {
        Napi::Object out = Napi::Object::New(env);
        out.Set("module", found.module);
        out.Set("rows", toTypedArray(env, found.rows));
        return out;
      };
    });
  }

  Napi::Value memory(const Napi::CallbackInfo& info) {
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

  Napi::Value optimizerState(const Napi::CallbackInfo& info) {
    return run(info.Env(), [](ModelState& state) -> ToJs {
      if (!state.optimizer) fail("INVALID_INPUT", "Expected createOptimizer() first.");
      const auto tensors = state.optimizer->state();
      const GradScaler::State scaler = state.scaler ? state.scaler->state() : GradScaler::State{1, 0};
      return [tensors, scaler, steps = state.optimizer->steps()](Napi::Env env) {
        Napi::Array list = Napi::Array::New(env, tensors.size());
        for (uint32_t i = 0; i < tensors.size(); i++) {
          Napi::Object entry = namedShape(env, tensors[i].first, tensors[i].second.sizes());
          entry.Set("dtype", storedType(tensors[i].second.scalar_type()));
          list.Set(i, entry);
        }
        Napi::Object out = Napi::Object::New(env);
        out.Set("steps", static_cast<double>(steps));
        out.Set("lossScale", scaler.scale);
        out.Set("goodSteps", static_cast<double>(scaler.goodSteps));
        out.Set("tensors", list);
        return out;
      };
    });
  }

  Napi::Value saveOptimizer(const Napi::CallbackInfo& info) {
    const Napi::Object from = objectArgument(info, 0);
    return run(info.Env(),
               [path = stringAt(from, "path"), header = stringAt(from, "header")](ModelState& state) {
                 addon::saveOptimizer(state, path, header);
                 return nothing();
               });
  }

  Napi::Value loadOptimizer(const Napi::CallbackInfo& info) {
    const Napi::Object from = objectArgument(info, 0);
    const auto files = filesFrom(from);
    if (files.size() != 1) throw Napi::TypeError::New(info.Env(), "Expected one file.");
    const GradScaler::State scaler = {numberAt(from, "lossScale"), integerAt(from, "goodSteps")};
    if (scaler.scale <= 0) throw Napi::TypeError::New(info.Env(), "Expected a positive lossScale.");
    return run(info.Env(), [file = files[0], scaler, steps = integerAt(from, "steps")](ModelState& state) {
      addon::loadOptimizer(state, file, steps);
      if (state.scaler) state.scaler.emplace(scaler);
      return nothing();
    });
  }

  Napi::Value clearGradients(const Napi::CallbackInfo& info) {
    return run(info.Env(), [](ModelState& state) {
      state.pending.reset();
      state.decoder.clearGradients();
      return nothing();
    });
  }

  Napi::Value save(const Napi::CallbackInfo& info) {
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

  Napi::Value startGeneration(const Napi::CallbackInfo& info) {
    const Napi::Object from = objectArgument(info, 0);
    const SamplingOptions options = {numberAt(from, "temperature"), integerAt(from, "topK"),
                                     numberAt(from, "topP"), numberAt(from, "repetitionPenalty"),
                                     static_cast<uint64_t>(integerAt(from, "seed"))};
    return run(info.Env(),
               [prompts = flatBatchFrom(from), options,
                stopIds = arrayAt<int32_t, int64_t>(from, "stopTokenIds")](ModelState& state) -> ToJs {
                 checkFlatBatch(prompts, state.decoder.config().vocabSize);
                 const auto generation = std::make_shared<BegunGeneration>(BegunGeneration{
                     state.number, Generation(state.decoder.config(), prompts, options, stopIds)});
                 return [generation](Napi::Env env) { return toHandle(env, generation, kGenerationTag); };
               });
  }

  Napi::Value nextTokens(const Napi::CallbackInfo& info) {
    const auto* held = info.Length() < 1 ? nullptr : inHandle<BegunGeneration>(info[0], kGenerationTag);
    if (!held) throw Napi::TypeError::New(info.Env(), "Expected a generation.");
    const auto generation = *held;
    return run(info.Env(), [generation](ModelState& state) -> ToJs {
      if (state.number != generation->model)
        fail("INVALID_INPUT", "Expected a generation of this model, found one of another.");
      const std::vector<int64_t> tokens = generation->generation.next(state.decoder);
      return [tokens = std::vector<int32_t>(tokens.begin(), tokens.end()),
              ended = generation->generation.ended()](Napi::Env env) {
        Napi::Object out = Napi::Object::New(env);
        out.Set("tokens", toTypedArray(env, tokens));
        out.Set("ended", ended);
        return out;
      };
    });
  }

  Napi::Value dispose(const Napi::CallbackInfo& info) {
    if (state_) {
      adjustMemory(info.Env(), -reported_);
      // The tensors go on the engine thread, after whatever still runs.
      Engine::run(info.Env(), [state = std::move(state_)]() mutable {
        state.reset();
        return nothing();
      });
      state_.reset();
    }
    return info.Env().Undefined();
  }

  void adjustMemory(Napi::Env env, int64_t bytes) {
    Napi::MemoryManagement::AdjustExternalMemory(env, bytes);
    reported_ += bytes;
  }

  std::shared_ptr<ModelState> state_;
  int64_t reported_ = 0;
};

Napi::Value createModel(const Napi::CallbackInfo& info) {
  const DecoderConfig config = decoderConfigFrom(objectArgument(info, 0));
  return Engine::run(info.Env(), [config]() -> ToJs {
    const auto state = std::make_shared<ModelState>(config);
    return [state](Napi::Env env) {
      // A class per model: one kept for all would have to be kept per environment.
      return Model::define(env).New({toHandle(env, state, kModelTag)});
    };
  });
}

}  // namespace adaptive::addon
