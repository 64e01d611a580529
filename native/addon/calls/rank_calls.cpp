#include "addon/calls/rank_calls.h"

#include "addon/calls/model.h"
#include "addon/convert/arguments.h"
#include "addon/handle.h"
#include "addon/ranks_tag.h"
#include "core/expect.h"
#include "core/session/saved_session.h"
#include "core/session/sharded_session.h"

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
  MakeCollectives make;
  std::string whyNot;
  const Napi::Value collectives = from.Get("collectives");
  if (const auto* held = inHandle<MakeCollectives>(collectives, kCollectivesTag)) {
    make = **held;
  } else if (!collectives.IsUndefined()) {
    whyNot = stringFrom(collectives, "collectives");
  }
  return run(info.Env(), [ranks, make, whyNot](ModelSession& session) -> ToJs {
    return [because = adaptive::joinRanks(session, ranks, make, whyNot)](Napi::Env env) {
      return because.empty() ? env.Undefined() : Napi::Value(Napi::String::New(env, because));
    };
  });
}

Napi::Value Model::copyFromFirstRank(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) {
    adaptive::copyFromFirstRank(session);
    return nothing();
  });
}

Napi::Value Model::shards(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  const int64_t ranks = integerAt(from, "ranks");
  expectInteger("ranks", ranks, 1, 1 << 16);
  return run(info.Env(), [ranks](ModelSession& session) -> ToJs {
    const Shards shards(session.decoder, ranks);
    std::vector<Shards::Size> sizes;
    for (int64_t rank = 0; rank < ranks; rank++) sizes.push_back(shards.sizeOf(session.decoder, rank));
    return [sizes](Napi::Env env) {
      Napi::Array list = Napi::Array::New(env, sizes.size());
      for (uint32_t i = 0; i < sizes.size(); i++) {
        Napi::Object size = Napi::Object::New(env);
        size.Set("trained", static_cast<double>(sizes[i].trained));
        size.Set("apart", static_cast<double>(sizes[i].apart));
        size.Set("gradients", static_cast<double>(sizes[i].gradients));
        list.Set(i, size);
      }
      return list;
    };
  });
}

Napi::Value Model::shareMasters(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) {
    adaptive::shareMasters(session);
    return nothing();
  });
}

Napi::Value Model::gatherAtFirst(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  const Gathered wanted = {.masters = booleanAt(from, "masters"), .optimizer = booleanAt(from, "optimizer")};
  return run(info.Env(), [path = stringAt(from, "path"), wanted](ModelSession& session) {
    adaptive::gatherAtFirst(session, path, wanted);
    return nothing();
  });
}

Napi::Value Model::returnGathered(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) {
    adaptive::returnGathered(session);
    return nothing();
  });
}

Napi::Value Model::endSharing(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) {
    adaptive::endSharing(session);
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
