#include "addon/calls/model.h"

#include <ATen/detail/CUDAHooksInterface.h>

#include "addon/convert/arguments.h"
#include "addon/convert/decoder_config.h"
#include "addon/handle.h"
#include "core/block_memory.h"

namespace adaptive::addon {
namespace {

// Random numbers: no other addon has them.
constexpr napi_type_tag kModelTag = {0x3f6c0e61b5c94f0a, 0x9a7d5be2c1e84d33};

}  // namespace

int64_t cudaDeviceCount() { return at::detail::getCUDAHooks().deviceCount(); }

at::Device deviceFrom(const Napi::Value& value) {
  const std::string name = value.IsUndefined() ? "cpu" : stringFrom(value, "device");
  if (name == "cpu") return at::Device(name);
  const int64_t count = cudaDeviceCount();
  for (int64_t i = 0; i < count; i++)
    if (name == "cuda:" + std::to_string(i)) return at::Device(name);
  failType(value, "cpu, or the name of a CUDA device that libtorch sees", "device");
}

Model::Model(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Model>(info) {
  // Taken out: the handle lives until it is collected, and dispose() is to free the model at once.
  auto* held = info.Length() < 1 ? nullptr : inHandle<ModelSession>(info[0], kModelTag);
  if (held) session_ = std::move(*held);
  if (!session_) throw Napi::TypeError::New(info.Env(), "Expected createModel() to make models.");
  // Nothing runs on the session yet: later its tensors are the engine thread's alone.
  bytes_ = bytesOfMasters(*session_);
}

Napi::Function Model::define(Napi::Env env) {
  return DefineClass(env, "Model",
                     {method<&Model::parameters>("parameters"),
                      method<&Model::trainable>("trainable"),
                      method<&Model::freeze>("freeze"),
                      method<&Model::addAdapter>("addAdapter"),
                      method<&Model::mergeAdapter>("mergeAdapter"),
                      method<&Model::quantize>("quantize"),
                      method<&Model::load>("load"),
                      method<&Model::initialise>("initialise"),
                      method<&Model::resize>("resize"),
                      method<&Model::configure>("configure"),
                      method<&Model::logits>("logits"),
                      method<&Model::lossAndGradients>("lossAndGradients"),
                      method<&Model::trainMicroBatch>("trainMicroBatch"),
                      method<&Model::forward>("forward"),
                      method<&Model::backward>("backward"),
                      method<&Model::evaluate>("evaluate"),
                      method<&Model::keepBase>("keepBase"),
                      method<&Model::baseHiddenStates>("baseHiddenStates"),
                      method<&Model::addBaseRows>("addBaseRows"),
                      method<&Model::divergence>("divergence"),
                      method<&Model::setBaseWeights>("setBaseWeights"),
                      method<&Model::weightsDigest>("weightsDigest"),
                      method<&Model::createOptimizer>("createOptimizer"),
                      method<&Model::optimizerStep>("optimizerStep"),
                      method<&Model::findNonFinite>("findNonFinite"),
                      method<&Model::beginTrace>("beginTrace"),
                      method<&Model::takeTrace>("takeTrace"),
                      method<&Model::memory>("memory"),
                      method<&Model::optimizerState>("optimizerState"),
                      method<&Model::saveOptimizer>("saveOptimizer"),
                      method<&Model::loadOptimizer>("loadOptimizer"),
                      method<&Model::clearGradients>("clearGradients"),
                      method<&Model::save>("save"),
                      method<&Model::joinRanks>("joinRanks"),
                      method<&Model::copyFromFirstRank>("copyFromFirstRank"),
                      method<&Model::shards>("shards"),
                      method<&Model::shareMasters>("shareMasters"),
                      method<&Model::gatherAtFirst>("gatherAtFirst"),
                      method<&Model::returnGathered>("returnGathered"),
                      method<&Model::endSharing>("endSharing"),
                      method<&Model::startGeneration>("startGeneration"),
                      method<&Model::nextTokens>("nextTokens"),
                      method<&Model::endGeneration>("endGeneration"),
                      method<&Model::dispose>("dispose")});
}

Napi::Value Model::dispose(const Napi::CallbackInfo& info) {
  if (session_) {
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -reported_);
    // The tensors go on the engine thread, after whatever still runs.
    Engine::run(info.Env(), [session = std::move(session_)]() mutable {
      session.reset();
      releaseBlocks();
      return nothing();
    });
    session_.reset();
  }
  return info.Env().Undefined();
}

void Model::reportMemory(Napi::Env env) {
  if (!session_ || reported_ > 0) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, bytes_);
  reported_ = bytes_;
}

Napi::Value createModel(const Napi::CallbackInfo& info) {
  const DecoderConfig config = decoderConfigFrom(objectArgument(info, 0));
  return Engine::run(info.Env(), [config, device = deviceFrom(info[1])]() -> ToJs {
    const auto session = std::make_shared<ModelSession>(config, device);
    return [session](Napi::Env env) {
      // A class per model: one kept for all would have to be kept per environment.
      return Model::define(env).New({toHandle(env, session, kModelTag)});
    };
  });
}

}  // namespace adaptive::addon
