#pragma once
#include <napi.h>

#include <optional>
#include <string>

namespace adaptive::addon {

/// An exception in plain words, fit to cross threads.
struct Failure {
  std::string code;  ///< an ErrorCode of src/errors.ts
  std::string message;
};

/// The exception being handled. Call inside a catch block only.
Failure currentFailure();

/// An Error with `code`; src/native/engine-call.ts makes it an AdaptiveTrainerError.
Napi::Value toJsError(Napi::Env env, const Failure& failure);

}  // namespace adaptive::addon
