#include <ATen/ATen.h>

#include "addon/calls/model.h"
#include "addon/convert/arguments.h"
#include "addon/convert/requests.h"
#include "addon/convert/retained.h"
#include "core/session/sharded_session.h"
#include "core/session/training_step.h"
#include "core/session/weights_digest.h"

namespace adaptive::addon {

Napi::Value Model::keepBase(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) {
    session.base = {};
    session.base.keepHead(session.decoder);
    return nothing();
  });
}

Napi::Value Model::baseHiddenStates(const Napi::CallbackInfo& info) {
  return run(info.Env(), [batch = flatBatchFrom(objectArgument(info, 0))](ModelSession& session) -> ToJs {
    at::NoGradGuard noGrad;
    const at::Tensor hidden = session.decoder.hiddenStates(batch).cpu().contiguous();
    return [hidden](Napi::Env env) {
      return toTypedArray(env, static_cast<const uint8_t*>(hidden.const_data_ptr()), hidden.nbytes());
    };
  });
}

Napi::Value Model::addBaseRows(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(),
             [path = stringAt(from, "path"), stored = storedFrom(from.Get("tensor"), "tensor"),
              cuSeqlens = arrayAt<int32_t, int64_t>(from, "cuSeqlens")](ModelSession& session) -> ToJs {
               const int64_t store = session.base.addRows(session.decoder, path, stored, cuSeqlens);
               return [store](Napi::Env env) { return Napi::Number::New(env, static_cast<double>(store)); };
             });
}

Napi::Value Model::divergence(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(),
             [batch = flatBatchFrom(from),
              rows = retainedFrom(objectAt(from, "retained"))](ModelSession& session) -> ToJs {
               return [found = adaptive::divergence(session, batch, rows)](Napi::Env env) {
                 return toJs(env, found);
               };
             });
}

Napi::Value Model::setBaseWeights(const Napi::CallbackInfo& info) {
  return run(info.Env(), [files = filesFrom(objectArgument(info, 0))](ModelSession& session) {
    adaptive::setBaseWeights(session, files);
    return nothing();
  });
}

Napi::Value Model::weightsDigest(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) -> ToJs {
    expectMasters(session);
    return [digest = adaptive::weightsDigest(session.decoder)](Napi::Env env) {
      return Napi::String::New(env, digest);
    };
  });
}

}  // namespace adaptive::addon
