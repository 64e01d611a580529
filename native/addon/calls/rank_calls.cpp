#include "addon/calls/rank_calls.h"

#include "addon/calls/model.h"
#include "addon/convert/arguments.h"
#include "addon/handle.h"
#include "addon/ranks_tag.h"
#include "core/session/saved_session.h"

namespace adaptive::addon {
namespace {

std::shared_ptr<RankGroup> ranksFrom(const Napi::Object& request) {
  const Napi::Value value = request.Get("ranks");
  const auto* held = inHandle<RankGroup>(value, kRanksTag);
  if (!held || !*held) failType(value, "what joinGroup() gave", "ranks");
  return *held;
}

Napi::Value sumOverRanks(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return Engine::run(info.Env(),
                     [ranks = ranksFrom(from), numbers = arrayAt<double>(from, "numbers")]() mutable {
                       adaptive::sumOverRanks(*ranks, numbers);
                       return [numbers](Napi::Env env) { return toTypedArray(env, numbers); };
                     });
}

Napi::Value writeForRanks(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return Engine::run(info.Env(),
                     [ranks = ranksFrom(from), key = stringAt(from, "key"), value = stringAt(from, "value")] {
                       ranks->write(key, value);
                       return nothing();
                     });
}

Napi::Value readOfRanks(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return Engine::run(info.Env(), [ranks = ranksFrom(from), key = stringAt(from, "key")]() -> ToJs {
    return [value = ranks->read(key)](Napi::Env env) {
      return value ? Napi::Value(Napi::String::New(env, *value)) : env.Undefined();
    };
  });
}

Napi::Value addForRanks(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return Engine::run(
      info.Env(),
      [ranks = ranksFrom(from), key = stringAt(from, "key"), amount = integerAt(from, "amount")]() -> ToJs {
        return [sum = ranks->add(key, amount)](Napi::Env env) {
          return Napi::Number::New(env, static_cast<double>(sum));
        };
      });
}

/// At once, on the JavaScript thread: the engine may be waiting for the ranks.
Napi::Value leaveRanks(const Napi::CallbackInfo& info) {
  ranksFrom(objectArgument(info, 0))->leave();
  return info.Env().Undefined();
}

template <Napi::Value (*call)(const Napi::CallbackInfo&)>
Napi::Function guarded(Napi::Env env) {
  return Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
    return guardedCall(info.Env(), [&] { return call(info); });
  });
}

}  // namespace

Napi::Value Model::joinRanks(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  std::shared_ptr<RankGroup> ranks;
  if (!from.Get("ranks").IsUndefined()) ranks = ranksFrom(from);
  return run(info.Env(), [ranks](ModelSession& session) {
    adaptive::joinRanks(session, ranks);
    return nothing();
  });
}

Napi::Value Model::copyFromFirstRank(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) {
    adaptive::copyFromFirstRank(session);
    return nothing();
  });
}

void addRankCalls(Napi::Env env, Napi::Object exports) {
  exports.Set("sumOverRanks", guarded<sumOverRanks>(env));
  exports.Set("writeForRanks", guarded<writeForRanks>(env));
  exports.Set("readOfRanks", guarded<readOfRanks>(env));
  exports.Set("addForRanks", guarded<addForRanks>(env));
  exports.Set("leaveRanks", guarded<leaveRanks>(env));
}

}  // namespace adaptive::addon
