#pragma once
#include <napi.h>

#include <optional>
#include <string>

namespace adaptive::addon {

/// An exception in plain words, fit to cross threads.
struct Failure {
  std::string code;  ///< an ErrorCode of src/errors.ts
  std::string message;
  std::string cause = {};  ///< libtorch's words, where the message has none of its own for them
};

/// The exception being handled. Call inside a catch block only.
Failure currentFailure();

/// An Error with `code`, which src/engine/engine-call.ts makes an AdaptiveTrainerError.
Napi::Value toJsError(Napi::Env env, const Failure& failure);

/// work(), with every exception that is not JavaScript's own turned into one: any other would end the
/// process.
template <class Work>
Napi::Value guardedCall(Napi::Env env, const Work& work) {
  try {
    return work();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(env, toJsError(env, currentFailure()));
  }
}

}  // namespace adaptive::addon
