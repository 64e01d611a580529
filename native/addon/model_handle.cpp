#include "addon/model_handle.h"

#include "addon/arguments.h"
#include "addon/decoder_config_binding.h"
#include "addon/handle.h"

namespace adaptive::addon {
namespace {

// Random numbers: no other addon has them.
constexpr napi_type_tag kModelTag = {0x3f6c0e61b5c94f0a, 0x9a7d5be2c1e84d33};

}  // namespace

Model::Model(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Model>(info) {
  // Taken out: the handle lives until it is collected, and dispose() is to free the model at once.
  auto* held = info.Length() < 1 ? nullptr : inHandle<ModelState>(info[0], kModelTag);
  if (held) state_ = std::move(*held);
  if (!state_) throw Napi::TypeError::New(info.Env(), "Use createModel().");
}

Napi::Function Model::define(Napi::Env env) {
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

Napi::Value Model::dispose(const Napi::CallbackInfo& info) {
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

void Model::adjustMemory(Napi::Env env, int64_t bytes) {
  Napi::MemoryManagement::AdjustExternalMemory(env, bytes);
  reported_ += bytes;
}

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
